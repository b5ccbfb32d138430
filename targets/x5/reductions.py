"""Reductions and searches."""

from __future__ import annotations

from collections.abc import Iterable

from y10c.check.constraint import Row, demand, one_of, within
from y10c.check.node import Node
from y10c.targets.x5.general import ranks
from y10c.targets.x5.sources import LIST

UNIT = "BPU"


@demand("one axis", source=LIST, remedy="reduce axis after axis", cures=("reduce-axis-by-axis",))
def reduced_axes(node: Node) -> str | None:
    """A reduction goes over {allowed}, a mean also over H and W together."""
    image = node.op.name == "ReduceMean" and len(node.shape()) == 4 and node.axes == (2, 3)
    return None if len(node.axes) == 1 or image else f"axes {', '.join(map(str, node.axes))}"


@one_of(1, source=LIST, remedy="keep the axis and squeeze it", cures=("reduce-then-squeeze",))
def reduction_keeps_axes(node: Node) -> Iterable[int]:
    """A reduction keeps its axis: keepdims is {legal}."""
    return [node.attr("keepdims", 1)]


@within(1, 8192, source=LIST, remedy="reduce in two steps")
def reduced_extent(node: Node) -> Iterable[int]:
    """The axis of a ReduceMax has {low} to {high} elements."""
    return (node.shape()[a] for a in node.axes) if node.op.name == "ReduceMax" else ()


REDUCE = Row(
    "reduce",
    ("ReduceMax", "ReduceMean", "ReduceSum"),
    "A maximum, mean or sum along an axis runs on the chip.",
    LIST,
    UNIT,
    (ranks(2, 5), reduced_axes, reduction_keeps_axes, reduced_extent),
)


@one_of(1, source=LIST, remedy="move the axis to the channels")
def arg_axis(node: Node) -> Iterable[int]:
    """An ArgMax or ArgMin goes along axis {legal}."""
    return [node.axis]


@within(1, 8191, source=LIST, remedy="search in two steps")
def arg_extent(node: Node) -> Iterable[int]:
    """An ArgMax or ArgMin searches {low} to {high} channels."""
    return [node.shape()[node.axis]]


ARG = Row(
    "arg",
    ("ArgMax", "ArgMin"),
    "The index of the greatest or least channel is found on the chip.",
    LIST,
    UNIT,
    (arg_axis, arg_extent),
    indices=frozenset({-1}),
)


@one_of(1, source=LIST, remedy="ask for sorted elements")
def top_k_sorted(node: Node) -> Iterable[int]:
    """A TopK gives its elements sorted: sorted is {legal}."""
    return [node.attr("sorted", 1)]


TOP_K = Row(
    "top-k",
    ("TopK",),
    "A TopK runs on the chip; indices are int16, int32 or int64.",
    LIST,
    UNIT,
    (top_k_sorted,),
    indices=frozenset({1, -2}),
)

ROWS = (REDUCE, ARG, TOP_K)
