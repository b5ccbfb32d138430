"""Reshaping, permuting, joining and splitting: the same elements in another shape."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from y10c.ir.types import Dim, DType, TensorType, Type
from y10c.ops.onnx_schema import onnx_op
from y10c.ops.sample import (
    NUMBERS,
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
from y10c.ops.shapes import (
    axis_of,
    has,
    int_attr,
    int_list,
    ints_attr,
    known,
    local,
    same_dtype,
    shape_of,
    tensors,
)
from y10c.ops.spec import Inputs, Trait

MOVES = frozenset({Trait.data_movement, Trait.shares_scale})
ELEMENTS = (*NUMBERS, DType.bool)


# --- Reshape ---


@known(1)
def _infer_reshape(inputs: Inputs, x: TensorType) -> Sequence[Type | None] | None:
    target = int_list(inputs, 1)
    if target is None:
        return None
    source = shape_of(x)
    kept = not inputs.attrs.get("allowzero", 0)
    if kept and any(d == 0 and i >= len(source) for i, d in enumerate(target)):
        raise ValueError(f"shape {target} keeps an axis that a tensor of rank {len(source)} lacks")
    dims: list[Dim] = [source[i] if d == 0 and kept else d for i, d in enumerate(target)]
    if -1 not in target:
        _check_elements(source, dims, target)
        return [x.with_(shape=tuple(dims), layout=None, quant=None)]
    if not all(isinstance(d, int) for d in (*source, *dims)):
        return None
    total, rest = _product(source), _product([d for d in dims if d != -1])
    if rest == 0 or total % rest:
        raise ValueError(f"{total} elements cannot take the shape {target}")
    return [TensorType(x.dtype, tuple(total // rest if d == -1 else d for d in dims))]


def _check_elements(source: Sequence[Dim], dims: Sequence[Dim], target: Sequence[int]) -> None:
    known = all(isinstance(d, int) for d in (*source, *dims))
    if known and _product(source) != _product(dims):
        raise ValueError(f"{_product(source)} elements cannot take the shape {tuple(target)}")


def _product(dims: Sequence[Dim]) -> int:
    total = 1
    for d in dims:
        assert isinstance(d, int)
        total *= d
    return total


def _reshape(x: Any, shape: Any, *, allowzero: int = 0) -> Any:
    target = [int(d) for d in shape]
    if not allowzero:
        target = [x.shape[i] if d == 0 else d for i, d in enumerate(target)]
    return x.reshape(target)


def _sample_reshape(draw: Draw, request: Request) -> OpInstance:
    x = any_operand(draw, request, 0, dtypes=ELEMENTS)
    given = request.given(1)
    attrs = {"allowzero": request.attrs["allowzero"]} if request.attrs.get("allowzero") is not None else {}
    if given is not None:
        return OpInstance((x, given), attrs)
    total = x.type.elements
    if request.result is not None:
        need(request.result.elements == total, "as many elements")
        target: tuple[int, ...] = request.result.static_shape
    else:
        target = _factors(draw, total)
    written = list(target)
    style = draw.choice(("plain", "minus one", "zero"), "shape")
    if style == "minus one" and written:
        written[draw.integer(0, len(written) - 1)] = -1
    if style == "zero" and not attrs.get("allowzero"):
        written = [0 if i < len(x.shape) and x.shape[i] == d else d for i, d in enumerate(written)]
    return OpInstance((x, keep(draw, request, 1, constant(written))), attrs)


def _factors(draw: Draw, total: int) -> tuple[int, ...]:
    """A shape of `total` elements."""
    rank = draw.integer(0 if total == 1 else 1, 4, "rank")
    dims: list[int] = []
    for _ in range(rank - 1):
        dims.append(draw.choice([d for d in range(1, total + 1) if total % d == 0], "extent"))
        total //= dims[-1]
    return (*dims, total) if rank else ()


# --- Transpose ---


@known(1)
def _infer_transpose(inputs: Inputs, x: TensorType) -> Sequence[Type | None] | None:
    shape = shape_of(x)
    order = ints_attr(inputs, "perm") or tuple(range(len(shape)))[::-1]
    if sorted(order) != list(range(len(shape))):
        raise ValueError(f"{order} is no order of {len(shape)} axes")
    return [TensorType(x.dtype, tuple(shape[p] for p in order))]


def _transpose(x: Any, *, perm: Any = None) -> Any:
    return np.transpose(x, perm)


def _sample_transpose(draw: Draw, request: Request) -> OpInstance:
    fixed = request.attrs.get("perm")
    ranks = (len(fixed),) if fixed is not None else (3, 4, 2, 1)
    if request.result is not None and request.given(0) is None:
        shape = request.result.static_shape
        perm = tuple(fixed) if fixed is not None else draw.permutation(len(shape), "perm")
        source = tuple(shape[perm.index(i)] for i in range(len(shape)))
        x = keep(draw, request, 0, Given(request.result.with_(shape=source)))
        return OpInstance((x,), {"perm": perm})
    x = any_operand(draw, request, 0, dtypes=ELEMENTS, ranks=ranks)
    rank = len(x.shape)
    if "perm" in request.attrs:
        need(fixed is None or len(fixed) == rank, "perm fits")
        return OpInstance((x,), {} if fixed is None else {"perm": fixed})
    perm = draw.permutation(rank, "perm")
    return OpInstance((x,), {"perm": perm} if rank and not draw.boolean("default perm") else {})


# --- Squeeze, Unsqueeze, Flatten ---


@known(1)
def _infer_squeeze(inputs: Inputs, x: TensorType) -> Sequence[Type | None] | None:
    axes = int_list(inputs, 1)
    if axes is None and (has(inputs, 1) or not x.is_static):
        return None
    shape = shape_of(x)
    drop = (
        {i for i, d in enumerate(shape) if d == 1} if axes is None else {axis_of(a, len(shape)) for a in axes}
    )
    for axis in drop:
        if isinstance(shape[axis], int) and shape[axis] != 1:
            raise ValueError(f"axis {axis} has extent {shape[axis]}, not 1")
    return [TensorType(x.dtype, tuple(d for i, d in enumerate(shape) if i not in drop))]


def _squeeze(x: Any, axes: Any = None) -> Any:
    return np.squeeze(x, None if axes is None else tuple(int(a) for a in axes))


def _sample_squeeze(draw: Draw, request: Request) -> OpInstance:
    given = request.given(0)
    if given is None:
        x = any_operand(draw, request, 0, dtypes=ELEMENTS, ranks=(3, 2, 1, 4))
        x = Given(x.type.with_(shape=tuple(1 if draw.boolean("one") else d for d in x.shape)))
    else:
        x = given
    ones = [i for i, d in enumerate(x.shape) if d == 1]
    chosen = [ones[i] for i in draw.subset(len(ones), min(1, len(ones)), "axes")]
    axes = [a - len(x.shape) if draw.boolean("negative axis") else a for a in chosen]
    if request.given(1) is not None:
        return OpInstance((x, request.given(1)))
    # Empty axes are left out of the samples: tools disagree whether they mean none or all.
    made = optional(draw, request, 1, constant(axes)) if axes else None
    need(made is not None or not request.exact or len(request.operands) < 2, "an axis of extent 1")
    return OpInstance((x, made))


def _unsqueezed(x: Sequence[Any], axes: Sequence[int]) -> tuple[Any, ...]:
    rank = len(x) + len(axes)
    new = {axis_of(a, rank) for a in axes}
    if len(new) != len(axes):
        raise ValueError(f"axes {tuple(axes)} repeat")
    rest = iter(x)
    return tuple(1 if i in new else next(rest) for i in range(rank))


@known(1)
def _infer_unsqueeze(inputs: Inputs, x: TensorType) -> Sequence[Type | None] | None:
    axes = int_list(inputs, 1)
    if axes is None:
        return None
    return [TensorType(x.dtype, _unsqueezed(shape_of(x), axes))]


def _unsqueeze(x: Any, axes: Any) -> Any:
    return x.reshape(_unsqueezed(x.shape, [int(a) for a in np.asarray(axes).reshape(-1)]))


def _maybe_empty(draw: Draw, request: Request, x: Given) -> Given:
    """A pattern also sees a tensor of no elements."""
    if request.given(0) is not None or not request.exact or not x.shape or draw.integer(0, 3, "empty") < 3:
        return x
    return Given(x.type.with_(shape=_replaced(x.shape, draw.integer(0, len(x.shape) - 1, "axis"), 0)))


def _sample_unsqueeze(draw: Draw, request: Request) -> OpInstance:
    x = any_operand(draw, request, 0, dtypes=ELEMENTS, ranks=(2, 1, 3, 0))
    x = _maybe_empty(draw, request, x)
    if request.given(1) is not None:
        return OpInstance((x, request.given(1)))
    rank = len(x.shape) + draw.integer(1, 2, "axes")
    order = draw.permutation(rank, "axes")[: rank - len(x.shape)]
    axes = [a - rank if draw.boolean("negative axis") else a for a in order]
    return OpInstance((x, keep(draw, request, 1, constant(axes))))


@known(1)
def _infer_flatten(inputs: Inputs, x: TensorType) -> Sequence[Type | None] | None:
    if not x.is_static:
        return None
    shape = x.static_shape
    axis = _flatten_axis(int_attr(inputs, "axis", 1), len(shape))
    return [TensorType(x.dtype, (_product(shape[:axis]), _product(shape[axis:])))]


def _flatten_axis(axis: int, rank: int) -> int:
    if not -rank <= axis <= rank:
        raise ValueError(f"axis {axis} is outside a tensor of rank {rank}")
    return axis + rank if axis < 0 else axis


def _flatten(x: Any, *, axis: int = 1) -> Any:
    split = _flatten_axis(axis, x.ndim)
    return x.reshape(_product(x.shape[:split]), -1)


def _sample_flatten(draw: Draw, request: Request) -> OpInstance:
    x = any_operand(draw, request, 0, dtypes=ELEMENTS, ranks=(4, 3, 2, 1))
    rank = len(x.shape)
    choices = [a for a in (1, *range(-rank, rank + 1)) if -rank <= a <= rank]
    return OpInstance((x,), {"axis": attribute(draw, request, "axis", choices, 1)})


# --- Concat, Split ---


def _infer_concat(inputs: Inputs) -> Sequence[Type | None] | None:
    types = tensors(inputs)
    if not types:
        return None
    shapes = [shape_of(t) for t in types]
    rank = len(shapes[0])
    if any(len(s) != rank for s in shapes):
        raise ValueError(f"ranks differ: {', '.join(str(len(s)) for s in shapes)}")
    axis = axis_of(inputs.attrs["axis"], rank)
    dims = [_joined([s[i] for s in shapes], i, i == axis) for i in range(rank)]
    return [TensorType(same_dtype(types), tuple(dims))]


def _joined(column: Sequence[Dim], index: int, along: bool) -> Dim:
    numbers = [d for d in column if isinstance(d, int)]
    if along:
        return sum(numbers) if len(numbers) == len(column) else None if len(column) > 1 else column[0]
    if len(set(numbers)) > 1:
        raise ValueError(f"extents {', '.join(map(str, numbers))} of axis {index} differ")
    symbols = [d for d in column if isinstance(d, str)]
    return numbers[0] if numbers else symbols[0] if symbols else None


def _concat(*arrays: Any, axis: int) -> Any:
    return np.concatenate(arrays, axis)


def _sample_concat(draw: Draw, request: Request) -> OpInstance:
    least = max(1, len(request.operands))
    count = least if request.exact else draw.integer(least, max(least, 3), "operands")
    known = next((g for g in map(request.given, range(count)) if g is not None), None)
    first = known or any_operand(draw, request, 0, dtypes=ELEMENTS, ranks=(2, 3, 4, 1))
    rank = len(first.shape)
    need(rank >= 1, "scalars cannot be joined")
    axis = attribute(draw, request, "axis", (*range(rank), *range(-rank, 0)), 0)
    need(-rank <= axis < rank, "axis fits")
    operands = []
    for index in range(count):
        given = request.given(index)
        shape = list(first.shape)
        shape[axis] = (
            given.shape[axis % len(given.shape)] if given and given.shape else draw.integer(1, 3, "extent")
        )
        operands.append(keep(draw, request, index, Given(first.type.with_(shape=tuple(shape)))))
    return OpInstance(tuple(operands), {"axis": axis})


def _replaced(shape: tuple[int, ...], axis: int, extent: int) -> tuple[int, ...]:
    dims = list(shape)
    dims[axis] = extent
    return tuple(dims)


def _pieces(total: int, count: int) -> tuple[int, ...]:
    """The equal parts of an axis, the last one smaller. Source: ONNX operator Split."""
    size = -(-total // count)
    return (*(size,) * (count - 1), total - size * (count - 1))


@known(1)
def _infer_split(inputs: Inputs, x: TensorType) -> Sequence[Type | None] | None:
    shape = shape_of(x)
    axis = axis_of(inputs.attrs.get("axis", 0), len(shape))
    extent, parts = shape[axis], int_list(inputs, 1)
    if parts is None:
        if has(inputs, 1) or not isinstance(extent, int):
            return None
        parts = _pieces(extent, inputs.results)
    if len(parts) != inputs.results:
        raise ValueError(f"{len(parts)} parts for {inputs.results} results")
    if isinstance(extent, int) and (sum(parts) != extent or min(parts) < 0):
        raise ValueError(f"axis {axis} of extent {extent} cannot be split into {parts}")
    return [TensorType(x.dtype, (*shape[:axis], p, *shape[axis + 1 :])) for p in parts]


def _split(x: Any, split: Any = None, *, outputs: int, axis: int = 0, num_outputs: int = 0) -> Any:
    parts = _pieces(x.shape[axis], num_outputs or outputs) if split is None else [int(p) for p in split]
    return tuple(np.split(x, np.cumsum(parts)[:-1], axis))


def _sample_split(draw: Draw, request: Request) -> OpInstance:
    x = any_operand(draw, request, 0, dtypes=ELEMENTS, ranks=(2, 3, 4, 1))
    rank = len(x.shape)
    need(rank >= 1, "a scalar cannot be split")
    axis = attribute(draw, request, "axis", (*range(rank), *range(-rank, 0)), 0)
    need(-rank <= axis < rank, "axis fits")
    if request.given(0) is None and x.shape[axis] < request.results:
        x = Given(x.type.with_(shape=_replaced(x.shape, axis, request.results)))
    extent = x.shape[axis]
    parts = request.given(1)
    if parts is not None and parts.data is not None:
        return OpInstance((x, parts), {"axis": axis}, len(parts.data))
    count = draw.integer(max(1, request.results), max(request.results, min(3, extent)), "results")
    fixed = request.attrs.get("num_outputs")
    count = int(fixed) if fixed is not None else count
    need(extent >= count >= request.results, "enough to split")
    cuts = sorted(draw.integer(0, extent - count, "cut") for _ in range(count - 1))
    # A pattern also sees parts of no elements.
    least = 0 if request.exact and draw.integer(0, 7, "empty part") == 7 else 1
    bounds = [0, *(c + (i + 1) * least for i, c in enumerate(cuts)), extent]
    sizes = [b - a for a, b in pairwise(bounds)]
    made = None if fixed is not None else optional(draw, request, 1, constant(sizes))
    if made is not None:
        return OpInstance((x, made), {"axis": axis}, count)
    need(min(_pieces(extent, count)) > 0, "no empty part")
    return OpInstance((x,), {"axis": axis, "num_outputs": count}, count)


SPECS = (
    onnx_op(
        "Reshape",
        infer=local("Reshape", _infer_reshape),
        reference=_reshape,
        sample=_sample_reshape,
        traits=MOVES,
    ),
    onnx_op(
        "Transpose",
        infer=local("Transpose", _infer_transpose),
        reference=_transpose,
        sample=_sample_transpose,
        traits=MOVES,
    ),
    onnx_op(
        "Squeeze",
        infer=local("Squeeze", _infer_squeeze),
        reference=_squeeze,
        sample=_sample_squeeze,
        traits=MOVES,
    ),
    onnx_op(
        "Unsqueeze",
        infer=local("Unsqueeze", _infer_unsqueeze),
        reference=_unsqueeze,
        sample=_sample_unsqueeze,
        traits=MOVES,
    ),
    onnx_op(
        "Flatten",
        infer=local("Flatten", _infer_flatten),
        reference=_flatten,
        sample=_sample_flatten,
        traits=MOVES,
    ),
    onnx_op(
        "Concat", infer=local("Concat", _infer_concat), reference=_concat, sample=_sample_concat, traits=MOVES
    ),
    onnx_op(
        "Split",
        infer=local("Split", _infer_split),
        reference=_split,
        sample=_sample_split,
        traits=MOVES,
        counts_results=True,
    ),
)
"""The declarations of this family."""
