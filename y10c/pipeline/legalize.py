"""The pass `legalize`: everything that makes a graph legal on a target, by the target's name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from y10c.check.table import OperatorTable
from y10c.ir.graph import Graph
from y10c.pipeline.target import create_target
from y10c.rewrite.passes import Pass, PassContext


@dataclass(frozen=True)
class Legalize(Pass):
    """Rewrite what a target refuses with what its operator list names as the cure.

    Args:
        target: Name of the target.
        march: Chip of the target's family; its default where None.
    """

    name: ClassVar[str] = "legalize"

    target: str = "j6"
    march: str | None = None

    def run(self, graph: Graph, context: PassContext) -> None:
        """Run the target's own passes, under its operator list.

        Raises:
            UnknownNameError: There is no such target or march.
        """
        target = create_target(self.target, self.march)
        table = target.operators()
        if table is not None:
            context.tables[OperatorTable] = table
        for each in target.legalization():
            each.run(graph, context)
