"""Functions that exporters write in several nodes, recognized as one op."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, ClassVar

import numpy as np

from y10c.rewrite import Rewriter, Rule, any_of, decline, op, rule, scalar_const, variables
from y10c.rewrite.passes import RulePass

x, AXES, SUM_AXES, GAMMA, BETA = variables("x AXES SUM_AXES GAMMA BETA")
TWO, EPS, HALF, ROOT = scalar_const("TWO"), scalar_const("EPS"), scalar_const("HALF"), scalar_const("ROOT")


@rule(match=op.Mul(x, op.Sigmoid(x)))
def recognize_silu(rw: Rewriter, m: Any) -> Any:
    """Recognize `x * sigmoid(x)` as SiLU, which a chip runs as one table."""
    return rw.op["y10c.SiLU"](m.x)


@rule(match=op.Mul(x, op.HardSigmoid(x, bind="gate")))
def recognize_hardswish(rw: Rewriter, m: Any) -> Any:
    """Recognize `x * hardsigmoid(x)` with slope 1/6 as HardSwish."""
    if abs(m.gate.alpha - 1 / 6) > 1e-6 or m.gate.beta != 0.5:
        return decline("the slope or the offset is another one")
    return rw.op.HardSwish(m.x)


@rule(
    match=any_of(
        op.Mul(op.Mul(x, op.Add(op.Erf(op.Div(x, ROOT)), 1.0)), 0.5),
        op.Mul(op.Mul(x, 0.5), op.Add(op.Erf(op.Div(x, ROOT)), 1.0)),
    )
)
def recognize_gelu(rw: Rewriter, m: Any) -> Any:
    """Recognize `x * (1 + erf(x / sqrt 2)) / 2` as Gelu (arXiv 1606.08415)."""
    if abs(float(m.ROOT.reshape(())) - sqrt(2)) > 1e-6:
        return decline("the divisor is not the root of two")
    if m.root.results[0].type != m.x.type:
        return decline("a constant raises the rank")
    return rw.op.Gelu(m.x)


centred = op.Sub(x, op.ReduceMean(x, AXES, keepdims=1))
variance = op.ReduceMean(any_of(op.Pow(centred, 2.0), op.Mul(centred, centred)), AXES, keepdims=1)
normalized = op.Div(centred, op.Sqrt(op.Add(variance, EPS)))


@rule(match=op.Add(op.Mul(normalized, GAMMA.ranked(1)), BETA.ranked(1)))
def recognize_layernorm(rw: Rewriter, m: Any) -> Any:
    """Recognize a LayerNormalization over the last axis (arXiv 1607.06450)."""
    rank = m.x.tensor_type.rank
    if rank is None or m.AXES.reshape(-1).tolist() not in ([-1], [rank - 1]):
        return decline("it does not normalize over the last axis alone")
    extent = m.x.tensor_type.shape[-1]
    if m.GAMMA.shape != (extent,) or m.BETA.shape != (extent,):
        return decline("scale and shift do not go along the last axis")
    epsilon = float(np.asarray(m.EPS).reshape(()))
    return rw.op.LayerNormalization(m.x, rw.const(m.GAMMA), rw.const(m.BETA), axis=-1, epsilon=epsilon)


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
        recognize_hardswish,
        recognize_gelu,
        recognize_layernorm,
        recognize_softmax,
    )
