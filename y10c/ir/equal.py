"""Structural equality of graphs: the same text under the same names, whatever the objects are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from y10c.ir.attrs import SparseTensor
from y10c.ir.facts import model_facts
from y10c.ir.graph import Graph
from y10c.ir.printer import Printer, format_type
from y10c.ir.tensor import Tensor
from y10c.ir.value import Op, Value


def equal(a: Graph, b: Graph) -> bool:
    """True where two graphs have the same model facts, ops, data, names, types and lineages in one order.

    The path that a graph was read from does not count.
    """
    return difference(a, b) is None


def difference(a: Graph, b: Graph) -> str | None:
    """The first thing in which two graphs differ, as a sentence; None where they are equal."""
    if model_facts(a.info) != model_facts(b.info):
        return f"the model facts differ: {model_facts(a.info)} and {model_facts(b.info)}"
    return next(_Comparison().graphs(a, b), None)


class _Comparison:
    def __init__(self) -> None:
        self.pairs: dict[Value, Value] = {}
        self.taken: set[Value] = set()

    def graphs(self, a: Graph, b: Graph) -> Iterator[str]:
        if (a.name, len(a.inputs), a.output_names) != (b.name, len(b.inputs), b.output_names):
            yield f"graphs {a.name!r} and {b.name!r} differ in name, number of inputs, or output names"
            return
        if a.notes != b.notes:
            yield f"the notes of graph {a.name!r} differ: {dict(a.notes)} and {dict(b.notes)}"
        for left, right in zip(a.inputs, b.inputs, strict=True):
            yield from self.definition(left, right, "input")
            if a.defaults.get(left) != b.defaults.get(right):
                yield f"the defaults of input {left.name!r} differ"
        if len(a) != len(b):
            yield f"graph {a.name!r} has {len(a)} ops in one and {len(b)} in the other"
            return
        for op, other in zip((*a.ops, a.terminator), (*b.ops, b.terminator), strict=True):
            yield from self.ops(op, other)

    def ops(self, a: Op, b: Op) -> Iterator[str]:
        if _facts(a) != _facts(b):
            yield f"ops differ: {_facts(a)} and {_facts(b)}"
            return
        for index, (left, right) in enumerate(zip(a.operands, b.operands, strict=True)):
            yield from self.operand(left, right, f"operand {index} of {a.name} {a.location!r}")
        for key in a.attrs:
            yield from self.attributes(
                a.attrs[key], b.attrs[key], f"attribute {key} of {a.name} {a.location!r}"
            )
        for left, right in zip(a.results, b.results, strict=True):
            yield from self.definition(left, right, f"result of {a.name} {a.location!r}")

    def operand(self, a: Value | None, b: Value | None, what: str) -> Iterator[str]:
        if a is None or b is None:
            if a is not b:
                yield f"{what} is left out in one graph"
        elif a.tensor is not None and a not in self.pairs:
            if b.tensor is None or a.tensor != b.tensor:
                yield f"{what} is another constant"
            yield from self.definition(a, b, what)
        elif self.pairs.get(a) is not b:
            yield f"{what} is another value: {a!r} and {b!r}"

    def definition(self, a: Value, b: Value, what: str) -> Iterator[str]:
        if b in self.taken:
            yield f"{what}: one value in one graph is two in the other"
        self.pairs[a] = b
        self.taken.add(b)
        if (a.name, a.type, a.lineage) != (b.name, b.type, b.lineage):
            yield f"{what}: {a!r} of {a.lineage} and {b!r} of {b.lineage}"
        if a.notes != b.notes:
            yield f"{what}: the notes differ: {dict(a.notes)} and {dict(b.notes)}"

    def attributes(self, a: Any, b: Any, what: str) -> Iterator[str]:
        if type(a) is not type(b) or (isinstance(a, tuple) and len(a) != len(b)):
            yield f"{what} has another kind or length"
        elif isinstance(a, Graph):
            yield from self.graphs(a, b)
        elif isinstance(a, tuple):
            for left, right in zip(a, b, strict=True):
                yield from self.attributes(left, right, what)
        elif not _same(a, b):
            yield f"{what} is {Printer().attr(a)} and {Printer().attr(b)}"


def _facts(op: Op) -> tuple[Any, ...]:
    counts = len(op.operands), len(op.results)
    return (op.name, op.version, op.location, op.by, counts, tuple(op.attrs), dict(op.notes))


def _same(a: Any, b: Any) -> bool:
    """NaN equals NaN here, and zero does not equal minus zero."""
    if isinstance(a, float):
        return repr(a) == repr(b)
    plain = isinstance(a, Tensor | SparseTensor | int | str | bytes)
    return bool(a == b) if plain else format_type(a) == format_type(b)
