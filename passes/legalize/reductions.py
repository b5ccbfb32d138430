"""Reductions along one axis at a time, and those that are made of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from y10c.passes.legalize.build import is_float, number, reduce, shape_of
from y10c.passes.legalize.guard import LegalizePass
from y10c.rewrite import Rewriter, Rule, const, decline, op, rule, var

x, AXES = var("x"), const("AXES")


def axes_of(m: Any) -> tuple[int, ...] | None:
    """The axes that the matched reduction goes over, counted from the front; None where it may do nothing."""
    rank = m.x.tensor_type.rank
    if m.AXES is None or m.AXES.size == 0:
        return None if rank is None or m.op.noop_with_empty_axes else tuple(range(rank))
    return None if rank is None else tuple(sorted(int(a) % rank for a in m.AXES))


@rule(match=op.any_of("ReduceMax", "ReduceMean", "ReduceSum")(x, AXES.optional(), bind="op"))
def reduce_axis_by_axis(rw: Rewriter, m: Any) -> Any:
    """A reduction over several axes is one after another."""
    axes = axes_of(m)
    if axes is None or len(axes) < 2 or shape_of(m.x) is None:
        return decline("it goes over one axis, or over none")
    value = m.x
    for axis in reversed(axes):
        value = rw.op[m.root.name](value, np.asarray([axis], np.int64), keepdims=1)
    return value if m.op.keepdims else rw.op.Squeeze(value, np.asarray(axes, np.int64))


@rule(match=op.any_of("ReduceMax", "ReduceMean", "ReduceSum")(x, AXES.optional(), bind="op", keepdims=0))
def reduce_then_squeeze(rw: Rewriter, m: Any) -> Any:
    """A reduction that drops its axes keeps them and is squeezed."""
    axes = axes_of(m)
    if axes is None:
        return decline("the axes are not known")
    indices = np.asarray(axes, np.int64)
    return rw.op.Squeeze(rw.op[m.root.name](m.x, indices, keepdims=1), indices)


@rule(match=op.ReduceMin(x, AXES.optional(), bind="op"))
def reduce_min_to_max(rw: Rewriter, m: Any) -> Any:
    """The least is minus the greatest of the negated."""
    if axes_of(m) is None or not is_float(m.x):
        return decline("it reduces nothing, or integers")
    minus = number(rw, m.x, -1)
    return rw.op.Mul(_sum_like(rw, "ReduceMax", rw.op.Mul(m.x, minus), m), minus)


def _sum_like(rw: Rewriter, kind: str, value: Any, m: Any) -> Any:
    axes = axes_of(m)
    assert axes is not None
    return rw.op[kind](value, np.asarray(axes, np.int64), keepdims=m.op.keepdims)


@rule(match=op.ReduceL1(x, AXES.optional(), bind="op"))
def reduce_l1_by_parts(rw: Rewriter, m: Any) -> Any:
    """ReduceL1 sums absolute values."""
    if axes_of(m) is None:
        return decline("it reduces nothing")
    return _sum_like(rw, "ReduceSum", rw.op.Abs(m.x), m)


@rule(match=op.ReduceL2(x, AXES.optional(), bind="op"))
def reduce_l2_by_parts(rw: Rewriter, m: Any) -> Any:
    """ReduceL2 is the root of summed squares."""
    if axes_of(m) is None:
        return decline("it reduces nothing")
    return rw.op.Sqrt(_sum_like(rw, "ReduceSum", rw.op.Mul(m.x, m.x), m))


@rule(match=op.ReduceSumSquare(x, AXES.optional(), bind="op"))
def reduce_sum_square_by_parts(rw: Rewriter, m: Any) -> Any:
    """ReduceSumSquare sums squares."""
    if axes_of(m) is None:
        return decline("it reduces nothing")
    return _sum_like(rw, "ReduceSum", rw.op.Mul(m.x, m.x), m)


@rule(match=op.ReduceLogSum(x, AXES.optional(), bind="op"))
def reduce_log_sum_by_parts(rw: Rewriter, m: Any) -> Any:
    """ReduceLogSum is the logarithm of a sum."""
    if axes_of(m) is None:
        return decline("it reduces nothing")
    return rw.op.Log(_sum_like(rw, "ReduceSum", m.x, m))


@rule(match=op.ReduceLogSumExp(x, AXES.optional(), bind="op"))
def reduce_log_sum_exp_by_parts(rw: Rewriter, m: Any) -> Any:
    """ReduceLogSumExp is the logarithm of summed exponentials, of which the greatest is taken out first."""
    axes = axes_of(m)
    if axes is None or shape_of(m.x) is None:
        return decline("it reduces nothing, or extents are not known")
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
