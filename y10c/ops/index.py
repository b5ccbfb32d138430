"""Gathering and scattering by index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from y10c.ir.types import DType, TensorType, Type
from y10c.ops.onnx_schema import onnx_op
from y10c.ops.sample import (
    Domain,
    Draw,
    Given,
    OpInstance,
    Request,
    any_operand,
    attribute,
    constant,
    keep,
    need,
)
from y10c.ops.shape import ELEMENTS, MOVES
from y10c.ops.shapes import axis_of, known, local, same_as_first, shape_of
from y10c.ops.spec import Inputs


@known(2)
def _infer_gather(inputs: Inputs, *types: TensorType) -> Sequence[Type | None] | None:
    x, where = shape_of(types[0]), shape_of(types[1])
    axis = axis_of(inputs.attrs.get("axis", 0), len(x))
    return [TensorType(types[0].dtype, (*x[:axis], *where, *x[axis + 1 :]))]


def _gather(x: Any, indices: Any, *, axis: int = 0) -> Any:
    return np.take(x, np.asarray(indices).astype(np.int64), axis)


def indices_into(extent: int) -> Domain:
    """Valid indices of an axis, negative ones included."""
    return Domain(-extent, extent - 1, 1)


def _axis(draw: Draw, request: Request, rank: int) -> int:
    need(rank >= 1, "a scalar has no axis")
    axis = int(attribute(draw, request, "axis", (0, *range(1, rank), *range(-rank, 0)), 0))
    need(-rank <= axis < rank, "axis fits")
    return axis


def _sample_gather(draw: Draw, request: Request) -> OpInstance:
    x = any_operand(draw, request, 0, dtypes=ELEMENTS, ranks=(2, 3, 1, 4))
    axis = _axis(draw, request, len(x.shape))
    given = request.given(1)
    if given is not None and given.data is not None:
        return OpInstance((x, given), {"axis": axis})
    need(x.shape[axis] > 0, "something to gather")
    type = given.type if given else TensorType(DType.i64, draw.shape(draw.choice((1, 0, 2), "rank")))
    return OpInstance((x, _drawn_indices(draw, request, type, x.shape[axis])), {"axis": axis})


def _drawn_indices(draw: Draw, request: Request, type: TensorType, extent: int) -> Given:
    need(type.dtype in (DType.i64, DType.i32), "integer indices")
    domain = indices_into(extent)
    given = request.given(1)
    if given is not None:
        return Given(type, given.data, domain)
    return keep(draw, request, 1, Given(type, draw.array(type, domain), domain))


@known(2)
def _infer_gather_elements(inputs: Inputs, *types: TensorType) -> Sequence[Type | None] | None:
    return [TensorType(types[0].dtype, shape_of(types[1]))]


def _gather_elements(x: Any, indices: Any, *, axis: int = 0) -> Any:
    return x[_element_index(x, indices, axis)]


def _element_index(x: Any, indices: Any, axis: int) -> tuple[Any, ...]:
    index = list(np.indices(indices.shape))
    extent = x.shape[axis]
    index[axis] = np.where(indices < 0, indices + extent, indices)
    return tuple(index)


def _sample_gather_elements(draw: Draw, request: Request) -> OpInstance:
    x = any_operand(draw, request, 0, dtypes=ELEMENTS, ranks=(2, 3, 1))
    axis = _axis(draw, request, len(x.shape))
    type = _element_indices(draw, request, x, axis)
    return OpInstance((x, _drawn_indices(draw, request, type, x.shape[axis])), {"axis": axis})


def _element_indices(draw: Draw, request: Request, x: Given, axis: int) -> TensorType:
    given = request.given(1)
    if given is None:
        rank = len(x.shape)
        along = draw.integer(1, 3, "extent")
        shape = [along if i == axis % rank else draw.integer(1, d, "extent") for i, d in enumerate(x.shape)]
        return TensorType(DType.i64, tuple(shape))
    need(len(given.shape) == len(x.shape), "as many axes as the data")
    others = [
        (g, d) for i, (g, d) in enumerate(zip(given.shape, x.shape, strict=True)) if i != axis % len(x.shape)
    ]
    need(all(g <= d for g, d in others), "indices inside the data")
    return given.type


def _gather_nd(x: Any, indices: Any, *, batch_dims: int = 0) -> Any:
    if batch_dims == 0:
        return x[tuple(np.moveaxis(indices, -1, 0))]
    parts = [_gather_nd(a, i, batch_dims=batch_dims - 1) for a, i in zip(x, indices, strict=True)]
    return np.stack(parts)


def _sample_gather_nd(draw: Draw, request: Request) -> OpInstance:
    x = any_operand(draw, request, 0, dtypes=ELEMENTS, ranks=(2, 3))
    need(len(x.shape) >= 1 and request.given(1) is None, "the indices are drawn")
    depth = draw.integer(1, len(x.shape), "depth")
    return OpInstance((x, keep(draw, request, 1, _tuples(draw, x.shape[:depth], distinct=False))))


def _tuples(draw: Draw, extents: Sequence[int], *, distinct: bool) -> Given:
    """Index tuples [count, len(extents)]."""
    total = int(np.prod(extents))
    count = draw.integer(1, min(3, total), "indices")
    if distinct:
        flat = list(draw.permutation(total, "indices")[:count])
    else:
        flat = [draw.integer(0, total - 1, "index") for _ in range(count)]
    return constant(np.stack(np.unravel_index(flat, tuple(extents)), axis=-1))


_REDUCTIONS: dict[str, Any] = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


def _scatter_nd(x: Any, indices: Any, updates: Any, *, reduction: str = "none") -> Any:
    return _written(x, tuple(np.moveaxis(indices, -1, 0)), updates, reduction)


def _scatter_elements(x: Any, indices: Any, updates: Any, *, axis: int = 0, reduction: str = "none") -> Any:
    return _written(x, _element_index(x, indices, axis), updates, reduction)


def _written(x: Any, index: tuple[Any, ...], updates: Any, reduction: str) -> Any:
    result = x.copy()
    if reduction == "none":
        result[index] = updates
    else:
        _REDUCTIONS[reduction].at(result, index, updates)
    return result


def _sample_scatter_nd(draw: Draw, request: Request) -> OpInstance:
    x = any_operand(draw, request, 0, ranks=(2, 3))
    need(len(x.shape) >= 1 and request.given(1) is None, "the indices are drawn")
    depth = draw.integer(1, len(x.shape), "depth")
    indices = keep(draw, request, 1, _tuples(draw, x.shape[:depth], distinct=True))
    shape = (indices.shape[0], *x.shape[depth:])
    return OpInstance((x, indices, keep(draw, request, 2, Given(TensorType(x.dtype, shape)))))


def _sample_scatter_elements(draw: Draw, request: Request) -> OpInstance:
    x = any_operand(draw, request, 0, ranks=(2, 3, 1))
    axis = _axis(draw, request, len(x.shape))
    need(request.given(1) is None, "the indices are drawn")
    rank, extent = len(x.shape), x.shape[axis]
    along = draw.integer(1, extent, "extent")
    shape = tuple(along if i == axis % rank else d for i, d in enumerate(x.shape))
    # Distinct indices along the axis, so that the order of writing does not matter.
    order = np.asarray(draw.permutation(extent, "indices")[:along])
    data = np.broadcast_to(order.reshape([-1 if i == axis % rank else 1 for i in range(rank)]), shape)
    indices = keep(draw, request, 1, constant(data))
    updates = keep(draw, request, 2, Given(TensorType(x.dtype, shape)))
    return OpInstance((x, indices, updates), {"axis": axis})


SPECS = (
    onnx_op(
        "Gather", infer=local("Gather", _infer_gather), reference=_gather, sample=_sample_gather, traits=MOVES
    ),
    onnx_op(
        "GatherElements",
        infer=local("GatherElements", _infer_gather_elements),
        reference=_gather_elements,
        sample=_sample_gather_elements,
        traits=MOVES,
    ),
    onnx_op("GatherND", reference=_gather_nd, sample=_sample_gather_nd, traits=MOVES),
    onnx_op(
        "ScatterND", infer=local("ScatterND", same_as_first), reference=_scatter_nd, sample=_sample_scatter_nd
    ),
    onnx_op(
        "ScatterElements",
        infer=local("ScatterElements", same_as_first),
        reference=_scatter_elements,
        sample=_sample_scatter_elements,
    ),
)
"""The declarations of this family."""
