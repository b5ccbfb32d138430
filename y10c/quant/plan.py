"""The plan: which tensors of a graph are quantized, with what grid, and which share one scale.

Every tensor between two integer ops carries exactly one quantization. Ops in the decode tail, and
everything that only feeds them or a graph output without arithmetic, stay float. What data movement joins
shares one scale and one width. A tensor that no multiply-accumulate reads takes the target's wide grid:
16 bits cost no MACs there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace

from networkx.utils import UnionFind

from y10c.ir.graph import Graph
from y10c.ir.types import DType, TensorType
from y10c.ir.value import Op, Use, Value
from y10c.quant.scheme import Grid, OpScheme, QuantScheme


class Tail(set[Op]):
    """The ops behind a detector's last convolutions, which stay float."""


@dataclass(frozen=True)
class Edge:
    """A tensor that passes between integer ops.

    Args:
        value: The float value as the graph has it.
        grid: Its integers.
        readers: The operands that read the integers; all other readers keep the float value.
        group: Edges of one group share a scale.
    """

    value: Value
    grid: Grid
    readers: tuple[Use, ...]
    group: Value


@dataclass(frozen=True)
class Weight:
    """A constant weight and, where there is one, the bias that belongs to it."""

    op: Op
    scheme: OpScheme


@dataclass
class QuantPlan:
    """What to quantize in a graph.

    Args:
        scheme: The target's declaration.
        edges: Activations, in the graph's order.
        weights: Ops with a constant weight.
        integer_ops: Every op that runs on integers with its scheme, in the graph's order.
    """

    scheme: QuantScheme
    edges: list[Edge] = field(default_factory=list)
    weights: list[Weight] = field(default_factory=list)
    integer_ops: dict[Op, OpScheme] = field(default_factory=dict)

    @property
    def observed(self) -> list[Value]:
        """The activations whose ranges must be known; constants say theirs themselves."""
        return [e.value for e in self.edges if not e.value.is_constant and self.is_source(e)]

    def is_source(self, edge: Edge) -> bool:
        """True where the tensor is no mere copy of what its group holds already."""
        producer = edge.value.producer
        rules = self.integer_ops.get(producer) if producer is not None else None
        return rules is None or not rules.keeps_scale

    @property
    def groups(self) -> dict[Value, list[Edge]]:
        """The edges that share a scale, by `Edge.group`, in the graph's order."""
        found: dict[Value, list[Edge]] = defaultdict(list)
        for edge in self.edges:
            found[edge.group].append(edge)
        return dict(found)

    def source_name(self, group: Value) -> str:
        """The name of the tensor that the others of a group are copies of."""
        edges = [edge for edge in self.edges if edge.group is group]
        return next((edge for edge in edges if self.is_source(edge)), edges[0]).value.name

    @property
    def exits(self) -> list[Value]:
        """Results of integer ops that leave as floats: to the tail or to an output."""
        kept = {use for edge in self.edges for use in edge.readers}
        results = (v for op in self.integer_ops for v in op.results)
        return [v for v in results if any(use not in kept for use in v.uses)]

    def macs_readers(self, group: Value) -> list[Op]:
        """The ops that multiply and accumulate over a tensor of the group."""
        readers = (use.op for edge in self.edges if edge.group is group for use in edge.readers)
        return [op for op in dict.fromkeys(readers) if self.integer_ops[op].macs]

    def set_grid(self, groups: Collection[Value], grid: Grid) -> None:
        """Give all edges of some groups another grid."""
        chosen = set(groups)
        self.edges = [replace(e, grid=grid) if e.group in chosen else e for e in self.edges]


def plan_quantization(
    graph: Graph,
    scheme: QuantScheme,
    tail: Collection[Op] = frozenset(),
    *,
    wide_edges: bool = True,
) -> QuantPlan:
    """Decide what is quantized.

    Args:
        graph: A float graph.
        scheme: What the target declares.
        tail: Ops that stay float.
        wide_edges: Whether tensors that no MAC reads take the wide grid, where the target has one.
    """
    plan = QuantPlan(scheme)
    float_ops = _float_ops(graph, scheme, set(tail))
    plan.integer_ops = {
        op: rules
        for op in graph.ops
        if (rules := scheme.ops.get(op.name)) is not None and op not in float_ops and _is_real(op, rules)
    }
    groups = _scale_groups(plan)
    for value in _candidates(graph):
        readers = tuple(use for use in value.uses if _reads_integers(use, plan))
        if readers and _is_float32(value):
            plan.edges.append(Edge(value, scheme.activation, readers, groups[value]))
    if scheme.wide is not None and wide_edges:
        plan.set_grid([g for g, edges in plan.groups.items() if _may_be_wide(edges, plan)], scheme.wide)
    plan.weights = [Weight(op, s) for op, s in plan.integer_ops.items() if _has_constant(op, s.weight)]
    return plan


def _candidates(graph: Graph) -> Iterator[Value]:
    yield from graph.inputs
    yield from graph.constants
    for op in graph.ops:
        yield from op.results


def _is_real(op: Op, scheme: OpScheme) -> bool:
    """True where the op computes on float32 throughout: half floats and integers stay what they are."""
    read = [v for i, v in enumerate(op.operands) if v is not None and scheme.reads_activation(i)]
    weight = op.operand(scheme.weight) if scheme.weight is not None else None
    return all(map(_is_float32, [*read, *op.results, *([weight] if weight is not None else [])]))


def _is_float32(value: Value) -> bool:
    return isinstance(value.type, TensorType) and value.type.dtype is DType.f32


def _has_constant(op: Op, index: int | None) -> bool:
    value = op.operand(index) if index is not None else None
    return value is not None and value.is_constant


def _reads_integers(use: Use, plan: QuantPlan) -> bool:
    scheme = plan.integer_ops.get(use.op)
    if scheme is None:
        return False
    if use.index in (scheme.weight, scheme.bias) and _has_constant(use.op, use.index):
        return False
    return scheme.reads_activation(use.index) or use.index == scheme.weight


def _may_be_wide(edges: list[Edge], plan: QuantPlan) -> bool:
    """True where 16 bits cost nothing: no reader multiplies and accumulates, and integers made the tensor."""
    rules = [plan.integer_ops[use.op] for edge in edges for use in edge.readers]
    producers = [edge.value.producer for edge in edges if not edge.value.is_constant]
    return all(r.wide_input for r in rules) and all(p in plan.integer_ops for p in producers)


def _float_ops(graph: Graph, scheme: QuantScheme, tail: set[Op]) -> set[Op]:
    """The tail, and data movement that only feeds it or the outputs: integers would gain nothing there."""
    float_ops = set(tail)
    for op in reversed(list(graph.ops)):
        rules = scheme.ops.get(op.name)
        users = {user for r in op.results for user in r.users}
        if rules is not None and rules.keeps_scale and all(u.is_terminator or u in float_ops for u in users):
            float_ops.add(op)
    return float_ops


def _scale_groups(plan: QuantPlan) -> UnionFind:
    groups = UnionFind()
    for op, scheme in plan.integer_ops.items():
        if scheme.keeps_scale:
            data = [v for i, v in enumerate(op.operands) if v is not None and scheme.reads_activation(i)]
            groups.union(*data, *op.results)
    return groups
