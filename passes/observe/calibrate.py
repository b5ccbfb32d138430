"""Calibration: the plan of what to quantize, one pass over the data, a range for every planned tensor."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import ClassVar

from y10c import progress
from y10c.backend.names import Namer
from y10c.calib.collect import collect
from y10c.calib.feeds import Feeds
from y10c.calib.observers import observe
from y10c.calib.sketch import Sketch
from y10c.errors import DataError
from y10c.ir.graph import Graph
from y10c.ir.value import Value
from y10c.quant.plan import Edge, QuantPlan, Tail, plan_quantization
from y10c.quant.scheme import QuantScheme
from y10c.rewrite.passes import Pass, PassContext


class Ranges(dict[Value, tuple[float, float]]):
    """Least and greatest real value to cover, by the group of a planned edge (see `Edge.group`)."""


class Sketches(dict[str, Sketch]):
    """What calibration saw, by tensor name."""


@dataclass(frozen=True)
class Calibrate(Pass):
    """Observe the tensors that the target quantizes, in one pass over the data, and choose their ranges."""

    name: ClassVar[str] = "calibrate"
    establishes: ClassVar[frozenset[str]] = frozenset({"Calibrated"})

    method: str = "min-max"

    def run(self, graph: Graph, context: PassContext) -> None:
        """Leave `QuantPlan`, `Sketches` and `Ranges` in the context; the graph keeps its ops."""
        tail: Tail = context.tables.get(Tail, Tail())
        name_values(graph)
        plan = plan_quantization(graph, context.tables[QuantScheme], tail)
        context.tables[QuantPlan] = plan
        observed = [v.name for v in plan.observed]
        sketches = observe_tensors(graph, observed, context.tables[Feeds])
        context.tables[Sketches] = sketches
        context.tables[Ranges] = choose_ranges(plan, sketches, self.method)


def observe_tensors(graph: Graph, names: list[str], feeds: Feeds) -> Sketches:
    """Sketches of the named tensors over all samples, under a progress bar."""
    if not names:
        return Sketches()
    with progress.counter("calibrating") as report:
        sketches = Sketches(collect(graph.to_onnx(), names, feeds, progress=report))
    feeds.report_findings()
    return sketches


def name_values(graph: Graph) -> None:
    """Give every value the name that it has in an exported file, so that tensors are found again there."""
    namer = Namer(graph)
    for value in graph.constants:
        value.name = namer.name(value)
    for op in graph.walk():
        for result in op.results:
            result.name = namer.name(result)


def choose_ranges(plan: QuantPlan, sketches: Sketches, method: str) -> Ranges:
    """A range for each group of edges, over everything that its members saw.

    Raises:
        DataError: The data never reached a tensor.
    """
    members: dict[Value, list[Edge]] = defaultdict(list)
    for edge in plan.edges:
        members[edge.group].append(edge)
    ranges = Ranges()
    for group, edges in members.items():
        seen = Sketch.merged(_sketch(edge.value, sketches) for edge in edges)
        grid = edges[0].grid
        found = observe(seen, method, bits=grid.dtype.bits, symmetric=grid.symmetric)
        ranges[group] = (found.low, found.high)
    return ranges


def _sketch(value: Value, sketches: Sketches) -> Sketch:
    if value.is_constant:
        return Sketch.of(value.numpy())
    if value.name not in sketches:
        raise DataError(f"calibration gave no values for tensor {value.name!r}", code="Y3102")
    return sketches[value.name]
