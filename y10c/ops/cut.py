"""Slicing and padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from y10c.ir.types import Dim, TensorType, Type
from y10c.ops import math
from y10c.ops.onnx_schema import onnx_op
from y10c.ops.sample import (
    LEFT_OUT,
    Draw,
    Given,
    OpInstance,
    Request,
    any_operand,
    attribute,
    constant,
    keep,
    need,
    optional,
)
from y10c.ops.shape import ELEMENTS, MOVES
from y10c.ops.shapes import axis_of, has, int_list, known, local, shape_of
from y10c.ops.spec import Inputs, Trait


def slice_of(start: int, end: int, step: int, extent: int) -> slice:
    """Bounds as ONNX gives them, as a Python slice over an axis of `extent` elements.

    Source: ONNX operator Slice: bounds are clamped, to -1 at the end of a backward slice.
    """
    start, end = (b + extent if b < 0 else b for b in (start, end))
    if step > 0:
        return slice(min(max(start, 0), extent), min(max(end, 0), extent), step)
    end = min(max(end, -1), extent - 1)
    return slice(min(max(start, 0), extent - 1), None if end < 0 else end, step)


@known(1)
def _infer_slice(inputs: Inputs, x: TensorType) -> Sequence[Type | None] | None:
    starts, ends = int_list(inputs, 1), int_list(inputs, 2)
    if starts is None or ends is None:
        return None
    axes, steps = int_list(inputs, 3), int_list(inputs, 4)
    if (axes is None and has(inputs, 3)) or (steps is None and has(inputs, 4)):
        return None
    dims = list(shape_of(x))
    axes = tuple(range(len(starts))) if axes is None else axes
    steps = (1,) * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise ValueError("starts, ends, axes and steps differ in length")
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step == 0:
            raise ValueError("a step of 0")
        index = axis_of(axis, len(dims))
        dims[index] = _cut(dims[index], start, end, step)
    return [TensorType(x.dtype, tuple(dims))]


def _cut(dim: Dim, start: int, end: int, step: int) -> Dim:
    if isinstance(dim, int):
        return len(range(dim)[slice_of(start, end, step, dim)])
    # Without the extent only a slice that takes everything has a known result.
    return dim if start == 0 and end >= np.iinfo(np.int32).max and step == 1 else None


def _slice(x: Any, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Any:
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    index = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        index[int(axis)] = slice_of(int(start), int(end), int(step), x.shape[int(axis)])
    return x[tuple(index)]


def _sample_slice(draw: Draw, request: Request) -> OpInstance:
    x = any_operand(draw, request, 0, dtypes=ELEMENTS, ranks=(2, 3, 4, 1), high=4)
    rank = len(x.shape)
    given = [request.given(i) for i in range(1, 5)]
    if given[0] is not None and given[1] is not None:
        return OpInstance((x, *given))
    need(rank >= 1, "a scalar cannot be cut")
    axes = _cut_axes(draw, request, rank)
    bounds = [_bounds(draw, x.shape[a], backward=_may(request, 4)) for a in axes]
    if request.exact and draw.integer(0, 15, "empty") == 15:
        # A pattern also sees a cut that leaves nothing.
        bounds[0] = (bounds[0][0], bounds[0][0], 1)
    fixed = [None if g is None else _numbers(g, len(axes)) for g in given]
    if any(f is not None for f in fixed):
        bounds = [
            _meeting(draw, x.shape[a], *(None if f is None else f[i] for f in (fixed[0], fixed[1], fixed[3])))
            for i, a in enumerate(axes)
        ]
    written = [a - rank if draw.boolean("negative axis") else a for a in axes]
    plain = axes == tuple(range(len(axes))) and all(s == 1 for _, _, s in bounds)
    operands = [
        x,
        keep(draw, request, 1, given[0] or constant([b[0] for b in bounds])),
        keep(draw, request, 2, given[1] or constant([b[1] for b in bounds])),
    ]
    extra: list[Given | None] = [given[2] or constant(written), given[3] or constant([b[2] for b in bounds])]
    if plain and not any(given[2:]) and not draw.boolean("axes"):
        extra = []
    elif all(s == 1 for _, _, s in bounds) and given[3] is None and not draw.boolean("steps"):
        extra = extra[:1]
    for index in range(len(extra)):
        if request.slot(3 + index) is LEFT_OUT:
            need(index == 1 or axes == tuple(range(len(axes))), "axes in order")
            need(index == 0 or all(s == 1 for _, _, s in bounds), "steps of 1")
            extra[index] = None
    for index in range(len(extra), max(0, len(request.operands) - 3)):
        extra.append(None if request.slot(3 + index) is LEFT_OUT else _filler(index, written, bounds))
    return OpInstance((*operands, *extra))


def _cut_axes(draw: Draw, request: Request, rank: int) -> tuple[int, ...]:
    """The axes that are cut: as given, as many as a given operand or a wish says, else any."""
    named = request.given(3)
    if named is not None:
        need(named.data is not None, "axes that are known")
        axes = tuple(int(a) % rank for a in np.asarray(named.data).reshape(-1))
        need(all(-rank <= int(a) < rank for a in np.asarray(named.data).reshape(-1)), "axes of the tensor")
        return axes
    sizes = [int(g.shape[0]) for g in map(request.given, (1, 2, 4)) if g is not None and len(g.shape) == 1]
    if any(request.wish(i).single for i in range(1, 5)):
        sizes.append(1)
    axes = draw.subset(rank, 1, "axes")
    if sizes:
        need(max(sizes) <= rank, "enough axes to cut")
        axes = draw.permutation(rank, "axes")[: max(sizes)]
    return tuple(range(len(axes))) if request.exact and len(request.operands) < 4 else axes


def _numbers(given: Given, count: int) -> list[int]:
    need(given.data is not None and np.size(given.data) == count, "one number an axis")
    return [int(v) for v in np.asarray(given.data).reshape(-1)]


def _meeting(
    draw: Draw, extent: int, start: int | None, end: int | None, step: int | None
) -> tuple[int, int, int]:
    """A cut with some of its numbers fixed."""
    step = 1 if step is None else step
    need(step != 0, "a step")
    if start is None and end is None:
        start, end = (0, extent) if step > 0 else (extent - 1, -extent - 1)
    elif start is None:
        start = draw.integer(0, extent - 1, "start")
    elif end is None:
        low = slice_of(start, extent, 1, extent).start
        end = draw.integer(min(low + 1, extent), extent, "end") if step > 0 else -extent - 1
    assert start is not None
    assert end is not None
    need(range(extent)[slice_of(start, end, step, extent)], "something is left")
    return start, end, step


def _may(request: Request, index: int) -> bool:
    return request.slot(index) is not LEFT_OUT


def _filler(index: int, axes: Sequence[int], bounds: Sequence[tuple[int, int, int]]) -> Given:
    return constant(axes) if index == 0 else constant([b[2] for b in bounds])


def _bounds(draw: Draw, extent: int, *, backward: bool) -> tuple[int, int, int]:
    """Start, end and step of a cut that leaves something."""
    style = draw.integer(0, 3 if backward else 1, "cut")
    start = draw.integer(0, extent - 1, "start")
    end = draw.integer(start + 1, extent, "end")
    if style == 0:
        return start, end, 1
    if style == 1:
        return start - extent, draw.choice((end, np.iinfo(np.int64).max), "end"), 1
    if style == 2:
        return start, end, 2
    return end - 1, start - 1 if start else -extent - 1, -1


@known(1)
def _infer_pad(inputs: Inputs, x: TensorType) -> Sequence[Type | None] | None:
    pads = int_list(inputs, 1)
    if pads is None:
        return None
    dims = list(shape_of(x))
    axes = int_list(inputs, 3)
    if axes is None:
        if has(inputs, 3):
            return None
        axes = tuple(range(len(dims)))
    if len(pads) != 2 * len(axes):
        raise ValueError(f"{len(pads)} pads for {len(axes)} axes")
    for i, axis in enumerate(axes):
        index = axis_of(axis, len(dims))
        more = pads[i] + pads[i + len(axes)]
        dim = dims[index]
        dims[index] = dim + more if isinstance(dim, int) else dim if more == 0 else None
    return [TensorType(x.dtype, tuple(dims))]


def _pad(x: Any, pads: Any, value: Any = None, axes: Any = None, *, mode: str = "constant") -> Any:
    chosen = list(range(x.ndim)) if axes is None else [int(a) % x.ndim for a in axes]
    widths = [(0, 0)] * x.ndim
    for i, axis in enumerate(chosen):
        widths[axis] = (int(pads[i]), int(pads[i + len(chosen)]))
    inner = x[tuple(slice(max(0, -b), n - max(0, -e)) for (b, e), n in zip(widths, x.shape, strict=True))]
    outer = [(max(0, b), max(0, e)) for b, e in widths]
    if mode != "constant":
        return np.pad(inner, outer, mode=_NUMPY_MODES[mode])
    result = math.full(
        tuple(b + n + e for (b, e), n in zip(outer, inner.shape, strict=True)),
        0 if value is None else np.asarray(value).reshape(()).item(),
        x,
    )
    result[tuple(slice(b, b + n) for (b, _), n in zip(outer, inner.shape, strict=True))] = inner
    return result


_NUMPY_MODES: dict[str, Any] = {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}


def _sample_pad(draw: Draw, request: Request) -> OpInstance:
    x = any_operand(draw, request, 0, ranks=(4, 3, 2, 1))
    mode = attribute(draw, request, "mode", ("constant", "reflect", "edge"), "constant")
    rank = len(x.shape)
    need(rank >= 1, "a scalar cannot be padded")
    pads, said = request.given(1), request.given(3)
    axes = draw.subset(rank, 1, "axes") if _may(request, 3) and draw.boolean("axes") else None
    if said is not None:
        need(said.data is not None, "axes that are known")
        axes = tuple(int(a) % rank for a in np.ravel(np.asarray(said.data)))
    if pads is None:
        chosen = range(rank) if axes is None else axes
        # What a Conv or pooling can take over leaves batch and channels alone.
        bare = () if rank < 3 or draw.choice((False, False, True), "pad batch and channels") else (0, 1)
        most = [0 if a in bare else _widest(mode, x.shape[a]) for a in chosen]
        widths = [draw.integer(0, n, "pad") for n in (*most, *most)]
        if request.exact and mode != "reflect" and draw.integer(0, 7, "crop") == 7:
            # A pattern also sees a pad that crops.
            axis = draw.integer(0, len(widths) // 2 - 1, "axis")
            widths[axis] = -1 if x.shape[tuple(chosen)[axis]] > 1 else 0
        pads = keep(draw, request, 1, constant(widths))
    elif pads.data is not None and mode == "reflect":
        along = tuple(range(rank) if axes is None else axes) * 2
        fits = all(w <= _widest(mode, x.shape[a]) for a, w in zip(along, np.ravel(pads.data), strict=False))
        need(fits, "enough to reflect")
    value = optional(draw, request, 2, Given(TensorType(x.dtype, ())))
    # The other modes ignore a number, which a pattern may still see.
    value = value if mode == "constant" or request.exact else None
    attrs = {"mode": mode} if mode != "constant" or request.attrs.get("mode") is not None else {}
    if axes is None or (said is None and request.given(1) is not None):
        return OpInstance((x, pads, value), attrs)
    return OpInstance((x, pads, value, said or constant(axes)), attrs)


def _widest(mode: str, extent: int) -> int:
    return min(2, extent - 1) if mode == "reflect" else 2


SPECS = (
    onnx_op(
        "Slice", infer=local("Slice", _infer_slice), reference=_slice, sample=_sample_slice, traits=MOVES
    ),
    onnx_op(
        "Pad",
        infer=local("Pad", _infer_pad),
        reference=_pad,
        sample=_sample_pad,
        traits=frozenset({Trait.data_movement}),
    ),
)
"""The declarations of this family."""
