"""Conversion of element types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from y10c.ir.types import DType, TensorType, Type
from y10c.ops.onnx_schema import onnx_op
from y10c.ops.sample import Draw, Given, OpInstance, Request, any_operand, attribute, keep, need
from y10c.ops.shapes import local
from y10c.ops.spec import Inputs, Trait

_SOURCES = (DType.f32, DType.i64, DType.i32, DType.bool)
_TARGETS = (DType.f32, DType.i64, DType.i32, DType.f64, DType.bool, DType.f16)


def _infer_cast(inputs: Inputs) -> Sequence[Type | None] | None:
    x = inputs.types[0]
    return [TensorType(DType(inputs.attrs["to"]), x.shape)] if isinstance(x, TensorType) else None


def _infer_cast_like(inputs: Inputs) -> Sequence[Type | None] | None:
    x, like = inputs.types
    if isinstance(x, TensorType) and isinstance(like, TensorType):
        return [TensorType(like.dtype, x.shape)]
    return None


def _converted(x: Any, dtype: np.dtype[Any]) -> Any:
    if x.dtype == np.object_:
        # Expressions stand for reals, so only a conversion among floats keeps their meaning.
        if dtype.kind == "f":
            return x
        raise ValueError(f"an expression cannot be cast to {dtype}")
    with np.errstate(invalid="ignore", over="ignore"):
        return x.astype(dtype)


def _cast(x: Any, *, to: int, **_: Any) -> Any:
    return _converted(x, DType(to).numpy)


def _cast_like(x: Any, like: Any, **_: Any) -> Any:
    return _converted(x, like.dtype)


def _sample_cast(draw: Draw, request: Request) -> OpInstance:
    if request.result is not None:
        to = request.result.dtype.value
        made = Given(request.result.with_(dtype=draw.choice(_SOURCES, "dtype"), quant=None))
        return OpInstance((request.given(0) or keep(draw, request, 0, made),), {"to": to})
    x = any_operand(draw, request, 0, dtypes=_SOURCES)
    targets = [d.value for d in (x.dtype, *_TARGETS)]
    return OpInstance((x,), {"to": attribute(draw, request, "to", targets, x.dtype.value)})


def _sample_cast_like(draw: Draw, request: Request) -> OpInstance:
    x = any_operand(draw, request, 0, dtypes=_SOURCES)
    given = request.given(1)
    like = Given(TensorType(draw.choice(_TARGETS, "dtype"), (1,))) if given is None else given
    need(like.type.dtype is not DType.str)
    return OpInstance((x, keep(draw, request, 1, like)))


_TRAITS = frozenset({Trait.elementwise, Trait.discontinuous})
SPECS = (
    onnx_op("Cast", infer=local("Cast", _infer_cast), reference=_cast, sample=_sample_cast, traits=_TRAITS),
    onnx_op(
        "CastLike",
        infer=local("CastLike", _infer_cast_like),
        reference=_cast_like,
        sample=_sample_cast_like,
        traits=_TRAITS,
    ),
)
"""The declarations of this family."""
