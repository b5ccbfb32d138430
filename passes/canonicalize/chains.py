"""Two data movements in a row that one can do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from y10c.ir.types import DType, TensorType
from y10c.passes.canonicalize.extents import extents
from y10c.passes.canonicalize.transposes import merged
from y10c.rewrite import Rewriter, Rule, const, decline, op, rule, variables
from y10c.rewrite.passes import RulePass

x, y, z, v = variables("x y z v")
SHAPE, PADS, MORE = const("SHAPE"), const("PADS"), const("MORE")

RESHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")
WIDER: dict[DType, frozenset[DType]] = {
    DType.f16: frozenset({DType.f32, DType.f64}),
    DType.bf16: frozenset({DType.f32, DType.f64}),
    DType.f32: frozenset({DType.f64}),
    DType.i8: frozenset({DType.i16, DType.i32, DType.i64, DType.f32, DType.f64}),
    DType.u8: frozenset(
        {DType.i16, DType.i32, DType.i64, DType.u16, DType.u32, DType.u64, DType.f32, DType.f64}
    ),
    DType.i16: frozenset({DType.i32, DType.i64, DType.f32, DType.f64}),
    DType.i32: frozenset({DType.i64, DType.f64}),
}
"""Types that hold every value of a type."""


@rule(match=op.Reshape(op.any_of(*RESHAPES)(x, y.optional()), SHAPE, bind="last"))
def merge_reshapes(rw: Rewriter, m: Any) -> Any:
    """A Reshape of something that only reshapes is one Reshape."""
    if np.any(m.SHAPE == 0):
        return decline("a 0 in the shape copies an extent of the tensor between")
    return rw.op.Reshape(m.x, rw.const(m.SHAPE), **m.last.attrs)


@rule(match=op.any_of("Flatten", "Squeeze", "Unsqueeze")(op.any_of(*RESHAPES)(x, y.optional()), z.optional()))
def merge_squeezes(rw: Rewriter, m: Any) -> Any:
    """A Flatten, Squeeze or Unsqueeze of something that only reshapes is one Reshape."""
    shape = extents(m.root.results[0])
    if 0 in shape:
        return decline("an extent is zero, which Reshape would copy")
    return rw.op.Reshape(m.x, rw.const(np.array(shape, np.int64)))


@rule(match=op.Transpose(op.Transpose(x, bind="first"), bind="last"))
def merge_transposes(rw: Rewriter, m: Any) -> Any:
    """Two Transposes are one."""
    return rw.op.Transpose(m.x, perm=merged(m))


@rule(match=op.Cast(op.Cast(x, bind="first"), bind="last"))
def merge_casts(rw: Rewriter, m: Any) -> Any:
    """A Cast through a wider type is one Cast."""
    between = DType(m.first.to)
    if not isinstance(m.x.type, TensorType) or between not in WIDER.get(m.x.type.dtype, frozenset()):
        return decline("the type between does not hold every value")
    return rw.op.Cast(m.x, **m.last.attrs)


@rule(match=op.Pad(op.Pad(x, PADS, v.optional(), mode="constant"), MORE, v.optional(), mode="constant"))
def merge_pads(rw: Rewriter, m: Any) -> Any:
    """Two Pads with one constant are one, where neither crops."""
    if np.any(m.PADS < 0) or np.any(m.MORE < 0):
        return decline("a negative pad crops")
    return rw.op.Pad(m.x, rw.const(m.PADS + m.MORE), m.v)


@dataclass(frozen=True)
class MergeChains(RulePass):
    """Merge data movements that follow each other."""

    name: ClassVar[str] = "merge-chains"
    rules: ClassVar[Sequence[Rule]] = (
        merge_reshapes,
        merge_squeezes,
        merge_transposes,
        merge_casts,
        merge_pads,
    )
