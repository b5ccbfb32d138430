"""Activations, those included that networks write in several ONNX nodes and a chip runs as one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from y10c.ir.types import DType, TensorType, Type
from y10c.ir.value import Op, Value
from y10c.ops import math
from y10c.ops.elementwise import unary_sampler
from y10c.ops.onnx_schema import onnx_op
from y10c.ops.sample import (
    ANY,
    Draw,
    Given,
    OpInstance,
    Request,
    any_operand,
    attribute,
    keep,
    need,
    optional,
)
from y10c.ops.shapes import local, unary
from y10c.ops.spec import Inputs, Operand, OpSpec, Reference, Trait
from y10c.rewrite.builder import OpBuilder


def same_type(inputs: Inputs) -> Sequence[Type | None]:
    """The result has the type of the first operand."""
    return [inputs.types[0]]


def _silu(x: Any) -> Any:
    return x / (1 + math.exp(-x))


def _lower_silu(build: OpBuilder, op: Op) -> list[Value]:
    x = op.operands[0]
    gate = build.Sigmoid(x, _location=f"{op.location}/Sigmoid" if op.location else "")
    return [build.Mul(x, gate, _location=op.location)]


def _number(value: float, x: Any) -> Any:
    """An attribute in the element type of `x`, so that float32 stays float32."""
    return value if x.dtype == np.object_ else x.dtype.type(value)


def _positive(x: Any) -> Any:
    return math.maximum(x, _number(0, x))


def _negative(x: Any) -> Any:
    return math.minimum(x, _number(0, x))


def _relu(x: Any) -> Any:
    return _positive(x)


def _leaky(x: Any, *, alpha: float = 0.01) -> Any:
    return _positive(x) + _number(alpha, x) * _negative(x)


def _clip(x: Any, low: Any = None, high: Any = None) -> Any:
    if low is not None:
        x = math.maximum(x, np.asarray(low).reshape(()))
    return x if high is None else math.minimum(x, np.asarray(high).reshape(()))


def _hard_sigmoid(x: Any, *, alpha: float = 0.2, beta: float = 0.5) -> Any:
    line = x * _number(alpha, x) + _number(beta, x)
    return math.maximum(math.minimum(line, _number(1, x)), _number(0, x))


def _hard_swish(x: Any) -> Any:
    return x * _hard_sigmoid(x, alpha=1 / 6, beta=0.5)


def _elu(x: Any, *, alpha: float = 1.0) -> Any:
    return _positive(x) + _number(alpha, x) * (math.exp(_negative(x)) - 1)


def _celu(x: Any, *, alpha: float = 1.0) -> Any:
    a = _number(alpha, x)
    return _positive(x) + a * (math.exp(_negative(x) / a) - 1)


def _selu(
    x: Any, *, alpha: float = 1.67326319217681884765625, gamma: float = 1.05070102214813232421875
) -> Any:
    return _number(gamma, x) * _elu(x, alpha=alpha)


def _gelu(x: Any, *, approximate: str = "none") -> Any:
    if approximate == "tanh":
        inner = _number(np.sqrt(2 / np.pi), x) * (x + _number(0.044715, x) * x * x * x)
        return x * (1 + math.tanh(inner)) / 2
    return x * (1 + math.erf(x / math.sqrt(x * 0 + 2))) / 2


def _softplus(x: Any) -> Any:
    return math.log(math.exp(x) + 1)


def _mish(x: Any) -> Any:
    return x * math.tanh(_softplus(x))


def _softsign(x: Any) -> Any:
    return x / (1 + math.absolute(x))


def _thresholded(x: Any, *, alpha: float = 1.0) -> Any:
    return np.where(x > alpha, x, _number(0, x))


def _shrink(x: Any, *, bias: float = 0.0, lambd: float = 0.5) -> Any:
    b = _number(bias, x)
    return np.where(x < -lambd, x + b, np.where(x > lambd, x - b, _number(0, x)))


def _prelu(x: Any, slope: Any) -> Any:
    return _positive(x) + slope * _negative(x)


def _softmax(x: Any, *, axis: int = -1) -> Any:
    # Shifting by the greatest keeps numbers small; for expressions it would only hide the formula.
    shift = 0 if math.is_symbolic(x) else x.max(axis=axis, keepdims=True)
    weights = math.exp(x - shift)
    return weights / weights.sum(axis=axis, keepdims=True)


def _log_softmax(x: Any, *, axis: int = -1) -> Any:
    if math.is_symbolic(x):
        return x - math.log(math.exp(x).sum(axis=axis, keepdims=True))
    centered = x - x.max(axis=axis, keepdims=True)
    return centered - np.log(np.exp(centered).sum(axis=axis, keepdims=True))


def _sample_softmax(draw: Draw, request: Request) -> OpInstance:
    x = any_operand(draw, request, 0, ranks=(2, 3, 4, 5, 1))
    rank = len(x.shape)
    need(rank >= 1 and x.dtype.is_float, "a float tensor with an axis")
    return OpInstance((x,), {"axis": attribute(draw, request, "axis", (-1, *range(rank)), -1)})


def _sample_clip(draw: Draw, request: Request) -> OpInstance:
    x = any_operand(draw, request, 0, dtypes=(DType.f32, DType.i64, DType.i32))
    scalar = TensorType(x.dtype, ())
    low = optional(draw, request, 1, Given(scalar, _bound(draw, request, 1, x.dtype, -2, 2)))
    high = optional(draw, request, 2, Given(scalar, _bound(draw, request, 2, x.dtype, 0, 6)))
    return OpInstance((x, low, high))


def _bound(draw: Draw, request: Request, index: int, dtype: DType, low: int, high: int) -> Any:
    wished = request.wish(index).number
    return np.asarray(draw.integer(low, high, "bound") if wished is None else wished, dtype.numpy)


def _sample_prelu(draw: Draw, request: Request) -> OpInstance:
    x = any_operand(draw, request, 0, ranks=(4, 3, 2))
    given = request.given(1)
    if given is not None:
        shape = given.shape
    else:
        channels = x.shape[1] if len(x.shape) > 1 else 1
        per_channel = (channels, *(1,) * (len(x.shape) - 2))
        shape = draw.choice((per_channel, x.shape, (1,)), "slope")
    try:
        need(np.broadcast_shapes(x.shape, shape) == x.shape, "the slope broadcasts to the input")
    except ValueError:
        need(False, "the slope broadcasts to the input")
    return OpInstance((x, keep(draw, request, 1, Given(TensorType(x.dtype, shape), None, ANY))))


_PLAIN = frozenset({Trait.elementwise})
_JUMPS = frozenset({Trait.discontinuous})
_MONOTONE = frozenset({Trait.elementwise, Trait.monotone})


def _activation(
    name: str, reference: Reference | None, traits: frozenset[Trait] = _PLAIN, **attrs: Sequence[Any]
) -> OpSpec:
    return onnx_op(
        name,
        infer=local(name, unary()),
        reference=reference,
        sample=unary_sampler(attrs=attrs),
        traits=traits,
    )


SPECS = (
    OpSpec(
        name="y10c.SiLU",
        operands=(Operand("x"),),
        results=(Operand("y"),),
        attrs={},
        infer=same_type,
        reference=_silu,
        sample=unary_sampler(),
        traits=_PLAIN,
        lower=_lower_silu,
        doc="x * sigmoid(x), as one op (arXiv 1702.03118)",
    ),
    _activation("Relu", _relu, _MONOTONE),
    _activation("LeakyRelu", _leaky, _MONOTONE, alpha=(0.01, 0.25)),
    _activation("Elu", _elu, _MONOTONE, alpha=(1.0, 0.5)),
    _activation("Celu", _celu, _MONOTONE, alpha=(1.0, 0.5)),
    _activation("Selu", _selu, _MONOTONE),
    _activation("HardSigmoid", _hard_sigmoid, _MONOTONE, alpha=(0.2, 0.25), beta=(0.5, 0.25)),
    _activation("HardSwish", _hard_swish),
    _activation("Gelu", _gelu, approximate=("none", "tanh")),
    _activation("Mish", _mish),
    _activation("Softplus", _softplus, _MONOTONE),
    _activation("Softsign", _softsign, _MONOTONE),
    _activation("ThresholdedRelu", _thresholded, _MONOTONE | _JUMPS, alpha=(1.0, 0.5)),
    _activation("Shrink", _shrink, _PLAIN | _JUMPS, bias=(0.0, 0.5), lambd=(0.5, 1.0)),
    onnx_op("Clip", infer=local("Clip", unary()), reference=_clip, sample=_sample_clip, traits=_MONOTONE),
    onnx_op("PRelu", infer=local("PRelu", unary()), reference=_prelu, sample=_sample_prelu, traits=_PLAIN),
    onnx_op("Softmax", infer=local("Softmax", unary()), reference=_softmax, sample=_sample_softmax),
    onnx_op("LogSoftmax", infer=local("LogSoftmax", unary()), reference=_log_softmax, sample=_sample_softmax),
    onnx_op("Hardmax", infer=local("Hardmax", unary()), sample=_sample_softmax, traits=_JUMPS),
)
"""The declarations of this family."""
