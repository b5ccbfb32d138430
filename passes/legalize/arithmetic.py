"""Elementwise ops written with those that the chip has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from y10c.passes.canonicalize.extents import extents
from y10c.passes.legalize.build import is_float, number, reshape
from y10c.passes.legalize.guard import LegalizePass
from y10c.rewrite import Rewriter, Rule, any_of, decline, op, rest, rule, scalar_const, variables

x, y, SLOPE = variables("x y SLOPE")
HIGH, ONE = scalar_const("HIGH"), scalar_const("ONE")


@rule(match=op.Neg(x))
def neg_to_mul(rw: Rewriter, m: Any) -> Any:
    """The negative is -1 times the number."""
    if not is_float(m.x):
        return decline("it negates integers")
    return rw.op.Mul(m.x, number(rw, m.x, -1))


@rule(match=any_of(op.Min(x, HIGH), op.Min(HIGH, x)))
def min_to_clip(rw: Rewriter, m: Any) -> Any:
    """The minimum with a number is a Clip from above."""
    shapes = [v.tensor_type.static_shape for v in (m.x, m.root.results[0])]
    if not is_float(m.x) or shapes[0] != shapes[1]:
        return decline("it is of integers, or the number raises the rank")
    return rw.op.Clip(m.x, None, rw.const(m.HIGH.reshape(())))


@rule(match=op.Min(x, y))
def min_to_max(rw: Rewriter, m: Any) -> Any:
    """The minimum is minus the maximum of the negated."""
    if not is_float(m.x):
        return decline("it is of integers")
    minus = number(rw, m.x, -1)
    return rw.op.Mul(rw.op.Max(rw.op.Mul(m.x, minus), rw.op.Mul(m.y, minus)), minus)


@rule(match=op.Mean(rest("terms")))
def mean_to_sum(rw: Rewriter, m: Any) -> Any:
    """The mean of tensors is a part of their sum."""
    total = rw.op.Sum(*m.terms)
    return rw.op.Mul(total, number(rw, total, 1 / len(m.terms)))


@rule(match=op.PRelu(x, scalar_const("ONE")))
def prelu_to_leaky_relu(rw: Rewriter, m: Any) -> Any:
    """A PRelu with one slope is a LeakyRelu."""
    if not is_float(m.x):
        return decline("it is of integers")
    return rw.op.LeakyRelu(m.x, alpha=float(m.ONE.reshape(())))


@rule(match=op.PRelu(x, SLOPE))
def lift_prelu(rw: Rewriter, m: Any) -> Any:
    """A PRelu of fewer dimensions is one of 4."""
    shape = extents(m.x)
    if len(shape) >= 4:
        return decline("it has 4 dimensions")
    behind = (1,) * (4 - len(shape))
    slope = m.SLOPE.reshape(m.SLOPE.shape + behind)
    return reshape(rw, rw.op.PRelu(reshape(rw, m.x, (*shape, *behind)), rw.const(slope)), shape)


@dataclass(frozen=True)
class LegalizeArithmetic(LegalizePass):
    """Write elementwise ops with those that the chip has."""

    name: ClassVar[str] = "legalize-arithmetic"
    rules: ClassVar[Sequence[Rule]] = (
        neg_to_mul,
        min_to_clip,
        min_to_max,
        mean_to_sum,
        prelu_to_leaky_relu,
        lift_prelu,
    )
