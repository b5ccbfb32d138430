"""The estimate of a graph on a target."""

from __future__ import annotations

from y10c.ir.graph import Graph
from y10c.pipeline.result import Cost
from y10c.targets.base import Target


def estimate_cost(graph: Graph, target: Target, name: str) -> Cost | None:
    """Cycles, bytes and times; None where the target models no cost."""
    file = target.machine_file()
    if file is None:
        return None
    raise NotImplementedError
