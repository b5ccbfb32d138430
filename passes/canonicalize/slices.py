"""Split, Slice and Concat undo, contain and continue each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, ClassVar

from y10c.ir.value import Value
from y10c.passes.canonicalize.extents import dims, extents, sliced, taken
from y10c.rewrite import Rewriter, Rule, any_of, const, decline, op, rest, rule, scalar_const, variables
from y10c.rewrite.passes import RulePass

x, y, z = variables("x y z")
SIZES, STARTS, ENDS, AXES, STEPS = (const(n).optional() for n in ("SIZES", "STARTS", "ENDS", "AXES", "STEPS"))
START, END, STEP, FROM, TO, BY = variables("START END STEP FROM TO BY")
AXIS, LEFT, MIDDLE, RIGHT = (scalar_const(n) for n in ("AXIS", "LEFT", "MIDDLE", "RIGHT"))

inner = op.Concat(rest("parts"), bind="inner")
split = op.Split(x, SIZES, bind="split")


def axis_of(view: Any) -> int:
    """The axis of a Concat or Split counted from the front."""
    axis: int = view.axis % len(dims(view.op.operands[0]))
    return axis


@rule(
    match=any_of(
        op.Concat(inner, rest("others"), bind="outer"),
        op.Concat(x, inner, rest("others"), bind="outer"),
        op.Concat(x, y, inner, rest("others"), bind="outer"),
        op.Concat(x, y, z, inner, rest("others"), bind="outer"),
    )
)
def merge_concats(rw: Rewriter, m: Any) -> Any:
    """A Concat among the operands of a Concat along the same axis gives its own operands."""
    if axis_of(m.inner) != axis_of(m.outer):
        return decline("they join along different axes")
    operands = m.outer.op.operands
    joined = [part for v in operands for part in (m.inner.op.operands if v is m.inner.result else [v])]
    return rw.op.Concat(*joined, axis=m.outer.axis)


@rule(match=op.Split(op.Concat(rest("parts"), bind="concat"), SIZES, bind="split"))
def split_concat(rw: Rewriter, m: Any) -> Any:
    """Pieces of a Concat that end where its operands end are these operands."""
    axis = axis_of(m.split)
    if axis != axis_of(m.concat):
        return decline("they go along different axes")
    found = runs(m.parts, *([extents(v)[axis] for v in values] for values in (m.parts, m.root.results)))
    if found is None:
        return decline("a piece ends within an operand")
    return [rw.op.Concat(*run, axis=axis) for run in found]


def runs(parts: Sequence[Value], sizes: Sequence[int], pieces: Sequence[int]) -> list[list[Value]] | None:
    """The parts that each piece consists of, or None where a piece ends within a part or is empty."""
    ends, starts = list(accumulate(sizes)), [0, *accumulate(sizes)]
    stops = list(accumulate(pieces))
    if not set(stops) <= set(ends) or 0 in pieces:
        return None
    return [
        [part for part, start in zip(parts, starts, strict=False) if stop - size <= start < stop]
        for stop, size in zip(stops, pieces, strict=True)
    ]


@rule(
    match=any_of(
        op.Concat(split[0], split[1], bind="concat"),
        op.Concat(split[0], split[1], split[2], bind="concat"),
        op.Concat(split[0], split[1], split[2], split[3], bind="concat"),
    )
)
def concat_split(rw: Rewriter, m: Any) -> Any:
    """All pieces of a Split, joined in their order, are the tensor that was split."""
    if axis_of(m.concat) != axis_of(m.split):
        return decline("they go along different axes")
    return m.x if m.concat.op.operands == m.split.op.results else decline("they are not all the pieces")


@rule(
    match=op.Slice(op.Slice(x, START, END, AXES, STEPS), FROM, TO, const("ALONG").optional(), BY.optional())
)
def merge_slices(rw: Rewriter, m: Any) -> Any:
    """A Slice of a Slice is one Slice."""
    first = taken([range(n) for n in extents(m.x)], m.START, m.END, m.AXES, m.STEPS)
    kept = taken(first, m.FROM, m.TO, m.ALONG, m.BY)
    return sliced(rw, m.x, kept) if all(kept) else decline("nothing is left")


@rule(match=op.Slice(op.Concat(rest("parts"), bind="concat"), START, END, AXES, STEPS))
def slice_concat(rw: Rewriter, m: Any) -> Any:
    """A Slice of a Concat that reads one operand alone is a Slice of this operand."""
    axis = axis_of(m.concat)
    kept = list(taken([range(n) for n in extents(m.concat.result)], m.START, m.END, m.AXES, m.STEPS))
    if not all(kept):
        return decline("nothing is left")
    of, offset = kept[axis], 0
    for part in m.parts:
        here = range(offset, offset + extents(part)[axis])
        if of[0] in here and of[-1] in here:
            kept[axis] = range(of.start - offset, of.stop - offset, of.step)
            return sliced(rw, part, kept)
        offset = here.stop
    return decline("it reads several operands")


first = op.Slice(x, LEFT, MIDDLE, AXIS, STEPS, bind="first")
second = op.Slice(x, MIDDLE, RIGHT, AXIS, STEPS, bind="second")


@rule(
    match=any_of(
        op.Concat(first, second, rest("others"), bind="concat"),
        op.Concat(y, first, second, rest("others"), bind="concat"),
    )
)
def concat_slices(rw: Rewriter, m: Any) -> Any:
    """Two neighbouring Slices of a tensor, joined, are one Slice."""
    whole = [range(n) for n in extents(m.x)]
    axis = axis_of(m.concat)
    if m.AXIS.item() % len(whole) != axis:
        return decline("they are joined along another axis")
    left = taken(whole, m.LEFT, m.MIDDLE, m.AXIS, m.STEPS)[axis]
    right = taken(whole, m.MIDDLE, m.RIGHT, m.AXIS, m.STEPS)[axis]
    if not (left and right) or left.step != 1:
        return decline("one of them is empty, or leaves out elements")
    whole[axis] = range(left.start, right.stop)
    operands = m.concat.op.operands
    at = list(pairwise(operands)).index((m.first.result, m.second.result))
    return rw.op.Concat(*operands[:at], sliced(rw, m.x, whole), *operands[at + 2 :], axis=axis)


@dataclass(frozen=True)
class SimplifySlices(RulePass):
    """Simplify what Split, Slice and Concat do to each other."""

    name: ClassVar[str] = "simplify-slices"
    rules: ClassVar[Sequence[Rule]] = (
        merge_concats,
        split_concat,
        concat_split,
        merge_slices,
        slice_concat,
        concat_slices,
    )
