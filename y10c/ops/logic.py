"""Comparisons, boolean algebra and selection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from y10c.ir.types import DType, TensorType, Type
from y10c.ops.elementwise import broadcast_operands, broadcast_sampler, unary_sampler
from y10c.ops.onnx_schema import onnx_op
from y10c.ops.sample import ANY, NUMBERS, Draw, Given, OpInstance, Request, element_type, need
from y10c.ops.shapes import broadcast, elementwise, known, local, same_dtype, shape_of, unary
from y10c.ops.spec import Inputs, OpSpec, Reference, Trait

_PLAIN = frozenset({Trait.elementwise})
_COMMUTATIVE = frozenset({Trait.elementwise, Trait.commutative})
_JUMPS = frozenset({Trait.discontinuous})


@known(3)
def _infer_where(inputs: Inputs, *types: TensorType) -> Sequence[Type | None] | None:
    return [TensorType(same_dtype(types[1:]), broadcast(*(shape_of(t) for t in types)))]


def _where(condition: Any, x: Any, y: Any) -> Any:
    return np.where(np.asarray(condition, np.bool_), x, y)


def _sample_where(draw: Draw, request: Request) -> OpInstance:
    typed = Request(request.operands[1:], result=request.result)
    dtype = element_type(draw, typed, (DType.f32, DType.i64))
    condition = request.given(0)
    need(condition is None or condition.dtype is DType.bool, "a boolean condition")
    # All three broadcast together, so the condition is drawn as if it had their type.
    slots = tuple(Given(TensorType(dtype, s.shape)) if s is condition else s for s in request.operands)
    drawn = broadcast_operands(
        draw, Request(slots, result=request.result, exact=request.exact), dtype, (ANY,) * 3
    )
    first = condition or Given(drawn[0].type.with_(dtype=DType.bool))
    return OpInstance((first, *drawn[1:]))


def _compare(name: str, reference: Reference, traits: frozenset[Trait] = _PLAIN) -> OpSpec:
    return onnx_op(
        name,
        infer=local(name, elementwise(DType.bool)),
        reference=reference,
        sample=broadcast_sampler(dtypes=NUMBERS),
        traits=traits | _JUMPS,
    )


def _boolean(name: str, reference: Reference) -> OpSpec:
    return onnx_op(
        name,
        infer=local(name, elementwise(DType.bool)),
        reference=reference,
        sample=broadcast_sampler(dtypes=(DType.bool,)),
        traits=_COMMUTATIVE,
    )


def _test(name: str, reference: Reference) -> OpSpec:
    return onnx_op(
        name,
        infer=local(name, unary(DType.bool)),
        reference=reference,
        sample=unary_sampler(),
        traits=_PLAIN,
    )


def _is_infinite(x: Any, *, detect_negative: int = 1, detect_positive: int = 1) -> Any:
    negative, positive = np.isneginf(x), np.isposinf(x)
    return (negative & bool(detect_negative)) | (positive & bool(detect_positive))


SPECS = (
    _compare("Equal", lambda x, y: np.equal(x, y), _COMMUTATIVE),
    _compare("Greater", lambda x, y: np.greater(x, y)),
    _compare("GreaterOrEqual", lambda x, y: np.greater_equal(x, y)),
    _compare("Less", lambda x, y: np.less(x, y)),
    _compare("LessOrEqual", lambda x, y: np.less_equal(x, y)),
    _boolean("And", lambda x, y: x & y),
    _boolean("Or", lambda x, y: x | y),
    _boolean("Xor", lambda x, y: x ^ y),
    onnx_op(
        "Not",
        infer=local("Not", unary()),
        reference=lambda x: ~x,
        sample=unary_sampler(dtypes=(DType.bool,)),
        traits=_PLAIN,
    ),
    onnx_op(
        "Where", infer=local("Where", _infer_where), reference=_where, sample=_sample_where, traits=_PLAIN
    ),
    _test("IsNaN", lambda x: np.isnan(x)),
    _test("IsInf", _is_infinite),
)
"""The declarations of this family."""
