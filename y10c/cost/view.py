"""A neutral view of a graph, so that the extraction of layers does not care where the graph comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from y10c.ir.types import Layout

if TYPE_CHECKING:
    from y10c.ir import Graph, Value


@dataclass(frozen=True, slots=True)
class TensorView:
    """One operand or result. `bits` are those of its element type, `key` is unique, `name` is shown."""

    key: str
    shape: tuple[int, ...] | None
    bits: int
    constant: bool = False
    name: str = ""
    layout: Layout | None = None


@dataclass(frozen=True, slots=True)
class OpView:
    """One operation: ONNX op name (other domains as `domain::Name`), operands, results, attributes."""

    op: str
    location: str
    operands: tuple[TensorView | None, ...]
    results: tuple[TensorView, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GraphView:
    """Operations in topological order and the keys of the graph's inputs and outputs."""

    name: str
    ops: tuple[OpView, ...]
    inputs: tuple[TensorView, ...]
    outputs: tuple[TensorView, ...]


def view_of(graph: Graph) -> GraphView:
    """The view of an IR graph; what has no static shape is left to whoever needs that shape."""
    ops = tuple(
        OpView(
            op.name.removeprefix("y10c."),
            op.location or (op.results[0].name if op.results else op.name),
            tuple(None if value is None else _tensor(value) for value in op.operands),
            tuple(map(_tensor, op.results)),
            op.attrs,
        )
        for op in graph.ops
    )
    return GraphView(graph.name, ops, tuple(map(_tensor, graph.inputs)), tuple(map(_tensor, graph.outputs)))


def _tensor(value: Value) -> TensorView:
    from y10c.ir import TensorType

    kind = value.type
    if not isinstance(kind, TensorType):
        return TensorView(str(id(value)), None, 32, value.is_constant, value.name)
    shape = kind.static_shape if kind.is_static else None
    return TensorView(str(id(value)), shape, kind.dtype.bits, value.is_constant, value.name, kind.layout)
