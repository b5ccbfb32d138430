"""The estimate of a graph on a target."""

from __future__ import annotations

from dataclasses import replace

from y10c.cost.extract import layers_of
from y10c.cost.machine import load_machine
from y10c.cost.model import estimate
from y10c.cost.report.data import edges_of
from y10c.diagnostics import warn
from y10c.ir.graph import Graph
from y10c.pipeline.result import Cost
from y10c.targets.base import Target


def estimate_cost(graph: Graph, target: Target, name: str) -> Cost | None:
    """Cycles, bytes and times; None where the target models no cost or the model has nothing to estimate.

    Args:
        graph: A float or quantized graph with static shapes.
        target: The chip.
        name: Of the model, for the report.
    """
    file = target.machine_file()
    if file is None:
        return None
    workload = layers_of(graph)
    if not workload.layers:
        warn("Y5002", "the model holds no work for the chip, so there is nothing to estimate")
        return None
    machine = load_machine(file)
    result = replace(estimate(workload, machine), model=name, target=target.name)
    return Cost(result, edges_of(workload), machine.times_refused)
