"""Ops that change nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from y10c.passes.canonicalize.extents import extents, same_dims
from y10c.rewrite import Rewriter, Rule, any_of, const, decline, op, rule, scalar_const, var
from y10c.rewrite.passes import RulePass

x, y = var("x"), var("y")


def same_type(m: Any) -> bool:
    """The result has another type or shape than the operand."""
    result = m.root.results[0]
    return extents(m.x) == extents(result) and m.x.type == result.type


@rule(match=op.Identity(x))
def drop_identity(rw: Rewriter, m: Any) -> Any:
    """Drop Identity; a graph input that becomes an output keeps both names."""
    return m.x


@rule(match=op.Dropout(x, const("RATIO").optional(), const("TRAINING").optional(False)))
def drop_dropout(rw: Rewriter, m: Any) -> Any:
    """Drop Dropout, which does nothing at inference."""
    return decline("it drops out, as in training") if m.TRAINING else m.x


@rule(match=op.Cast(x), where=same_type)
def drop_cast(rw: Rewriter, m: Any) -> Any:
    """Drop a Cast to the type that the operand has."""
    return m.x


@rule(match=op.any_of("Reshape", "Expand", "Tile")(x, y), where=same_type)
def drop_reshape(rw: Rewriter, m: Any) -> Any:
    """Drop a Reshape, Expand or Tile to the shape that the operand has."""
    return m.x


@rule(match=op.Flatten(x), where=same_type)
def drop_flatten(rw: Rewriter, m: Any) -> Any:
    """Drop a Flatten of a matrix to itself."""
    return m.x


@rule(match=op.Transpose(x, bind="transpose"))
def drop_transpose(rw: Rewriter, m: Any) -> Any:
    """Drop a Transpose that keeps the order of the axes."""
    perm = m.transpose.perm
    return m.x if perm is not None and list(perm) == sorted(perm) else None


@rule(
    match=op.Slice(x, const("STARTS"), const("ENDS"), const("AXES").optional(), const("STEPS").optional(1)),
    where=same_type,
)
def drop_slice(rw: Rewriter, m: Any) -> Any:
    """Drop a Slice that takes everything in order."""
    return m.x if np.all(np.asarray(m.STEPS) > 0) else None


@rule(match=op.Pad(x, const("PADS"), y.optional(), const("AXES").optional()))
def drop_pad(rw: Rewriter, m: Any) -> Any:
    """Drop a Pad by nothing."""
    return m.x if not np.any(m.PADS) else None


@rule(match=op.Concat(x))
def drop_concat(rw: Rewriter, m: Any) -> Any:
    """Drop a Concat of one tensor."""
    return m.x


@rule(match=op.any_of("Sum", "Max", "Min", "Mean")(x))
def drop_single_operand(rw: Rewriter, m: Any) -> Any:
    """Drop a variadic Sum, Max, Min or Mean of one tensor."""
    return m.x


@rule(
    match=any_of(op.Add(x, 0.0), op.Sub(x, 0.0), op.Mul(x, 1.0), op.Div(x, 1.0), op.Pow(x, 1.0)),
    where=same_type,
)
def drop_neutral(rw: Rewriter, m: Any) -> Any:
    """Drop arithmetic with its neutral element: x + 0, x - 0, x * 1, x / 1, x ** 1."""
    return m.x


@rule(match=op.Split(x, y.optional()))
def drop_split(rw: Rewriter, m: Any) -> Any:
    """Drop a Split into one piece."""
    return m.x if len(m.root.results) == 1 else decline("it has several pieces")


BROADCASTING = ("Add", "Sub", "Mul", "Div", "Pow", "Max", "Min")


@rule(
    match=any_of(
        op.any_of(*BROADCASTING)(op.Expand(x, const("SHAPE"), bind="expand"), y, bind="reader"),
        op.any_of(*BROADCASTING)(y, op.Expand(x, const("SHAPE"), bind="expand"), bind="reader"),
    )
)
def drop_expand(rw: Rewriter, m: Any) -> Any:
    """Drop an Expand whose reader broadcasts anyway."""
    expanded = m.expand.result
    operands = [m.x if v is expanded else v for v in m.reader.op.operands]
    made = rw.op[m.reader.op.name](*operands, **m.reader.attrs)
    return made if same_dims(made, m.root.results[0]) else decline("nothing else has the full shape")


@rule(match=op.Neg(op.Neg(x)))
def drop_double_negation(rw: Rewriter, m: Any) -> Any:
    """-(-x) is x."""
    return m.x


@rule(match=op.Relu(op.Relu(x)))
def drop_double_relu(rw: Rewriter, m: Any) -> Any:
    """The Relu of a Relu is the Relu."""
    return rw.op.Relu(m.x)


@rule(
    match=op.Clip(
        op.Clip(x, scalar_const("A"), scalar_const("B")),
        scalar_const("C"),
        scalar_const("D"),
    )
)
def merge_clips(rw: Rewriter, m: Any) -> Any:
    """Clip twice is to clip once, where the ranges overlap."""
    low, high = np.maximum(m.A, m.C), np.minimum(m.B, m.D)
    if low > high:
        return decline("the ranges do not overlap")
    return rw.op.Clip(m.x, rw.const(low), rw.const(high))


@dataclass(frozen=True)
class DropNoops(RulePass):
    """Drop ops that change nothing."""

    name: ClassVar[str] = "drop-noops"
    rules: ClassVar[Sequence[Rule]] = (
        drop_identity,
        drop_dropout,
        drop_cast,
        drop_reshape,
        drop_flatten,
        drop_transpose,
        drop_slice,
        drop_pad,
        drop_concat,
        drop_single_operand,
        drop_neutral,
        drop_split,
        drop_expand,
        drop_double_negation,
        drop_double_relu,
        merge_clips,
    )
