"""Ops that make or measure shapes, as raw exports use them: their results follow from shapes alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from y10c.ir.tensor import Tensor
from y10c.ir.types import DType, TensorType, Type
from y10c.ops.onnx_schema import onnx_op
from y10c.ops.sample import (
    NUMBERS,
    Domain,
    Draw,
    Given,
    OpInstance,
    Request,
    any_operand,
    attribute,
    constant,
    element_type,
    keep,
    need,
    optional,
)
from y10c.ops.shape import ELEMENTS
from y10c.ops.shapes import int_attr, int_list, known, local, same_as_first, shape_of
from y10c.ops.spec import Inputs, Trait


@known(1)
def _infer_shape(inputs: Inputs, x: TensorType) -> Sequence[Type | None] | None:
    dims = shape_of(x)
    taken = dims[int_attr(inputs, "start", 0) : int_attr(inputs, "end", len(dims))]
    return [TensorType(DType.i64, (len(taken),))]


def _shape(x: Any, *, start: int = 0, end: int | None = None) -> Any:
    return np.asarray(x.shape[start:end], np.int64)


def _sample_shape(draw: Draw, request: Request) -> OpInstance:
    x = any_operand(draw, request, 0, dtypes=ELEMENTS, ranks=(2, 3, 4, 1, 0))
    rank = len(x.shape)
    attrs: dict[str, Any] = {}
    for name in ("start", "end"):
        if name in request.attrs or draw.boolean(name):
            attrs[name] = attribute(draw, request, name, range(-rank, rank + 1), None)
    return OpInstance((x,), {k: v for k, v in attrs.items() if v is not None})


def _sample_size(draw: Draw, request: Request) -> OpInstance:
    return OpInstance((any_operand(draw, request, 0, dtypes=ELEMENTS),))


def _infer_constant_of_shape(inputs: Inputs) -> Sequence[Type | None] | None:
    dims, value = int_list(inputs, 0), inputs.attrs.get("value")
    if dims is None:
        return None
    return [TensorType(value.dtype if isinstance(value, Tensor) else DType.f32, dims)]


def _constant_of_shape(shape: Any, *, value: Tensor | None = None) -> Any:
    fill = np.zeros((1,), np.float32) if value is None else value.numpy()
    return np.full([int(d) for d in shape], fill.reshape(()).item(), fill.dtype)


def _sample_constant_of_shape(draw: Draw, request: Request) -> OpInstance:
    target = request.result.static_shape if request.result else draw.shape(draw.choice((2, 1, 3, 0), "rank"))
    shape = request.given(0) or keep(draw, request, 0, constant(target))
    if "value" in request.attrs:
        fixed = request.attrs["value"]
        return OpInstance((shape,), {} if fixed is None else {"value": fixed})
    dtype = request.result.dtype if request.result else draw.choice(NUMBERS, "dtype")
    if dtype is DType.f32 and not draw.boolean("value"):
        return OpInstance((shape,))
    return OpInstance((shape,), {"value": Tensor.of(draw.array(TensorType(dtype, (1,))))})


def _sample_range(draw: Draw, request: Request) -> OpInstance:
    given = [request.given(i) for i in range(3)]
    if any(given):
        need(all(given), "start, limit and delta come together")
        return OpInstance(tuple(given))
    dtype = element_type(draw, request, (DType.i64, DType.f32))
    start, count, step = draw.integer(-2, 3), draw.integer(1, 5), draw.choice((1, 2, -1), "delta")
    made = (start, start + count * step, step)
    return OpInstance(tuple(keep(draw, request, i, constant(v, dtype)) for i, v in enumerate(made)))


def _range(start: Any, limit: Any, delta: Any) -> Any:
    start, limit, delta = (np.asarray(v).reshape(()) for v in (start, limit, delta))
    count = max(0, int(np.ceil((limit - start) / delta)))
    return (start + np.arange(count).astype(start.dtype) * delta).astype(start.dtype)


def _trilu(x: Any, k: Any = None, *, upper: int = 1) -> Any:
    offset = 0 if k is None else int(np.asarray(k).reshape(()))
    return np.triu(x, offset) if upper else np.tril(x, offset)


def _sample_trilu(draw: Draw, request: Request) -> OpInstance:
    x = any_operand(draw, request, 0, dtypes=(DType.f32, DType.i64), ranks=(2, 3))
    need(len(x.shape) >= 2, "a matrix")
    offset = request.given(1) or optional(draw, request, 1, constant(draw.integer(-1, 2, "diagonal")))
    return OpInstance((x, offset), {"upper": attribute(draw, request, "upper", (1, 0), 1)})


def _one_hot(indices: Any, depth: Any, values: Any, *, axis: int = -1) -> Any:
    size = int(np.asarray(depth).reshape(()))
    off, on = values
    positions = np.where(indices < 0, indices + size, indices).astype(np.int64)
    hot = np.expand_dims(positions, axis) == np.arange(size).reshape(
        [-1 if i == axis % (indices.ndim + 1) else 1 for i in range(indices.ndim + 1)]
    )
    return np.where(hot, on, off).astype(values.dtype)


def _sample_one_hot(draw: Draw, request: Request) -> OpInstance:
    need(not any(request.given(i) for i in (1, 2)), "depth and values are drawn")
    depth = draw.integer(1, 4, "depth")
    # Each operand has an element type of its own.
    indices = request.given(0) or Given(TensorType(DType.i64, draw.shape(draw.choice((1, 2), "rank"))))
    need(indices.dtype is DType.i64, "integer indices")
    rank = len(indices.shape)
    axis = attribute(draw, request, "axis", (-1, *range(rank + 1)), -1)
    values = constant([draw.integer(0, 1), draw.integer(1, 3)], DType.f32)
    indices = Given(indices.type, indices.data, Domain(-depth, depth - 1, 1))
    return OpInstance((indices, constant(depth), values), {"axis": axis})


SHAPE_ONLY = frozenset({Trait.shape_only})
SPECS = (
    onnx_op(
        "Shape", infer=local("Shape", _infer_shape), reference=_shape, sample=_sample_shape, traits=SHAPE_ONLY
    ),
    onnx_op(
        "Size",
        infer=local("Size", lambda inputs: [TensorType(DType.i64, ())]),
        reference=lambda x: np.asarray(x.size, np.int64),
        sample=_sample_size,
        traits=SHAPE_ONLY,
    ),
    onnx_op(
        "ConstantOfShape",
        infer=local("ConstantOfShape", _infer_constant_of_shape),
        reference=_constant_of_shape,
        sample=_sample_constant_of_shape,
    ),
    onnx_op("Range", reference=_range, sample=_sample_range),
    onnx_op("Trilu", infer=local("Trilu", same_as_first), reference=_trilu, sample=_sample_trilu),
    onnx_op("OneHot", reference=_one_hot, sample=_sample_one_hot),
)
"""The declarations of this family."""
