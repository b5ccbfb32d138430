"""Functions that exporters write in several nodes, recognized as one op."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, sqrt
from typing import Any, ClassVar

import numpy as np

from y10c.ir.types import DType
from y10c.passes.canonicalize.extents import dims, same_dims
from y10c.rewrite import Rewriter, Rule, any_of, decline, op, rule, scalar_const, var, variables
from y10c.rewrite.passes import RulePass

FLOATS = (DType.f16, DType.f32, DType.f64)
x = var("x").of(*FLOATS)
AXES, SUM_AXES, GAMMA, BETA = variables("AXES SUM_AXES GAMMA BETA")
EPS, ROOT, CUBIC, SIXTH = (scalar_const(n) for n in ("EPS", "ROOT", "CUBIC", "SIXTH"))


@rule(match=op.Mul(x, op.Sigmoid(x)))
def recognize_silu(rw: Rewriter, m: Any) -> Any:
    """Recognize `x * sigmoid(x)` as SiLU, which a chip runs as one table."""
    return rw.op["y10c.SiLU"](m.x)


ramp = op.Clip(op.Add(x, 3.0), 0.0, 6.0)


def keeps_type(m: Any) -> bool:
    """A constant raises the rank."""
    return same_dims(m.x, m.root.results[0])


def is_number(constant: Any, number: float) -> bool:
    """True where a constant of one element is this number, as far as its type holds it."""
    return bool(constant.item() == constant.dtype.type(number))


@rule(match=any_of(op.Div(ramp, 6.0), op.Mul(ramp, SIXTH)), where=keeps_type)
def recognize_hardsigmoid(rw: Rewriter, m: Any) -> Any:
    """Recognize `clip(x + 3, 0, 6) / 6` as HardSigmoid with slope 1/6 (arXiv 1905.02244)."""
    if m.root.name == "Mul" and not is_number(m.SIXTH, 1 / 6):
        return decline("the slope is another one")
    return rw.op.HardSigmoid(m.x, alpha=1 / 6, beta=0.5)


@rule(match=op.Mul(x, op.HardSigmoid(x, beta=0.5, bind="gate")))
def recognize_hardswish(rw: Rewriter, m: Any) -> Any:
    """Recognize `x * hardsigmoid(x)` with slope 1/6 as HardSwish (arXiv 1905.02244)."""
    if np.float32(m.gate.alpha) != np.float32(1 / 6):
        return decline("the slope is another one")
    return rw.op.HardSwish(m.x)


@rule(match=any_of(op.Div(op.Mul(x, ramp), 6.0), op.Mul(op.Mul(x, ramp), SIXTH)), where=keeps_type)
def recognize_hardswish_of_clip(rw: Rewriter, m: Any) -> Any:
    """Recognize `x * clip(x + 3, 0, 6) / 6` as HardSwish (arXiv 1905.02244)."""
    if m.root.name == "Mul" and not is_number(m.SIXTH, 1 / 6):
        return decline("the slope is another one")
    return rw.op.HardSwish(m.x)


erf = op.Erf(op.any_of("Div", "Mul")(x, ROOT, bind="scaled"))
tanh = op.Tanh(op.Mul(op.Add(x, op.Mul(op.Pow(x, 3.0), CUBIC)), ROOT))


@rule(
    match=any_of(op.Mul(op.Mul(x, op.Add(erf, 1.0)), 0.5), op.Mul(op.Mul(x, 0.5), op.Add(erf, 1.0))),
    where=keeps_type,
)
def recognize_gelu(rw: Rewriter, m: Any) -> Any:
    """Recognize `x * (1 + erf(x / sqrt 2)) / 2` as Gelu (arXiv 1606.08415)."""
    divides = m.scaled.op.name == "Div"
    if divides and not is_number(m.ROOT, sqrt(2)):
        return decline("the divisor is not the root of two")
    if not divides and not is_number(m.ROOT, sqrt(0.5)):
        return decline("the factor is not the root of a half")
    return rw.op.Gelu(m.x)


@rule(
    match=any_of(op.Mul(op.Mul(x, op.Add(tanh, 1.0)), 0.5), op.Mul(op.Mul(x, 0.5), op.Add(tanh, 1.0))),
    where=keeps_type,
)
def recognize_gelu_of_tanh(rw: Rewriter, m: Any) -> Any:
    """Recognize the form of Gelu with tanh and a cubic term (arXiv 1606.08415)."""
    if not is_number(m.CUBIC, 0.044715) or not is_number(m.ROOT, sqrt(2 / pi)):
        return decline("the constants are others")
    return rw.op.Gelu(m.x, approximate="tanh")


centred = op.Sub(x, op.ReduceMean(x, AXES, keepdims=1))
variance = op.ReduceMean(any_of(op.Pow(centred, 2.0), op.Mul(centred, centred)), AXES, keepdims=1)
normalized = op.Div(centred, op.Sqrt(op.Add(variance, EPS)))


@rule(match=op.Add(op.Mul(normalized, GAMMA.ranked(1)), BETA.ranked(1)), where=keeps_type)
def recognize_layernorm(rw: Rewriter, m: Any) -> Any:
    """Recognize a LayerNormalization over the last axis (arXiv 1607.06450)."""
    shape = dims(m.x)
    if m.AXES.ravel().tolist() not in ([-1], [len(shape) - 1]):
        return decline("it does not normalize over the last axis alone")
    if m.GAMMA.shape != shape[-1:] or m.BETA.shape != shape[-1:]:
        return decline("scale and shift do not go along the last axis")
    return rw.op.LayerNormalization(m.x, rw.const(m.GAMMA), rw.const(m.BETA), epsilon=m.EPS.item())


shifted = op.Exp(op.Sub(x, op.ReduceMax(x, AXES, keepdims=1)))


@rule(match=op.Div(shifted, op.ReduceSum(shifted, SUM_AXES, keepdims=1)))
def recognize_softmax(rw: Rewriter, m: Any) -> Any:
    """Recognize `exp(x - max) / sum` over one axis as Softmax."""
    axes = m.AXES.reshape(-1)
    if axes.size != 1 or m.SUM_AXES.reshape(-1).tolist() != axes.tolist():
        return decline("maximum and sum go over different or several axes")
    return rw.op.Softmax(m.x, axis=int(axes[0]))


@dataclass(frozen=True)
class RecognizeFunctions(RulePass):
    """Recognize activations and normalizations that exporters write in several nodes."""

    name: ClassVar[str] = "recognize-functions"
    rules: ClassVar[Sequence[Rule]] = (
        recognize_silu,
        recognize_hardsigmoid,
        recognize_hardswish,
        recognize_hardswish_of_clip,
        recognize_gelu,
        recognize_gelu_of_tanh,
        recognize_layernorm,
        recognize_softmax,
    )
