"""The estimate of a graph on a target."""

from __future__ import annotations

from dataclasses import replace

from y10c.cost.extract import layers_of
from y10c.cost.machine import Machine, load_machine
from y10c.cost.model import estimate
from y10c.cost.report.data import edges_of
from y10c.diagnostics import warn
from y10c.errors import UsageError
from y10c.ir.graph import Graph
from y10c.ir.layouts import values_with_layout
from y10c.ir.types import TensorType
from y10c.ir.value import Value
from y10c.passes.canonicalize.fold_constants import FoldConstants
from y10c.passes.layout.select import AUTO, SelectLayout
from y10c.passes.pipelines import canonicalization
from y10c.pipeline.result import Cost
from y10c.rewrite.passes import PassContext
from y10c.targets.base import Target


def machine_of(target: Target, cores: int = 1) -> Machine | None:
    """The target's chip with some of its cores at work; None where the target models no cost.

    Raises:
        UsageError: The chip has fewer cores.
    """
    file = target.machine_file()
    if file is None:
        return None
    machine = load_machine(file)
    most = int(machine.cores.value)
    if not 1 <= cores <= most:
        help = "it has one" if most == 1 else f"ask for 1 to {most}"
        raise UsageError(f"{machine.name} cannot run on {cores} cores", help=help)
    return machine.with_values(cores=cores)


def estimate_cost(
    graph: Graph, target: Target, name: str, layout: str | None = None, cores: int = 1
) -> Cost | None:
    """Cycles, bytes and times; None where the target models no cost or the model has nothing to estimate.

    Args:
        graph: A float or quantized graph with static inputs. A float one is canonicalized, and its types are
            given layouts.
        target: The chip.
        name: Of the model, for the report.
        layout: `auto`, `nchw` or `nhwc`; None for the layouts that stand in the types, `auto` where none do.
        cores: How many cores work on one inference.

    Raises:
        UnknownNameError: There is no such layout.
        UsageError: The chip has fewer cores.
    """
    machine = machine_of(target, cores)
    if machine is None:
        return None
    _tidy(graph)
    if layout is not None or not values_with_layout(graph):
        SelectLayout(layout or AUTO).run(graph, PassContext(tables={Machine: machine}))
    workload = layers_of(graph)
    if not workload.layers:
        warn("Y5002", "the model holds no work for the chip, so there is nothing to estimate")
        return None
    result = replace(estimate(workload, machine), model=name, target=target.name)
    return Cost(result, edges_of(workload), machine.times_refused)


def _tidy(graph: Graph) -> None:
    """Bring a graph as a framework exports it into the form that is compiled; others get their shapes."""
    if not values_with_layout(graph) and not any(op.name == "QuantizeLinear" for op in graph.ops):
        for each in canonicalization():
            each.run(graph, PassContext())
    elif any(not _is_static(value) for op in graph.ops for value in op.results):
        FoldConstants().run(graph, PassContext())


def _is_static(value: Value) -> bool:
    return isinstance(value.type, TensorType) and value.type.is_static
