"""A part of a graph as a graph of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import copy as shallow

from y10c.ir.graph import Graph, _copy_op
from y10c.ir.value import Op, Value


class Names:
    """Unique names of the values at a boundary; a value keeps the one that it was given."""

    def __init__(self) -> None:
        self._given: dict[Value, str] = {}
        self._taken: set[str] = set()

    def of(self, value: Value) -> str:
        """The value's own name where it is free, else one derived from it."""
        if value not in self._given:
            wish = value.name or f"value_{len(self._given)}"
            name, number = wish, 1
            while name in self._taken:
                name, number = f"{wish}_{number}", number + 1
            self._taken.add(name)
            self._given[value] = name
        return self._given[value]


def cut(
    ops: Sequence[Op],
    outputs: Iterable[Value] | None = None,
    *,
    source: Graph | None = None,
    names: Names | None = None,
) -> Graph:
    """Copies of some ops of one graph as a graph of their own.

    What the ops read and none of them makes becomes an input; constant data is shared.

    Args:
        ops: In topological order; they may be out of their graph already.
        outputs: The values that leave the new graph; by default the results that something outside the
            ops reads, a graph's output included, or that nobody reads.
        source: The graph whose model facts hold for the part.
        names: Shared by parts whose inputs shall have equal names for equal values.
    """
    part = Graph("part")
    if source is not None:
        part.name, part.info = source.name, shallow(source.info)
    values: dict[Value, Value] = {}
    left = list(leaving(ops) if outputs is None else outputs)
    made = {result for op in ops for result in op.results}
    named = names or Names()
    for value in dict.fromkeys(v for v in (*_read(ops), *left) if v not in made and v.tensor is None):
        values[value] = part.add_input(value.type, named.of(value))
    for op in ops:
        operands = [_mapped(part, values, v) for v in op.operands]
        for value in outer_reads(op):
            _mapped(part, values, value)
        part._insert_before(_copy_op(op, part, values, operands), part.terminator)
    part.set_outputs([values[v] if v in values else _constant(part, v) for v in left], map(named.of, left))
    return part


def leaving(ops: Sequence[Op]) -> Iterator[Value]:
    """The results of some ops that others, or nobody, read."""
    inside = set(ops)
    for op in ops:
        for result in op.results:
            users = result.users
            if any(user not in inside for user in users) or not (users or result.index):
                yield result


def outer_reads(op: Op) -> Iterator[Value]:
    """Every value that an op, or a graph nested in it, reads and that is not made inside it."""
    yield from (v for v in op.operands if v is not None)
    for graph in op.graphs:
        inner = (*graph.walk(), graph.terminator)
        own = {r for one in inner for r in one.results}
        own.update(v for one in (graph, *(g for i in inner for g in i.graphs)) for v in one.inputs)
        yield from (v for one in inner for v in one.operands if v is not None and v not in own)


def _read(ops: Sequence[Op]) -> Iterator[Value]:
    for op in ops:
        yield from outer_reads(op)


def _mapped(part: Graph, values: dict[Value, Value], value: Value | None) -> Value | None:
    if value is None:
        return None
    if value not in values:
        values[value] = _constant(part, value)
    return values[value]


def _constant(part: Graph, value: Value) -> Value:
    assert value.tensor is not None
    if not value.name:
        return part.constant(value.tensor)
    return part.named_constant(value.tensor, value.name, value.lineage)
