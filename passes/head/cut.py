"""Let the model end where the user says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from y10c.errors import UnknownNameError
from y10c.ir.graph import Graph
from y10c.ir.value import Op, Value
from y10c.rewrite.passes import Pass, PassContext
from y10c.rewrite.rewriter import Rewriter


@dataclass(frozen=True)
class CutOutputs(Pass):
    """End the graph at the results of some nodes, in their order; what only fed the old outputs goes."""

    name: ClassVar[str] = "cut-outputs"
    keeps_interface: ClassVar[bool] = False

    nodes: tuple[str, ...] = ()

    def run(self, graph: Graph, context: PassContext) -> None:
        """Change the outputs.

        Raises:
            UnknownNameError: There is no such node.
        """
        rewriter = Rewriter(graph, context.listeners, by=self.name)
        ends = {name: value for node in self.nodes for name, value in _results(graph, node)}
        rewriter.set_outputs(list(ends.values()), list(ends))
        rewriter.erase_dead()


def _results(graph: Graph, node: str) -> list[tuple[str, Value]]:
    """The results of a node by the names that they get as outputs: those that they have, or the node's."""
    op = next((op for op in graph.ops if op.location == node), None)
    if op is None:
        raise UnknownNameError("node", node, [op.location for op in graph.ops if op.location][:200])
    return [(result.name or _numbered(op, index), result) for index, result in enumerate(op.results)]


def _numbered(op: Op, index: int) -> str:
    return op.location if len(op.results) == 1 else f"{op.location}_{index}"
