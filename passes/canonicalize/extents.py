"""What rules ask of shapes: extents that are known, and which elements a Slice takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from y10c.ir.types import Dim, NotKnown
from y10c.ir.value import Value
from y10c.ops.cut import slice_of
from y10c.rewrite import Rewriter


def extents(value: Value) -> tuple[int, ...]:
    """The extents of a tensor.

    Raises:
        NotKnown: One of them is not known; a rule that asks does not fire.
    """
    return value.tensor_type.static_shape


def dims(value: Value) -> tuple[Dim, ...]:
    """The extents of a tensor, symbols and unknown ones included.

    Raises:
        NotKnown: The rank is not known; a rule that asks does not fire.
    """
    shape = value.tensor_type.shape
    if shape is None:
        raise NotKnown("the rank is not known")
    return shape


def same_dims(a: Value, b: Value) -> bool:
    """True where two tensors are known to have the same extents, named symbols included.

    Raises:
        NotKnown: A rank is not known; a rule that asks does not fire.
    """
    return None not in dims(a) and dims(a) == dims(b)


def taken(
    kept: Sequence[range], starts: Any, ends: Any, axes: Any = None, steps: Any = None
) -> tuple[range, ...]:
    """The indices along each axis that are left after a Slice.

    Args:
        kept: The indices before it.
        starts: As the operand of Slice.
        ends: As the operand of Slice.
        axes: As the operand of Slice.
        steps: As the operand of Slice.
    """
    left = list(kept)
    axes = range(len(starts)) if axes is None else axes
    steps = np.ones_like(starts) if steps is None else steps
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        of = left[int(axis)]
        left[int(axis)] = of[slice_of(int(start), int(end), int(step), len(of))]
    return tuple(left)


def sliced(rw: Rewriter, x: Value, kept: Sequence[range]) -> Value:
    """A Slice of `x` that keeps these indices of each axis; `x` itself where they are all of it in order.

    Args:
        rw: Builds it.
        x: A tensor of known extents.
        kept: The indices along each axis, none of them empty.
    """
    shape = x.tensor_type.static_shape
    cut = [axis for axis, extent in enumerate(shape) if kept[axis] != range(extent)]
    if not cut:
        return x
    # A backward Slice that reaches index 0 ends in front of it, which is -extent - 1.
    ends = [kept[axis].stop if kept[axis].stop >= 0 else -shape[axis] - 1 for axis in cut]
    starts, steps = [kept[axis].start for axis in cut], [kept[axis].step for axis in cut]
    operands = (np.array(numbers, np.int64) for numbers in (starts, ends, cut, steps))
    made: Value = rw.op.Slice(x, *operands)
    return made
