"""Sorting, searching and running totals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    Sampler,
    any_operand,
    attribute,
    constant,
    keep,
    need,
)
from y10c.ops.shape import ELEMENTS
from y10c.ops.shapes import axis_of, int_list, known, local, same_as_first, shape_of
from y10c.ops.spec import Inputs, OpSpec, Reference, Trait

JUMPS = frozenset({Trait.discontinuous})


@known(1)
def _infer_top_k(inputs: Inputs, x: TensorType) -> Sequence[Type | None] | None:
    count = int_list(inputs, 1)
    if count is None:
        return None
    shape = shape_of(x)
    axis = axis_of(inputs.attrs.get("axis", -1), len(shape))
    dims = (*shape[:axis], count[0], *shape[axis + 1 :])
    return [TensorType(x.dtype, dims), TensorType(DType.i64, dims)][: inputs.results]


def _top_k(x: Any, k: Any, *, axis: int = -1, largest: int = 1, sorted: int = 1) -> Any:
    count = int(np.asarray(k).reshape(()))
    # A stable order of the negated ranks keeps the lower index first among equals, as ONNX wants.
    keys = np.unique(x, return_inverse=True)[1].reshape(x.shape)
    order = np.argsort(-keys if largest else keys, axis=axis, kind="stable")
    chosen = np.take(order, np.arange(count), axis)
    return np.take_along_axis(x, chosen, axis), chosen.astype(np.int64)


def _sample_top_k(draw: Draw, request: Request) -> OpInstance:
    x = any_operand(draw, request, 0, dtypes=(DType.f32, DType.i64), ranks=(2, 1, 3), high=4)
    rank = len(x.shape)
    need(rank >= 1, "a scalar has no axis")
    axis = attribute(draw, request, "axis", (-1, *range(rank)), -1)
    attrs = {"axis": axis, "largest": attribute(draw, request, "largest", (1, 0), 1)}
    count = request.given(1) or constant([draw.integer(1, x.shape[axis], "k")])
    need(request.results <= 2)
    return OpInstance((x, keep(draw, request, 1, count)), attrs, 2)


@known(1)
def _infer_arg(inputs: Inputs, x: TensorType) -> Sequence[Type | None] | None:
    shape = shape_of(x)
    axis = axis_of(inputs.attrs.get("axis", 0), len(shape))
    kept = (1,) if inputs.attrs.get("keepdims", 1) else ()
    return [TensorType(DType.i64, (*shape[:axis], *kept, *shape[axis + 1 :]))]


def _arg(find: Callable[..., Any]) -> Reference:
    def reference(x: Any, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Any:
        if select_last_index:
            found = x.shape[axis] - 1 - find(np.flip(x, axis), axis=axis)
        else:
            found = find(x, axis=axis)
        return np.asarray(np.expand_dims(found, axis) if keepdims else found, np.int64)

    return reference


def _sample_arg(draw: Draw, request: Request) -> OpInstance:
    x = any_operand(draw, request, 0, ranks=(2, 3, 1))
    rank = len(x.shape)
    need(rank >= 1, "a scalar has no axis")
    attrs = {
        "axis": attribute(draw, request, "axis", (0, *range(1, rank), -1), 0),
        "keepdims": attribute(draw, request, "keepdims", (1, 0), 1),
        "select_last_index": attribute(draw, request, "select_last_index", (0, 1), 0),
    }
    return OpInstance((x,), attrs)


def _arg_op(name: str, find: Callable[..., Any]) -> OpSpec:
    return onnx_op(
        name, infer=local(name, _infer_arg), reference=_arg(find), sample=_sample_arg, traits=JUMPS
    )


def _cumulative_sum(x: Any, axis: Any, *, exclusive: int = 0, reverse: int = 0) -> Any:
    along = int(np.asarray(axis).reshape(()))
    flipped = np.flip(x, along) if reverse else x
    total = np.cumsum(flipped, axis=along, dtype=x.dtype)
    if exclusive:
        total = total - flipped
    return np.flip(total, along) if reverse else total


def _sample_cumulative_sum(draw: Draw, request: Request) -> OpInstance:
    x = any_operand(draw, request, 0, dtypes=(DType.f32, DType.i64), ranks=(2, 1, 3))
    rank = len(x.shape)
    need(rank >= 1, "a scalar has no axis")
    axis = request.given(1) or constant(draw.integer(-rank, rank - 1, "axis"))
    attrs = {k: attribute(draw, request, k, (0, 1), 0) for k in ("exclusive", "reverse")}
    return OpInstance((x, keep(draw, request, 1, axis)), attrs)


def _sample_any(dtypes: Sequence[DType], ranks: Sequence[int]) -> Sampler:
    def sample(draw: Draw, request: Request) -> OpInstance:
        return OpInstance((any_operand(draw, request, 0, dtypes=dtypes, ranks=ranks),))

    return sample


def _non_zero(x: Any) -> Any:
    return np.asarray(np.nonzero(x), np.int64)


def _sample_suppression(draw: Draw, request: Request) -> OpInstance:
    need(not any(isinstance(s, Given) for s in request.operands), "boxes and scores are drawn together")
    count, classes = draw.integer(1, 4, "boxes"), draw.integer(1, 2, "classes")
    corners = draw.array(TensorType(DType.f32, (1, count, 2)), Domain(0, 3))
    sizes = draw.array(TensorType(DType.f32, (1, count, 2)), Domain(0.5, 3))
    # Distinct scores, since the order of equal ones is not defined.
    order = np.asarray(draw.permutation(count * classes, "scores"), np.float32).reshape(1, classes, count)
    operands = (
        constant(np.concatenate([corners, corners + sizes], axis=2), DType.f32),
        constant((order + 1) / 16, DType.f32),
        constant([draw.integer(1, 3, "max boxes")]),
        constant([draw.choice((0.5, 0.25, 0.75), "threshold")], DType.f32),
        constant([0.0], DType.f32),
    )
    return OpInstance(operands)


SPECS = (
    onnx_op("TopK", infer=local("TopK", _infer_top_k), reference=_top_k, sample=_sample_top_k, traits=JUMPS),
    _arg_op("ArgMax", np.argmax),
    _arg_op("ArgMin", np.argmin),
    onnx_op(
        "CumSum",
        infer=local("CumSum", same_as_first),
        reference=_cumulative_sum,
        sample=_sample_cumulative_sum,
    ),
    onnx_op("NonZero", reference=_non_zero, sample=_sample_any(ELEMENTS, (2, 1, 3)), traits=JUMPS),
    onnx_op("NonMaxSuppression", sample=_sample_suppression, traits=JUMPS),
)
"""The declarations of this family."""
