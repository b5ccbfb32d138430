"""Layout selection: every image of the graph gets the memory order that costs least on the machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from y10c.cost.extract import Trace, layers_of, trace_view
from y10c.cost.machine import Machine
from y10c.cost.times import busy_ms
from y10c.cost.view import GraphView, OpView, TensorView, view_of
from y10c.cost.work import work_of
from y10c.errors import UnknownNameError
from y10c.ir.graph import Graph
from y10c.ir.types import Layout, TensorType
from y10c.ir.value import Value
from y10c.passes.layout.problem import LayoutCosts, Plan, State
from y10c.passes.layout.solve import solve
from y10c.rewrite.passes import Pass, PassContext
from y10c.rewrite.rewriter import Rewriter

AUTO = "auto"
LAYOUTS = (AUTO, Layout.nchw.value, Layout.nhwc.value)
"""What a user may ask for."""


@dataclass(frozen=True)
class SelectLayout(Pass):
    """Write into the type of every image how it lies in memory; copy those that are needed in two orders.

    Needs the chip's `Machine` among the context's tables; without one there is nothing to choose by.

    Args:
        layout: `auto` for the cheapest by the cost model, or `nchw` or `nhwc` for all tensors.
    """

    name: ClassVar[str] = "select-layout"
    establishes: ClassVar[frozenset[str]] = frozenset({"Layouts"})

    layout: str = AUTO

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise UnknownNameError("layout", self.layout, list(LAYOUTS))

    def run(self, graph: Graph, context: PassContext) -> None:
        """Set the layouts; the values that the graph computes stay the same."""
        machine: Machine | None = context.tables.get(Machine)
        if machine is None:
            return
        rewriter = Rewriter(graph, context.listeners, by=self.name)
        clear_layouts(rewriter)
        costs = LayoutCosts(trace_with_transposes(graph), machine)
        plans = self._plans(costs)
        if len(plans) > 1:
            plans.sort(key=lambda plan: cost_of(rewriter, costs, plan))
            clear_layouts(rewriter)
        apply(rewriter, costs, plans[0])

    def _plans(self, costs: LayoutCosts) -> list[Plan]:
        """What is worth trying: the optimum for what stays on chip now, and each layout throughout."""
        if self.layout != AUTO:
            return [uniform(costs, Layout(self.layout))]
        best = dict(zip(costs.order, solve(costs.problem()), strict=True))
        chosen = {m: costs.states[m][s] for m, s in best.items()}
        others = [uniform(costs, layout) for layout in Layout]
        return [chosen, *(plan for plan in others if plan != chosen)]


def uniform(costs: LayoutCosts, layout: Layout) -> Plan:
    """Every map in one layout, without copies."""
    return {m: State(layout) for m in costs.order}


def trace_with_transposes(graph: Graph) -> Trace:
    """The workload of a graph in which no layout is chosen, with the Transposes that a layout may undo."""
    view = view_of(graph)
    ops = tuple(map(_channels_first, view.ops))
    trace = trace_view(GraphView(view.name, ops, view.inputs, view.outputs))
    maps = tuple(replace(m, layout=None) for m in trace.workload.maps)
    return replace(trace, workload=replace(trace.workload, maps=maps))


def _channels_first(op: OpView) -> OpView:
    """The op with all tensors in NCHW, where no Transpose to or from NHWC is free."""
    if op.op != "Transpose":
        return op
    operands = tuple(None if t is None else _nchw(t) for t in op.operands)
    return replace(op, operands=operands, results=tuple(map(_nchw, op.results)))


def _nchw(tensor: TensorView) -> TensorView:
    return replace(tensor, layout=Layout.nchw)


def clear_layouts(rewriter: Rewriter) -> None:
    """Forget all layouts, and the copies that an earlier choice made."""
    for op in list(rewriter.graph.ops):
        if op.name == "Identity" and op.operands[0] is not None and _differ(op.operands[0], op.results[0]):
            rewriter.replace(op, op.operands[0])
    for value in _values(rewriter.graph):
        _set_layout(rewriter, value, None)


def _differ(source: Value, result: Value) -> bool:
    layouts = {v.type.layout for v in (source, result) if isinstance(v.type, TensorType)}
    return len(layouts) > 1 and None not in layouts


def apply(rewriter: Rewriter, costs: LayoutCosts, plan: Plan) -> None:
    """Set the types of all tensors that hold a map of the plan, and insert the copies."""
    values = {str(id(value)): value for value in _values(rewriter.graph)}
    for key, m in costs.trace.map_of.items():
        if m in plan:
            _set_layout(rewriter, values[key], plan[m].home)
    for (m, layout), layers in costs.copied_reads(plan).items():
        places = [place for layer in layers for place in costs.trace.operands[layer, m]]
        source = values[places[0][1]]
        with rewriter.after(source):
            copy = rewriter.op.Identity(source)
        _set_layout(rewriter, copy, layout)
        readers = {values[result].producer for result, _ in places}
        rewriter.replace_uses(source, copy, only=readers.__contains__)


def _values(graph: Graph) -> Iterator[Value]:
    yield from graph.inputs
    for op in graph.ops:
        yield from op.results


def _set_layout(rewriter: Rewriter, value: Value, layout: Layout | None) -> None:
    if isinstance(value.type, TensorType) and value.type.layout is not layout:
        rewriter.set_type(value, value.type.with_(layout=layout))


def cost_of(rewriter: Rewriter, costs: LayoutCosts, plan: Plan) -> float:
    """The time of an inference in ms, with a plan in the graph's types."""
    clear_layouts(rewriter)
    apply(rewriter, costs, plan)
    return busy_ms(work_of(layers_of(rewriter.graph), costs.machine), costs.machine)
