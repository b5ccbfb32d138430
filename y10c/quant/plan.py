"""The plan: which tensors of a graph are quantized, with what grid, and which share one scale.

Every tensor between two integer ops carries exactly one quantization. Ops in the decode tail, and
everything that only feeds them or a graph output without arithmetic, stay float.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

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
        integer_ops: Every op that runs on integers.
    """

    scheme: QuantScheme
    edges: list[Edge] = field(default_factory=list)
    weights: list[Weight] = field(default_factory=list)
    integer_ops: set[Op] = field(default_factory=set)

    @property
    def observed(self) -> list[Value]:
        """The activations whose ranges must be known; constants say theirs themselves."""
        return [e.value for e in self.edges if not e.value.is_constant]


def plan_quantization(graph: Graph, scheme: QuantScheme, tail: Collection[Op] = frozenset()) -> QuantPlan:
    """Decide what is quantized.

    Args:
        graph: A float graph.
        scheme: What the target declares.
        tail: Ops that stay float.
    """
    plan = QuantPlan(scheme)
    float_ops = _float_ops(graph, scheme, set(tail))
    plan.integer_ops = {
        op
        for op in graph.ops
        if op.name in scheme.ops and op not in float_ops and _is_real(op, scheme.ops[op.name])
    }
    groups = _scale_groups(plan)
    for value in _candidates(graph):
        readers = tuple(use for use in value.uses if _reads_integers(use, plan))
        if readers and _is_float32(value):
            plan.edges.append(Edge(value, _grid(value, readers, plan), readers, groups[value]))
    plan.weights = [
        Weight(op, s)
        for op in graph.ops
        if op in plan.integer_ops and _has_constant(op, (s := scheme.ops[op.name]).weight)
    ]
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
    if use.op not in plan.integer_ops:
        return False
    scheme = plan.scheme.ops[use.op.name]
    if use.index in (scheme.weight, scheme.bias) and _has_constant(use.op, use.index):
        return False
    return scheme.reads_activation(use.index) or use.index == scheme.weight


def _grid(value: Value, readers: tuple[Use, ...], plan: QuantPlan) -> Grid:
    scheme = plan.scheme
    only_wide = all(scheme.ops[use.op.name].wide_input for use in readers)
    made_by_integers = value.producer is not None and value.producer in plan.integer_ops
    if scheme.wide is not None and only_wide and made_by_integers:
        return scheme.wide
    return scheme.activation


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
    for op in plan.integer_ops:
        scheme = plan.scheme.ops[op.name]
        if scheme.keeps_scale:
            data = [v for i, v in enumerate(op.operands) if v is not None and scheme.reads_activation(i)]
            groups.union(*data, *op.results)
    return groups
