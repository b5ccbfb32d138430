"""Reductions along one axis at a time, and those that are made of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from y10c.passes.canonicalize.extents import dims
from y10c.passes.legalize.build import is_float, number, reduce
from y10c.passes.legalize.guard import LegalizePass
from y10c.rewrite import Rewriter, Rule, const, decline, op, rule, var

x, AXES = var("x"), const("AXES")


def axes_of(m: Any) -> tuple[int, ...]:
    """The axes that the matched reduction goes over, counted from the front; none where it does nothing."""
    rank = len(dims(m.x))
    if m.AXES is not None and m.AXES.size:
        return tuple(int(a) % rank for a in m.AXES)
    return () if m.op.noop_with_empty_axes else tuple(range(rank))


def reduces(m: Any) -> bool:
    """It goes over no axis."""
    return bool(axes_of(m))


@rule(match=op.any_of("ReduceMax", "ReduceMean", "ReduceSum")(x, AXES.optional(), bind="op"))
def reduce_axis_by_axis(rw: Rewriter, m: Any) -> Any:
    """A reduction over several axes is one after another."""
    axes = axes_of(m)
    if len(axes) < 2:
        return decline("it goes over one axis, or over none")
    value = m.x
    for axis in reversed(axes):
        value = rw.op[m.root.name](value, np.asarray([axis], np.int64))
    return value if m.op.keepdims else rw.op.Squeeze(value, np.asarray(axes, np.int64))


@rule(
    match=op.any_of("ReduceMax", "ReduceMean", "ReduceSum")(x, AXES.optional(), bind="op", keepdims=0),
    where=reduces,
)
def reduce_then_squeeze(rw: Rewriter, m: Any) -> Any:
    """A reduction that drops its axes keeps them and is squeezed."""
    indices = np.asarray(axes_of(m), np.int64)
    return rw.op.Squeeze(rw.op[m.root.name](m.x, indices), indices)


@rule(match=op.ReduceMin(x, AXES.optional(), bind="op"), where=reduces)
def reduce_min_to_max(rw: Rewriter, m: Any) -> Any:
    """The least is minus the greatest of the negated."""
    if not is_float(m.x):
        return decline("it is of integers")
    minus = number(rw, m.x, -1)
    return rw.op.Mul(_sum_like(rw, "ReduceMax", rw.op.Mul(m.x, minus), m), minus)


def _sum_like(rw: Rewriter, kind: str, value: Any, m: Any) -> Any:
    return rw.op[kind](value, np.asarray(axes_of(m), np.int64), keepdims=m.op.keepdims)


@rule(match=op.ReduceL1(x, AXES.optional(), bind="op"), where=reduces)
def reduce_l1_by_parts(rw: Rewriter, m: Any) -> Any:
    """ReduceL1 sums absolute values."""
    return _sum_like(rw, "ReduceSum", rw.op.Abs(m.x), m)


@rule(match=op.ReduceL2(x, AXES.optional(), bind="op"), where=reduces)
def reduce_l2_by_parts(rw: Rewriter, m: Any) -> Any:
    """ReduceL2 is the root of summed squares."""
    return rw.op.Sqrt(_sum_like(rw, "ReduceSum", rw.op.Mul(m.x, m.x), m))


@rule(match=op.ReduceSumSquare(x, AXES.optional(), bind="op"), where=reduces)
def reduce_sum_square_by_parts(rw: Rewriter, m: Any) -> Any:
    """ReduceSumSquare sums squares."""
    return _sum_like(rw, "ReduceSum", rw.op.Mul(m.x, m.x), m)


@rule(match=op.ReduceLogSum(x, AXES.optional(), bind="op"), where=reduces)
def reduce_log_sum_by_parts(rw: Rewriter, m: Any) -> Any:
    """ReduceLogSum is the logarithm of a sum."""
    return rw.op.Log(_sum_like(rw, "ReduceSum", m.x, m))


@rule(match=op.ReduceLogSumExp(x, AXES.optional(), bind="op"), where=reduces)
def reduce_log_sum_exp_by_parts(rw: Rewriter, m: Any) -> Any:
    """ReduceLogSumExp is the logarithm of summed exponentials, of which the greatest is taken out first."""
    axes = axes_of(m)
    greatest = reduce(rw, "ReduceMax", m.x, axes)
    total = rw.op.Log(reduce(rw, "ReduceSum", rw.op.Exp(rw.op.Sub(m.x, greatest)), axes))
    value = rw.op.Add(total, greatest)
    return value if m.op.keepdims else rw.op.Squeeze(value, np.asarray(axes, np.int64))


@dataclass(frozen=True)
class LegalizeReductions(LegalizePass):
    """Write reductions as maxima, means and sums along one axis."""

    name: ClassVar[str] = "legalize-reductions"
    rules: ClassVar[Sequence[Rule]] = (
        reduce_min_to_max,
        reduce_l1_by_parts,
        reduce_l2_by_parts,
        reduce_sum_square_by_parts,
        reduce_log_sum_by_parts,
        reduce_log_sum_exp_by_parts,
        reduce_axis_by_axis,
        reduce_then_squeeze,
    )
