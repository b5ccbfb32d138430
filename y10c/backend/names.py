"""Unique ONNX names: a value keeps the name it prefers, an output slot's name goes to the value behind it."""

from __future__ import annotations

from y10c.ir.graph import Graph
from y10c.ir.value import Op, Value
from y10c.ops.registry import find_spec


class Namer:
    """Gives every value and node of a model its name.

    Interface names come first: nothing else may take the name of an input or an output.
    """

    def __init__(self, graph: Graph) -> None:
        self._names: dict[Value, str] = {}
        self._taken: set[str] = set()
        self._nodes: set[str] = set()
        self._slots: dict[int, dict[str, Value | None]] = {}
        for value in graph.inputs:
            self._give(value, value.name)
        self._reserve_outputs(graph)
        for op in graph.walk():
            for nested in op.graphs:
                self._reserve_outputs(nested)

    def _reserve_outputs(self, graph: Graph) -> None:
        slots: dict[str, Value | None] = {}
        for name, value in zip(graph.output_names, graph.outputs, strict=True):
            own = value.producer is not None and value.producer.graph is graph
            slots[name] = value if own and value not in self._names else None
            self._taken.add(name)
            if slots[name] is not None:
                self._names[value] = name
        self._slots[id(graph)] = slots

    def output_slots(self, graph: Graph) -> dict[str, Value | None]:
        """Per output name the value that bears it; None where an Identity must."""
        return self._slots[id(graph)]

    def name(self, value: Value) -> str:
        """The value's name in the file."""
        if value not in self._names:
            self._give(value, value.name or self._invent(value))
        return self._names[value]

    def result_name(self, value: Value) -> str:
        """The name of a result; empty for an optional one that nobody reads and that never had a name."""
        if not value._uses and not value.name and _may_be_left_out(value):
            return ""
        return self.name(value)

    def node_name(self, op: Op) -> str:
        """A unique node name: the location, or the first result's name."""
        base = op.location or f"{op.kind}_{self.name(op.results[0])}" if op.results else op.kind
        name, number = base, 1
        while name in self._nodes:
            name, number = f"{base}_{number}", number + 1
        self._nodes.add(name)
        return name

    def _invent(self, value: Value) -> str:
        if value.tensor is not None:
            return f"const_{value.tensor.digest[:12]}"
        assert value.producer is not None
        base = value.producer.location or value.producer.kind
        return f"{base}_output_{value.index}"

    def _give(self, value: Value, wish: str) -> None:
        name, number = wish, 1
        while name in self._taken:
            name, number = f"{wish}_{number}", number + 1
        self._taken.add(name)
        self._names[value] = name


def _may_be_left_out(value: Value) -> bool:
    assert value.producer is not None
    spec = find_spec(value.producer.name)
    return spec is not None and value.index < len(spec.results) and spec.results[value.index].optional
