"""Smaller graphs of the same kind: fewer ops and outputs, smaller extents, plainer numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from y10c.ir.cut import cut
from y10c.ir.graph import Graph
from y10c.ir.tensor import Tensor
from y10c.ir.types import TensorType, Type
from y10c.ir.value import Op, Value
from y10c.ops.infer import BuildError, infer_types

T = TypeVar("T")
Test = Callable[[Graph], bool]


def fewer_ops(graph: Graph, test: Test) -> Graph:
    """The fewest ops found with which a test still holds; what they read from others becomes an input.

    First the end and the beginning are cut off by halving, which suffices for a fault in one place; then
    delta debugging takes out what is left between (Zeller, Hildebrandt, TSE 2002).
    """
    ops = list(graph.ops)

    def holds(some: Sequence[Op]) -> bool:
        return bool(some) and test(cut(some, source=graph))

    end = _smallest(len(ops), lambda k: holds(ops[:k]))
    ops = ops[:end]
    begin = len(ops) - _smallest(len(ops), lambda k: holds(ops[len(ops) - k :]))
    ops = ops[begin:]
    return cut(minimal(ops, holds), source=graph)


def fewer_outputs(graph: Graph, test: Test) -> Graph:
    """The fewest outputs found, and only the ops that they need."""

    def kept(outputs: Sequence[Value]) -> Graph:
        return cut(needed(graph, outputs), outputs, source=graph)

    outputs = list(dict.fromkeys(graph.outputs))
    return kept(minimal(outputs, lambda some: bool(some) and test(kept(some))))


def needed(graph: Graph, outputs: Sequence[Value]) -> list[Op]:
    """The ops that some values depend on, in order."""
    from y10c.ir.cut import outer_reads

    wanted = {v.producer for v in outputs}
    for op in reversed(list(graph.ops)):
        if op in wanted:
            wanted.update(v.producer for v in outer_reads(op))
    return [op for op in graph.ops if op in wanted]


def smaller_extents(graph: Graph, test: Test) -> Graph:
    """Every extent of inputs and constants as small as the test allows; equal extents shrink together."""
    for extent in sorted(_extents(graph), reverse=True):
        for wanted in dict.fromkeys((1, 2, 3, extent // 4, extent // 2)):
            smaller = resized(graph, {extent: wanted}) if 0 < wanted < extent else None
            if smaller is not None and test(smaller):
                graph = smaller
                break
    return graph


def plainer_numbers(graph: Graph, test: Test) -> Graph:
    """Float constants of ones, else of small whole numbers, where the test allows it."""
    for index in range(len(graph.constants)):
        for plain in (np.ones_like, lambda a: np.rint(4 * a / max(1e-30, float(np.abs(a).max(initial=0))))):
            changed = _with_constant(graph, index, plain)
            if changed is not None and test(changed):
                graph = changed
                break
    return graph


def resized(graph: Graph, extents: Mapping[int, int]) -> Graph | None:
    """The graph with other extents of inputs and constants, types inferred; None where they do not fit."""

    def tensor(given: Tensor) -> Tensor:
        return Tensor.of(given.numpy()[tuple(slice(extents.get(d, d)) for d in given.shape)])

    def type(given: Type | None) -> Type | None:
        if not isinstance(given, TensorType) or given.shape is None:
            return given
        shape = tuple(extents.get(d, d) if isinstance(d, int) else d for d in given.shape)
        return TensorType(given.dtype, shape)

    return rebuilt(graph, tensor, type)


def rebuilt(
    graph: Graph, tensor: Callable[[Tensor], Tensor], type: Callable[[Type | None], Type | None]
) -> Graph | None:
    """A copy with other constants and input types, result types inferred; None where inference refuses it."""
    if any(op.graphs for op in graph.ops):
        return None
    copy = Graph(graph.name)
    copy.info = graph.info
    values = {v: copy.add_input(type(v.type), v.name) for v in graph.inputs}
    for value in graph.constants:
        assert value.tensor is not None
        values[value] = copy.named_constant(tensor(value.tensor), value.name, value.lineage)
    try:
        for op in graph.ops:
            _rebuild(op, copy, values)
    except BuildError:
        return None
    copy.set_outputs([values[v] for v in graph.outputs], graph.output_names)
    return copy


def _rebuild(op: Op, copy: Graph, values: dict[Value, Value]) -> None:
    operands = [None if v is None else values[v] for v in op.operands]
    types = infer_types(op.name, operands, op.attrs, len(op.results), op.version)
    names = [r.name for r in op.results]
    made = Op(
        op.name, operands, op.attrs, types, result_names=names, location=op.location, version=op.version
    )
    copy._insert_before(made, copy.terminator)
    values.update(zip(op.results, made.results, strict=True))


def _with_constant(graph: Graph, index: int, change: Callable[[np.ndarray], np.ndarray]) -> Graph | None:
    chosen = graph.constants[index].tensor
    assert chosen is not None
    if not chosen.dtype.is_float:
        return None
    plain = np.asarray(change(chosen.numpy())).astype(chosen.dtype.numpy)
    if np.array_equal(plain, chosen.numpy()):
        return None
    return rebuilt(graph, lambda t: Tensor.of(plain) if t is chosen else t, lambda t: t)


def _extents(graph: Graph) -> Iterator[int]:
    types = [v.type for v in (*graph.inputs, *graph.constants)]
    shapes = [t.shape for t in types if isinstance(t, TensorType) and t.shape]
    yield from {d for shape in shapes for d in shape if isinstance(d, int) and d > 1}


def _smallest(size: int, holds: Callable[[int], bool]) -> int:
    """The smallest k up to `size` for which a test that holds for `size` holds, if it is monotonic."""
    low, high = 0, size
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return high


def minimal(items: Sequence[T], holds: Callable[[Sequence[T]], bool]) -> list[T]:
    """Delta debugging: a part of the items of which none can be taken away and a test still hold."""
    left, chunk = list(items), max(1, len(items) // 2)
    while True:
        at, before = 0, len(left)
        while at < len(left):
            rest = left[:at] + left[at + chunk :]
            if rest and holds(rest):
                left = rest
            else:
                at += chunk
        if chunk == 1 and len(left) == before:
            return left
        chunk = max(1, chunk // 2)
