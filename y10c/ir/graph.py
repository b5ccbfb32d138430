"""The graph: ops in topological order on a linked list, named inputs and outputs, interned constants."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from y10c.ir.attrs import Attrs, Graphs
from y10c.ir.notes import NO_NOTES, Notes
from y10c.ir.tensor import Tensor
from y10c.ir.types import Type
from y10c.ir.value import Op, Value

if TYPE_CHECKING:
    import onnx

TERMINATOR = "graph.return"


@dataclass
class ModelInfo:
    """What an ONNX model says beside its graph.

    Args:
        opsets: Version of each operator domain as imported; the default domain is "".
        ir_version: ONNX IR version of the file.
        producer: Name and version of the exporter.
        metadata: The model's metadata_props.
        doc: The model's doc string.
        domain: The model's own domain and its version.
        path: Where it was read from.
    """

    opsets: dict[str, int] = field(default_factory=dict)
    ir_version: int = 0
    producer: tuple[str, str] = ("", "")
    metadata: dict[str, str] = field(default_factory=dict)
    doc: str = ""
    domain: tuple[str, int] = ("", 0)
    path: Path | None = None


class Graph:
    """A graph of ops over values.

    Outputs are operands of a terminator op, so returning an input, or one value twice, needs no special
    case, and a value that leaves the graph counts as used. All changes go through `y10c.rewrite.Rewriter`
    or, while building, `y10c.ir.builder.Builder`.

    Attributes:
        inputs: What is fed, in order.
        defaults: The data of inputs that need not be fed; being open to change, they are no constants.
        output_names: The names of the outputs, in order.
        notes: What the model says of the graph (see `y10c.ir.notes`).
    """

    def __init__(self, name: str = "", parent: Graph | None = None) -> None:
        self.name = name
        self.parent = parent
        self.info: ModelInfo = ModelInfo() if parent is None else parent.info
        self.inputs: list[Value] = []
        self.defaults: dict[Value, Tensor] = {}
        self.notes: Notes = NO_NOTES
        self.output_names: list[str] = []
        self._constants: dict[object, Value] = {} if parent is None else parent._constants
        self.terminator = Op(TERMINATOR)
        self.terminator.graph = self
        self._first: Op = self.terminator
        self._count = 0

    @property
    def outputs(self) -> tuple[Value, ...]:
        """The values that leave the graph, in order."""
        return tuple(v for v in self.terminator.operands if v is not None)

    @property
    def ops(self) -> Iterator[Op]:
        """The ops in topological order; ops may be inserted, replaced and erased meanwhile."""
        op = self._first
        while op is not self.terminator:
            following = op._next
            yield op
            # An op erased by the loop body leads on through the successor it had before.
            op = op._next if op.graph is self and op._next is not None else following  # type: ignore[assignment]
            while op.graph is not self and op._next is not None:
                op = op._next

    def walk(self) -> Iterator[Op]:
        """Every op of the graph and of its nested graphs, outer before inner."""
        for op in self.ops:
            yield op
            for nested in op.graphs:
                yield from nested.walk()

    def __len__(self) -> int:
        return self._count

    @property
    def constants(self) -> tuple[Value, ...]:
        """The constants that somebody reads, in the order in which they were interned."""
        return tuple(v for v in self._constants.values() if v._uses)

    @property
    def root(self) -> Graph:
        """The outermost graph."""
        return self if self.parent is None else self.parent.root

    def constant(self, tensor: Tensor) -> Value:
        """The value that holds `tensor`; equal data gives the same value."""
        found = self._constants.get(tensor.digest)
        if found is None:
            found = self._constants[tensor.digest] = Value(tensor.type, tensor=tensor)
        return found

    def named_constant(self, tensor: Tensor, name: str, lineage: tuple[str, ...] | None = None) -> Value:
        """A constant with a name of its own, as an ONNX initializer has; its data is not read for it.

        Equal data under two names stays two values until common-subexpression elimination joins them.
        """
        value = Value(tensor.type, name, tensor=tensor, lineage=lineage)
        key: object = name
        if name in self._constants:
            key = value
        self._constants[key] = value
        return value

    def add_input(self, type: Type | None, name: str) -> Value:
        """Append a graph input."""
        value = Value(type, name, index=len(self.inputs))
        self.inputs.append(value)
        return value

    def set_outputs(self, values: Iterable[Value], names: Iterable[str]) -> None:
        """Replace the outputs and their names."""
        self.terminator._set_operands(tuple(values))
        self.output_names = list(names)

    def to_onnx(self) -> onnx.ModelProto:
        """The graph as an ONNX model (see `y10c.backend.export`)."""
        from y10c.backend.exporter import export_model

        return export_model(self)

    def clone(self) -> Graph:
        """A deep copy of the structure; constant data is shared."""
        copy = Graph(self.name)
        copy.info = ModelInfo(**{**vars(self.info), "metadata": dict(self.info.metadata)})
        copy.info.opsets = dict(self.info.opsets)
        _copy_into(self, copy, {})
        return copy

    def append_copy(self, source: Graph, operands: Iterable[Value]) -> list[Value]:
        """Append copies of another graph's ops; gives what are its outputs here.

        Args:
            source: The graph to copy.
            operands: What the copies read in place of its inputs.
        """
        return _copy_ops(source, self, dict(zip(source.inputs, operands, strict=True)))

    def __str__(self) -> str:
        from y10c.ir.printer import print_graph

        return print_graph(self)

    def _insert_before(self, op: Op, anchor: Op) -> None:
        assert op.graph is None, "the op is already in a graph"
        assert anchor.graph is self, "the anchor is not in this graph"
        op.graph, op._next, op._prev = self, anchor, anchor._prev
        if anchor._prev is None:
            self._first = op
        else:
            anchor._prev._next = op
        anchor._prev = op
        self._count += 1
        op._link_uses()

    def _remove(self, op: Op) -> None:
        assert op.graph is self
        assert op is not self.terminator
        assert op._next is not None
        op._unlink_uses()
        if op._prev is None:
            self._first = op._next
        else:
            op._prev._next = op._next
        op._next._prev = op._prev
        op.graph = None
        self._count -= 1


def _copy_into(source: Graph, target: Graph, values: dict[Value, Value]) -> None:
    target.notes = source.notes
    for value in source.inputs:
        copy = values[value] = target.add_input(value.type, value.name)
        copy.lineage, copy.notes = value.lineage, value.notes
        if value in source.defaults:
            target.defaults[copy] = source.defaults[value]
    target.set_outputs(_copy_ops(source, target, values), source.output_names)


def _copy_ops(source: Graph, target: Graph, values: dict[Value, Value]) -> list[Value]:
    def mapped(value: Value | None) -> Value | None:
        if value is None:
            return None
        if value.tensor is not None and value not in values:
            values[value] = (
                target.named_constant(value.tensor, value.name, value.lineage)
                if value.name
                else target.constant(value.tensor)
            )
            values[value].notes = value.notes
        return values[value]

    for op in source.ops:
        target._insert_before(
            _copy_op(op, target, values, [mapped(v) for v in op.operands]), target.terminator
        )
    return [v for v in map(mapped, source.terminator.operands) if v is not None]


def _copy_op(op: Op, target: Graph, values: dict[Value, Value], operands: list[Value | None]) -> Op:
    def nested(graph: Graph) -> Graph:
        inner = Graph(graph.name, parent=target)
        _copy_into(graph, inner, values)
        return inner

    def copied(value: Any) -> Any:
        if isinstance(value, Graph):
            return nested(value)
        return Graphs(nested(g) for g in value) if isinstance(value, Graphs) else value

    attrs = Attrs({k: copied(v) for k, v in op.attrs.items()}) if op.graphs else op.attrs
    copy = Op(
        op.name,
        operands,
        attrs,
        [r.type for r in op.results],
        result_names=[r.name for r in op.results],
        location=op.location,
        by=op.by,
        version=op.version,
    )
    for old, new in zip(op.results, copy.results, strict=True):
        new.lineage, new.notes = old.lineage, old.notes
        values[old] = new
    copy.notes = op.notes
    return copy
