"""Transposes move behind what works element by element, where that leaves fewer of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from y10c.passes.canonicalize.extents import dims
from y10c.rewrite import Rewriter, Rule, any_of, attr, const, decline, op, rule, variables
from y10c.rewrite.passes import RulePass

x, y, z, w, C = variables("x y z w C")
AXES, PADS, LOW, HIGH = const("AXES"), const("PADS"), const("LOW").optional(), const("HIGH").optional()

UNARY = (
    "Relu",
    "Sigmoid",
    "Tanh",
    "LeakyRelu",
    "HardSigmoid",
    "HardSwish",
    "Elu",
    "Gelu",
    "Erf",
    "Exp",
    "Sqrt",
    "Neg",
    "Abs",
    "y10c.SiLU",
)
BINARY = ("Add", "Sub", "Mul", "Div")
REDUCTIONS = ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin")

first = op.Transpose(x, bind="first")


def order(view: Any) -> tuple[int, ...]:
    """The permutation of a Transpose; without one it reverses the axes."""
    return view.perm or tuple(reversed(range(len(dims(view.op.operands[0])))))


def merged(m: Any) -> tuple[int, ...]:
    """The permutation of `first` and then `last`."""
    before = order(m.first)
    return tuple(before[axis] for axis in order(m.last))


@rule(match=op.Transpose(op.any_of(*UNARY)(first, bind="between", single_use=True), bind="last"))
def merge_transposes_around_unary(rw: Rewriter, m: Any) -> Any:
    """Two Transposes around an elementwise op are one in front of it."""
    return rw.op[m.between.op.name](rw.op.Transpose(m.x, perm=merged(m)), **m.between.attrs)


@rule(match=op.Transpose(op.Clip(first, LOW, HIGH, single_use=True), bind="last"))
def merge_transposes_around_clip(rw: Rewriter, m: Any) -> Any:
    """Two Transposes around a Clip are one in front of it."""
    bounds = (None if bound is None else rw.const(bound) for bound in (m.LOW, m.HIGH))
    return rw.op.Clip(rw.op.Transpose(m.x, perm=merged(m)), *bounds)


@rule(
    match=op.Transpose(
        any_of(
            op.any_of(*BINARY)(first, C, bind="between", single_use=True),
            op.any_of(*BINARY)(C, first, bind="between", single_use=True),
        ),
        bind="last",
    )
)
def merge_transposes_around_constant(rw: Rewriter, m: Any) -> Any:
    """Two Transposes around arithmetic with a constant are one, and the constant is transposed."""
    rank = len(dims(m.x))
    if m.C.ndim > rank:
        return decline("the constant raises the rank")
    constant = m.C.reshape((1,) * (rank - m.C.ndim) + m.C.shape).transpose(order(m.last))
    moved = rw.op.Transpose(m.x, perm=merged(m))
    operands = [moved if v is m.first.result else rw.const(constant) for v in m.between.op.operands]
    return rw.op[m.between.op.name](*operands)


@rule(match=op.Transpose(op.Pad(first, PADS, y.optional(), bind="between", single_use=True), bind="last"))
def merge_transposes_around_pad(rw: Rewriter, m: Any) -> Any:
    """Two Transposes around a Pad are one in front of it, and its pads are permuted."""
    pads = m.PADS.reshape(2, -1)[:, list(order(m.last))]
    return rw.op.Pad(rw.op.Transpose(m.x, perm=merged(m)), rw.const(pads.reshape(-1)), m.y, **m.between.attrs)


second = op.Transpose(y, perm=attr("perm"))


@rule(match=op.any_of(*BINARY)(op.Transpose(x, perm=attr("perm"), bind="first"), second, bind="arithmetic"))
def sink_transposes_of_both(rw: Rewriter, m: Any) -> Any:
    """Arithmetic of two tensors that are transposed alike is transposed once, behind it."""
    left, right = m.arithmetic.op.operands
    before, after = (v.producer.operands[0] for v in (left, right))
    if len(dims(before)) != len(dims(after)):
        return decline("the ranks differ")
    return rw.op.Transpose(rw.op[m.arithmetic.op.name](before, after), perm=m.perm)


@rule(
    match=any_of(
        *(
            op.Concat(*(op.Transpose(v, perm=attr("perm"), bind=f"t{i}") for i, v in enumerate(several)))
            for several in ((x, y), (x, y, z), (x, y, z, w))
        )
    )
)
def sink_transposes_of_concat(rw: Rewriter, m: Any) -> Any:
    """A Concat of tensors that are transposed alike is transposed once, behind it."""
    perm = order(m.t0)
    operands = [v.producer.operands[0] for v in m.root.operands]
    axis = perm[m.root.attrs["axis"]]
    return rw.op.Transpose(rw.op.Concat(*operands, axis=axis), perm=perm)


@rule(match=op.any_of(*REDUCTIONS)(first, AXES, bind="reduction"))
def reduce_before_transpose(rw: Rewriter, m: Any) -> Any:
    """A reduction of a transposed tensor reduces the tensor, and only the rest is transposed."""
    perm = order(m.first)
    if m.AXES.size == 0:
        return decline("no axis is named, which means all or none")
    axes = [perm[axis] for axis in m.AXES]
    reduced = rw.op[m.reduction.op.name](m.x, rw.const(np.array(axes, np.int64)), **m.reduction.attrs)
    if m.reduction.keepdims:
        return rw.op.Transpose(reduced, perm=perm)
    left = [axis for axis in perm if axis not in axes]
    return reduced if left == sorted(left) else rw.op.Transpose(reduced, perm=rank_of(left))


def rank_of(axes: Sequence[int]) -> tuple[int, ...]:
    """The place of each axis among them, counted in ascending order."""
    return tuple(sorted(axes).index(axis) for axis in axes)


@dataclass(frozen=True)
class SinkTransposes(RulePass):
    """Move Transposes behind what works element by element, where that leaves fewer or smaller ones."""

    name: ClassVar[str] = "sink-transposes"
    rules: ClassVar[Sequence[Rule]] = (
        merge_transposes_around_unary,
        merge_transposes_around_clip,
        merge_transposes_around_constant,
        merge_transposes_around_pad,
        sink_transposes_of_both,
        sink_transposes_of_concat,
        reduce_before_transpose,
    )
