"""Ops that move data: they change no number."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from y10c.check.constraint import Row, demand, one_of, within
from y10c.check.node import Node
from y10c.ir.types import DType
from y10c.targets.x5.general import ANY_RANK, four_dimensional, ranks
from y10c.targets.x5.sources import LIST, SILENT

UNIT = "BPU"


@demand("any axis but N", source=LIST, remedy="join along channels", cures=("concat-batch-along-channels",))
def concat_axis(node: Node) -> str | None:
    """A Concat goes along {allowed}."""
    return "N" if node.axis == 0 and len(node.shape()) > 1 else None


CONCAT = Row(
    "concat",
    ("Concat",),
    "A Concat runs on the chip.",
    LIST,
    UNIT,
    (ANY_RANK, concat_axis),
)


@demand("any axis but N", source=LIST, remedy="slice instead", cures=("split-to-slices",))
def split_axis(node: Node) -> str | None:
    """A Split goes along {allowed}."""
    return "N" if node.axis == 0 and len(node.shape()) > 1 else None


@demand("equal parts", source=LIST, remedy="slice instead", cures=("split-to-slices",))
def split_parts(node: Node) -> str | None:
    """A Split gives {allowed}."""
    parts = [r.tensor_type.static_shape[node.axis] for r in node.op.results]
    return None if len(set(parts)) == 1 else ", ".join(map(str, parts))


SPLIT = Row("split", ("Split",), "A Split runs on the chip.", LIST, UNIT, (split_axis, split_parts))


@demand("constants", source=SILENT, remedy="make starts, ends and steps constant")
def slice_bounds(node: Node) -> str | None:
    """The bounds of a Slice are {allowed}."""
    given = [v for v in node.op.operands[1:] if v is not None]
    return None if all(v.is_constant for v in given) else "computed"


SLICE = Row("slice", ("Slice",), "A Slice runs on the chip.", LIST, UNIT, (slice_bounds,))


@demand("a constant", source=SILENT, remedy="let y10c compile fold the shape arithmetic")
def reshape_target(node: Node) -> str | None:
    """The shape that a Reshape makes is {allowed}."""
    given = [v for v in node.op.operands[1:] if v is not None]
    return None if all(v.is_constant for v in given) else "computed"


RESHAPE = Row(
    "reshape",
    ("Reshape", "Flatten", "Squeeze", "Unsqueeze"),
    "A change of shape runs on the chip.",
    LIST,
    UNIT,
    (ranks(1, 10), reshape_target),
)

TRANSPOSE = Row("transpose", ("Transpose",), "A Transpose runs on the chip at any rank.", LIST, UNIT)

NOTHING = Row(
    "nothing",
    ("Identity", "Dropout"),
    "It changes nothing and is dropped.",
    "assumed: every compiler drops it",
    UNIT,
)


@demand("H and W alone", source=LIST, remedy="resize images only")
def resize_axes(node: Node) -> str | None:
    """A Resize changes {allowed}."""
    return None if node.out[:2] == node.shape()[:2] else f"{list(node.shape())} to {list(node.out)}"


@demand("nearest or linear", source=LIST, remedy="use nearest or linear")
def resize_mode(node: Node) -> str | None:
    """A Resize takes the {allowed} neighbours."""
    mode = str(node.op.attr("mode", "nearest"))
    return None if mode in ("nearest", "linear") else mode


RESIZE_COORDINATES = (
    "half_pixel",
    "pytorch_half_pixel",
    "asymmetric",
    "align_corners",
    "tf_crop_and_resize",
)


@demand(", ".join(RESIZE_COORDINATES), source=LIST, remedy="export with one of these modes")
def resize_coordinates(node: Node) -> str | None:
    """The coordinates of a Resize are one of: {allowed}."""
    mode = str(node.op.attr("coordinate_transformation_mode", "half_pixel"))
    return None if mode in RESIZE_COORDINATES else mode


def factors(node: Node) -> list[float]:
    """By what a Resize enlarges height and width: as it says, else as its extents do."""
    before, after = node.shape(), node.out
    axes = [int(a) % len(before) for a in node.op.attr("axes") or range(len(before))]
    scales = node.constant(2)
    said = {} if scales is None else dict(zip(axes, scales.reshape(-1), strict=False))
    return [float(said.get(axis, after[axis] / before[axis])) for axis in (2, 3)]


CURES = ("enlarge-by-repeating", "shrink-by-slicing")


@demand("a power of 2", source=LIST, remedy="resize by 2, 4, 8 …", cures=CURES)
def resize_factor(node: Node) -> str | None:
    """The factor of a nearest Resize is {allowed}."""
    if node.op.attr("mode", "nearest") != "nearest":
        return None
    wrong = (f for f in factors(node) if not float(np.log2(f)).is_integer())
    return next((f"{f:g}" for f in wrong), None)


@demand("at most that of W", source=LIST, remedy="resize height and width alike", cures=CURES)
def resize_factors(node: Node) -> str | None:
    """The factor of a nearest Resize along H is {allowed}."""
    height, width = factors(node)
    if node.op.attr("mode", "nearest") != "nearest" or height <= width:
        return None
    return f"{height:g} along H, {width:g} along W"


RESIZE = Row(
    "resize",
    ("Resize",),
    "A Resize of an image runs on the chip.",
    LIST,
    UNIT,
    (four_dimensional(), resize_axes, resize_mode, resize_coordinates, resize_factor, resize_factors),
)


@one_of(
    2, source=LIST, remedy="use blocks of 2", cures=("depth-to-space-by-moves", "space-to-depth-by-moves")
)
def block_size(node: Node) -> Iterable[int]:
    """The block of a DepthToSpace or SpaceToDepth is {legal}."""
    return [node.attr("blocksize")]


DEPTH_TO_SPACE = Row(
    "depth-to-space",
    ("DepthToSpace", "SpaceToDepth"),
    "Moving blocks between channels and pixels runs on the chip.",
    LIST,
    UNIT,
    (four_dimensional(), block_size),
)


@demand("constant", source=LIST, remedy="pad with zeros", cures=("pad-by-slices",))
def pad_mode(node: Node) -> str | None:
    """The mode of a Pad is {allowed}."""
    mode = str(node.op.attr("mode", "constant"))
    return None if mode == "constant" else mode


PAD = Row(
    "pad",
    ("Pad",),
    "A Pad runs on the chip.",
    LIST,
    UNIT,
    (ANY_RANK, pad_mode, slice_bounds),
)


@within(0, 1, source=LIST, remedy="expand one axis after another", cures=("expand-axis-by-axis",))
def expanded_axes(node: Node) -> Iterable[int]:
    """An Expand or Tile changes at most {high} axis."""
    before = (1,) * (len(node.out) - len(node.shape())) + node.shape()
    return [sum(a != b for a, b in zip(before, node.out, strict=True))]


EXPAND = Row(
    "expand",
    ("Expand", "Tile"),
    "Repeating a tensor along one axis runs on the chip.",
    LIST,
    UNIT,
    (expanded_axes,),
    indices=frozenset({1}),
)


@within(0, 4, source=LIST, remedy="reshape to fewer dimensions")
def gather_rank(node: Node) -> Iterable[int]:
    """Data and indices of a Gather have at most {high} dimensions."""
    return [len(node.shape(0)), len(node.shape(1))]


@demand("int32 where they are computed", source=LIST, remedy="cast the indices to int32")
def gather_indices(node: Node) -> str | None:
    """Indices of a Gather are {allowed}; constant ones may be int64."""
    kind = node.dtype(1)
    legal = node.constant(1) is not None or kind is DType.i32
    return None if legal or kind is None else str(kind.numpy)


GATHER = Row(
    "gather",
    ("Gather",),
    "A Gather runs on the chip.",
    LIST,
    UNIT,
    (gather_rank, gather_indices),
    indices=frozenset({1}),
)


@demand("no longer than the data along any axis", source=LIST, remedy="gather fewer elements")
def gather_elements_extents(node: Node) -> str | None:
    """Indices of a GatherElements are {allowed}."""
    pairs = zip(node.shape(1), node.shape(0), strict=True)
    return next((f"{i} indices of {n}" for i, n in pairs if i > n), None)


GATHER_ELEMENTS = Row(
    "gather-elements",
    ("GatherElements",),
    "A GatherElements runs on the chip.",
    LIST,
    UNIT,
    (ranks(1, 10), gather_elements_extents),
    indices=frozenset({1}),
)


@within(1, 1024, source=LIST, remedy="sample from a smaller image")
def grid_sample_extent(node: Node) -> Iterable[int]:
    """The image of a GridSample is {low} to {high} high and wide."""
    return (*node.shape()[2:], *node.out[2:])


@within(1, 512 * 512, source=LIST, remedy="sample from a smaller image")
def grid_sample_area(node: Node) -> Iterable[int]:
    """The image of a GridSample holds {low} to {high} pixels."""
    return [node.shape()[2] * node.shape()[3]]


@demand("bilinear or nearest", source=LIST, remedy="sample bilinearly")
def grid_sample_mode(node: Node) -> str | None:
    """A GridSample is {allowed}."""
    mode = str(node.op.attr("mode", "linear"))
    return None if mode in ("linear", "bilinear", "nearest") else mode


@demand("zeros or border", source=LIST, remedy="pad with zeros")
def grid_sample_padding(node: Node) -> str | None:
    """A GridSample pads with {allowed}."""
    mode = str(node.op.attr("padding_mode", "zeros"))
    return None if mode in ("zeros", "border") else mode


GRID_SAMPLE = Row(
    "grid-sample",
    ("GridSample",),
    "A GridSample runs on the chip.",
    LIST,
    UNIT,
    (four_dimensional(), grid_sample_extent, grid_sample_area, grid_sample_mode, grid_sample_padding),
)

ROWS = (
    CONCAT,
    SPLIT,
    SLICE,
    RESHAPE,
    TRANSPOSE,
    NOTHING,
    RESIZE,
    DEPTH_TO_SPACE,
    PAD,
    EXPAND,
    GATHER,
    GATHER_ELEMENTS,
    GRID_SAMPLE,
)
