"""Pooling."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from y10c.check.constraint import Row, one_of, within
from y10c.check.node import Node
from y10c.targets.x5.general import four_dimensional
from y10c.targets.x5.sources import LIST, SILENT

UNIT = "BPU"


@within(1, 256, source=LIST, remedy="pool twice", cures=("split-large-max-pool",))
def max_pool_kernel(node: Node) -> Iterable[int]:
    """The window of a MaxPool is {low} to {high} high and wide."""
    return node.kernel


@within(1, 256, source=LIST, remedy="pool twice")
def max_pool_stride(node: Node) -> Iterable[int]:
    """A MaxPool steps by {low} to {high}."""
    return node.window.strides


@within(0, 256, source=LIST, remedy="pad less")
def max_pool_pad(node: Node) -> Iterable[int]:
    """A MaxPool pads by {low} to {high}."""
    return node.pads


@one_of(1, source=LIST, remedy="do not dilate")
def max_pool_dilation(node: Node) -> Iterable[int]:
    """A MaxPool has dilation {legal}."""
    return node.window.dilations


@one_of(0, source=SILENT, remedy="pad behind instead", cures=("pool-ceil-to-pads",))
def pool_ceil_mode(node: Node) -> Iterable[int]:
    """A pooling rounds its extents down: ceil_mode is {legal}."""
    return [node.attr("ceil_mode")]


MAX_POOL = Row(
    "max-pool",
    ("MaxPool",),
    "A MaxPool of an image runs on the chip, on int8 and int16, chains of them included.",
    LIST,
    UNIT,
    (
        four_dimensional(),
        max_pool_kernel,
        max_pool_stride,
        max_pool_pad,
        max_pool_dilation,
        pool_ceil_mode,
    ),
)


@within(1, 256, source=LIST, remedy="pool twice")
def average_pool_kernel(node: Node) -> Iterable[int]:
    """The window of an AveragePool is {low} to {high} high and wide."""
    return node.kernel


@within(1, 256, source=LIST, remedy="pool twice")
def average_pool_stride(node: Node) -> Iterable[int]:
    """An AveragePool steps by {low} to {high}."""
    return node.window.strides


@within(2, 8192, source=LIST, remedy="pool twice, or drop a pooling of one element")
def average_pool_window(node: Node) -> Iterable[int]:
    """The window of an AveragePool holds {low} to {high} elements."""
    return [prod(node.kernel)]


@within(0, 255, source=LIST, remedy="pad less")
def average_pool_pad(node: Node) -> Iterable[int]:
    """An AveragePool pads by {low} to {high}."""
    return node.pads


AVERAGE_POOL = Row(
    "average-pool",
    ("AveragePool",),
    "An AveragePool of an image runs on the chip.",
    LIST,
    UNIT,
    (
        four_dimensional(),
        average_pool_kernel,
        average_pool_stride,
        average_pool_window,
        average_pool_pad,
        pool_ceil_mode,
    ),
)

GLOBAL_AVERAGE_POOL = Row(
    "global-average-pool",
    ("GlobalAveragePool",),
    "A GlobalAveragePool of an image runs on the chip.",
    LIST,
    UNIT,
    (four_dimensional(),),
)


@within(1, 256, source=LIST, remedy="pool in two steps", cures=("global-max-pool-to-reduce-max",))
def global_max_pool_extent(node: Node) -> Iterable[int]:
    """The image of a GlobalMaxPool is {low} to {high} high and wide."""
    return node.shape()[2:]


GLOBAL_MAX_POOL = Row(
    "global-max-pool",
    ("GlobalMaxPool",),
    "A GlobalMaxPool of an image runs on the chip.",
    LIST,
    UNIT,
    (four_dimensional(), global_max_pool_extent),
)

ROWS = (MAX_POOL, AVERAGE_POOL, GLOBAL_AVERAGE_POOL, GLOBAL_MAX_POOL)
