"""Ops that were kept in an older form because their rank was not known when they were read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from y10c.ir.graph import Graph
from y10c.passes.legalize.build import shape_of
from y10c.rewrite import Rewriter
from y10c.rewrite.passes import Pass, PassContext

FLATTENED = frozenset({"Softmax", "LogSoftmax", "Hardmax"})
"""Before opset 13 they flatten to two axes; on the last axis both meanings agree (ONNX changelog)."""


@dataclass(frozen=True)
class Unpin(Pass):
    """Give softmaxes of opset 11 and 12 along the last axis today's form, once folding tells their rank."""

    name: ClassVar[str] = "unpin"

    def run(self, graph: Graph, context: PassContext) -> None:
        """Replace those whose axis is the last."""
        rewriter = Rewriter(graph, context.listeners, by=self.name)
        for op in graph.ops:
            x = op.operand(0)
            shape = shape_of(x) if op.name in FLATTENED and op.version is not None and x is not None else None
            if shape and op.attrs.get("axis", 1) in (len(shape) - 1, -1):
                with rewriter.before(op):
                    rewriter.replace(op, rewriter.op[op.name](x, axis=-1, _location=op.location))
                context.applied[self.name] += 1
