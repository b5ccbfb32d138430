"""Ops that were kept in an older form because their rank was not known when they were read."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from y10c.ir.graph import Graph
from y10c.ir.value import Op, Value
from y10c.passes.legalize.build import reshape, shape_of
from y10c.rewrite import Rewriter
from y10c.rewrite.passes import Pass, PassContext

FLATTENED = frozenset({"Softmax", "LogSoftmax", "Hardmax"})
"""Before opset 13 they flatten to two axes, what is before `axis` and the rest (ONNX changelog)."""


@dataclass(frozen=True)
class Unpin(Pass):
    """Give softmaxes of opset 12 and older today's form, once folding tells their extents."""

    name: ClassVar[str] = "unpin"

    def run(self, graph: Graph, context: PassContext) -> None:
        """Write the flattening as Reshapes, where the axis is not the last one anyway."""
        rewriter = Rewriter(graph, context.listeners, by=self.name)
        for op in graph.ops:
            x = op.operand(0)
            shape = shape_of(x) if x is not None else None
            if x is not None and shape and op.version is not None and op.name in FLATTENED:
                with rewriter.before(op):
                    rewriter.replace(op, _today(rewriter, op, x, shape))
                context.applied[self.name] += 1


def _today(rewriter: Rewriter, op: Op, x: Value, shape: tuple[int, ...]) -> Value:
    axis = int(op.attr("axis", 1)) % len(shape)
    if axis == len(shape) - 1:
        made: Value = rewriter.op[op.name](x, axis=-1, _location=op.location)
        return made
    flat = reshape(rewriter, x, (prod(shape[:axis]), prod(shape[axis:])))
    return reshape(rewriter, rewriter.op[op.name](flat, axis=-1, _location=op.location), shape)
