"""Ops whose operands are all constant, or that only look at shapes that are known, become constants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np

from y10c.frontend.scalars import make_scalar_operands
from y10c.ir.graph import Graph
from y10c.ir.types import TensorType, more_precise
from y10c.ir.value import Op
from y10c.ops.infer import infer_types
from y10c.ops.reference import evaluate_op
from y10c.ops.registry import find_spec
from y10c.ops.spec import Trait
from y10c.passes.canonicalize.extents import dims, extents, taken
from y10c.rewrite import Rewriter, Rule, const, decline, op, rule, variables
from y10c.rewrite.passes import PassContext, RulePass
from y10c.rewrite.pattern import AnyOp

MAX_ELEMENTS = 1 << 22
"""A folded result may not be larger, unless its operands were: folding Expand must not blow up a file."""

x, INDICES = variables("x INDICES")
START, END = variables("START END")
AXIS, STEP = const("AXIS").optional(), const("STEP").optional()


def foldable(m: Any) -> bool:
    """An operand is not constant, or the op may not be folded."""
    matched: Op = m.op.op
    spec = find_spec(matched.name)
    return (
        spec is not None
        and not matched.graphs
        and not spec.has(Trait.random)
        and matched.version is None
        and matched.name not in ("QuantizeLinear", "DequantizeLinear")
        and all(v is None or v.is_constant for v in matched.operands)
        and _small_enough(matched)
    )


def _small_enough(matched: Op) -> bool:
    given = sum(
        int(np.prod(v.tensor.shape)) for v in matched.operands if v is not None and v.tensor is not None
    )
    types = [r.type for r in matched.results]
    known = [t.elements for t in types if isinstance(t, TensorType) and t.is_static]
    return len(known) == len(types) and sum(known) <= max(MAX_ELEMENTS, given)


@rule(match=AnyOp("op"), where=foldable)
def fold_constants(rw: Rewriter, m: Any) -> Any:
    """Compute an op whose operands are all constant."""
    matched: Op = m.op.op
    arrays = [None if v is None else v.numpy() for v in matched.operands]
    return [rw.const(np.asarray(a)) for a in evaluate_op(matched, arrays)]


@rule(match=op.Shape(x, bind="shape"))
def fold_shape(rw: Rewriter, m: Any) -> Any:
    """The Shape of a tensor whose extents are known is a constant."""
    return rw.const(np.array(extents(m.x)[m.shape.start : m.shape.end], np.int64))


@rule(match=op.Gather(op.Shape(x, bind="shape"), INDICES))
def fold_shape_gather(rw: Rewriter, m: Any) -> Any:
    """Extents that are known are constants, although others of the tensor are not."""
    picked = np.array(dims(m.x)[m.shape.start : m.shape.end], np.object_)[m.INDICES]
    known = all(isinstance(extent, int) for extent in np.ravel(picked))
    return rw.const(np.array(picked, np.int64)) if known else decline("an extent is not known")


@rule(match=op.Slice(op.Shape(x, bind="shape"), START, END, AXIS, STEP))
def fold_shape_slice(rw: Rewriter, m: Any) -> Any:
    """A Slice of a Shape whose extents are known is a constant, although others of the tensor are not."""
    measured = dims(m.x)[m.shape.start : m.shape.end]
    (kept,) = taken([range(len(measured))], m.START, m.END, m.AXIS, m.STEP)
    known = all(isinstance(measured[i], int) for i in kept)
    if not known:
        return decline("an extent is not known")
    return rw.const(np.array([measured[i] for i in kept], np.int64))


@rule(match=op.Size(x))
def fold_size(rw: Rewriter, m: Any) -> Any:
    """The Size of a tensor whose extents are known is a constant."""
    return rw.const(np.array(prod(extents(m.x)), np.int64))


@dataclass(frozen=True)
class FoldConstants(RulePass):
    """Compute what does not depend on the inputs, and the types that become known by it."""

    name: ClassVar[str] = "fold-constants"
    rules: ClassVar[Sequence[Rule]] = (
        fold_shape,
        fold_size,
        fold_shape_gather,
        fold_shape_slice,
        fold_constants,
    )

    def run(self, graph: Graph, context: PassContext) -> None:
        """Refine types, then fold, until neither gives the other anything more to do."""
        applied = -1
        while applied != context.applied.total():
            applied = context.applied.total()
            refine_types(Rewriter(graph, context.listeners, by=self.name))
            super().run(graph, context)


def refine_types(rewriter: Rewriter) -> None:
    """Infer again what is not static: raw exports compute shapes in the graph, known once they are folded."""
    for matched in rewriter.graph.ops:
        make_scalar_operands(rewriter, matched)
        if all(isinstance(r.type, TensorType) and r.type.is_static for r in matched.results):
            continue
        types = infer_types(
            matched.name, matched.operands, matched.attrs, len(matched.results), matched.version
        )
        for result, found in zip(matched.results, types, strict=True):
            rewriter.set_type(result, more_precise(result.type, found))
