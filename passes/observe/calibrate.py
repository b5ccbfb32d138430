"""Calibration: the plan of what to quantize, one pass over the data, a range for every planned tensor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from y10c import progress
from y10c.backend.names import Namer
from y10c.calib.collect import collect
from y10c.calib.feeds import Feeds
from y10c.calib.observers import Range
from y10c.calib.sketch import Sketch
from y10c.calib.table import CalibrationTable
from y10c.errors import DataError
from y10c.ir.graph import Graph
from y10c.ir.value import Op, Value
from y10c.passes.observe.ranges import SEARCH, Ranges, RangeSearch, exponent_of, may_be_masked
from y10c.quant.plan import Edge, QuantPlan, Tail, plan_quantization
from y10c.quant.scheme import QuantScheme
from y10c.rewrite.passes import Pass, PassContext

KNOWN_INPUT_SHARE = 0.25
"""An input's known range is taken where the data fills at least this share of it; else the data has other
units. assumed."""


class Sketches(dict[str, Sketch]):
    """What calibration saw, by tensor name."""


@dataclass(frozen=True)
class Calibrate(Pass):
    """Observe the tensors that the target quantizes, in one pass over the data, and choose their ranges.

    Args:
        method: `search`, or a key of `y10c.calib.observers.METHODS`.
        percentile: For `percentile`, in percent.
        wide_edges: 16 bits on tensors that no multiply-accumulate reads.
        workers: Processes that run the data; below 2, threads.
        table: A calibration table to take instead of running the data.
        float_nodes: Locations of nodes that stay float.
    """

    name: ClassVar[str] = "calibrate"
    establishes: ClassVar[frozenset[str]] = frozenset({"Calibrated"})

    method: str = "search"
    percentile: float = 99.99
    wide_edges: bool = True
    workers: int = 0
    table: Path | None = None
    float_nodes: tuple[str, ...] = ()

    def run(self, graph: Graph, context: PassContext) -> None:
        """Leave `QuantPlan`, `Sketches` and `Ranges` in the context; the graph keeps its ops."""
        tail: Tail = context.tables.setdefault(Tail, Tail())
        name_values(graph)
        tail.update(_named_ops(graph, self.float_nodes))
        plan = plan_quantization(graph, context.tables[QuantScheme], tail, wide_edges=self.wide_edges)
        context.tables[QuantPlan] = plan
        feeds: Feeds = context.tables[Feeds]
        if self.table is not None:
            table = CalibrationTable.load(self.table)
            context.tables[Sketches] = sketches_from(table, plan.observed, str(self.table))
        else:
            table = CalibrationTable()
            context.tables[Sketches] = observe_tensors(graph, plan.observed, feeds, self.workers)
        ranges = choose_ranges(plan, context.tables[Sketches], RangeSearch(self.method, self.percentile))
        ranges.update(known_inputs(plan, context.tables[Sketches], feeds))
        if self.method == SEARCH:
            ranges.update(ranges_from(table, plan))
        context.tables[Ranges] = ranges
        context.tables[CalibrationTable] = calibration_table(plan, context.tables[Sketches], ranges, feeds)


def observe_tensors(graph: Graph, values: list[Value], feeds: Feeds, workers: int = 0) -> Sketches:
    """Sketches of tensors over all samples, under a progress bar."""
    if not values:
        return Sketches()
    names = [v.name for v in values]
    with progress.counter("calibrating") as report:
        found = collect(graph.to_onnx(), names, feeds, workers=workers, progress=report)
    feeds.report_findings()
    return Sketches(found)


def name_values(graph: Graph) -> None:
    """Give every value the name that it has in an exported file, so that tensors are found again there."""
    namer = Namer(graph)
    for value in graph.constants:
        value.name = namer.name(value)
    for op in graph.walk():
        for result in op.results:
            result.name = namer.name(result)


def choose_ranges(plan: QuantPlan, sketches: Sketches, search: RangeSearch) -> Ranges:
    """A range for each group of edges, over everything that its members saw.

    Raises:
        DataError: The data never reached a tensor.
    """
    ranges = Ranges()
    for group, edges in plan.groups.items():
        constant = all(edge.value.is_constant for edge in edges)
        chosen = RangeSearch("min-max") if constant else search
        sketch = group_sketch(plan, edges, sketches)
        ranges[group] = chosen.choose(sketch, edges[0].grid, exponent_of(edges), masked=may_be_masked(edges))
    return ranges


def group_sketch(plan: QuantPlan, edges: list[Edge], sketches: Mapping[str, Sketch]) -> Sketch:
    """What was seen of the tensors of a group.

    Raises:
        DataError: The data never reached one of them.
    """
    return Sketch.merged(_sketch(e.value, sketches) for e in edges if plan.is_source(e))


def known_inputs(plan: QuantPlan, sketches: Sketches, feeds: Feeds) -> Ranges:
    """The ranges of inputs whose preprocessing says what values there can be."""
    found = Ranges()
    for edge in plan.edges:
        data = feeds.get(edge.value.name) if edge.value.producer is None else None
        expected = data.expected if data is not None and not data.synthetic else None
        seen = sketches.get(edge.value.name)
        if expected is None or seen is None or seen.empty:
            continue
        low, high = min(expected[0], 0.0), max(expected[1], 0.0)
        fills = max(seen.high, -seen.low) >= KNOWN_INPUT_SHARE * max(high, -low)
        if low <= seen.low and seen.high <= high and fills:
            found[edge.group] = Range(low, high, "known from the preprocessing")
    return found


def sketches_from(table: CalibrationTable, values: list[Value], where: str) -> Sketches:
    """The sketches of tensors from a table, by lineage.

    Raises:
        DataError: The table says nothing of a tensor.
    """
    found = Sketches()
    for value in values:
        sketch = table.sketch((value.name, *value.lineage))
        if sketch is None:
            raise DataError(
                f"the calibration table says nothing of tensor {value.name!r}",
                code="Y3102",
                where=where,
                help="it belongs to another model: calibrate again with --save-calibration",
            )
        found[value.name] = sketch
    return found


def ranges_from(table: CalibrationTable, plan: QuantPlan) -> Ranges:
    """Ranges that a table states itself for this kind of grid, for the groups whose lineage it knows."""
    if table.meta.get("symmetric") is not plan.scheme.activation.symmetric:
        return Ranges()
    stated = {e.group: table.range((e.value.name, *e.value.lineage)) for e in plan.edges if plan.is_source(e)}
    return Ranges({group: found for group, found in stated.items() if found is not None})


def calibration_table(plan: QuantPlan, sketches: Sketches, ranges: Ranges, feeds: Feeds) -> CalibrationTable:
    """What calibration learned as a table, by each tensor's first lineage name."""
    named = {
        (*e.value.lineage, e.value.name)[0]: e
        for e in plan.edges
        if plan.is_source(e) and not e.value.is_constant
    }
    return CalibrationTable(
        {name: _sketch(e.value, sketches) for name, e in named.items()},
        {name: ranges[e.group] for name, e in named.items()},
        {
            "samples": feeds.count,
            "synthetic": feeds.synthetic,
            "symmetric": plan.scheme.activation.symmetric,
        },
    )


def _named_ops(graph: Graph, names: tuple[str, ...]) -> list[Op]:
    wanted = set(names)
    return [op for op in graph.ops if op.location in wanted or any(r.name in wanted for r in op.results)]


def _sketch(value: Value, sketches: Mapping[str, Sketch]) -> Sketch:
    if value.is_constant:
        return Sketch.of(value.numpy())
    if value.name not in sketches:
        raise DataError(f"calibration gave no values for tensor {value.name!r}", code="Y3102")
    return sketches[value.name]
