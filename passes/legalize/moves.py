"""Data movement written with the movements that the chip has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, ClassVar

import numpy as np

from y10c.ir.value import Value
from y10c.passes.canonicalize.extents import extents
from y10c.passes.legalize.build import along_batch, piece, repeat, reshape, transpose
from y10c.passes.legalize.guard import LegalizePass
from y10c.rewrite import Rewriter, Rule, any_of, const, decline, op, rest, rule, var
from y10c.rewrite.pattern import Pattern

x, y = var("x"), var("y")
PADS, AXES, SHAPE, REPEATS = const("PADS"), const("AXES"), const("SHAPE"), const("REPEATS")
ROI, SCALES, SIZES = var("roi"), const("SCALES"), const("SIZES")


@rule(match=op.Split(x, y.optional(), bind="split"))
def split_to_slices(rw: Rewriter, m: Any) -> Any:
    """A Split is one Slice a part."""
    axis = m.split.axis % len(extents(m.x))
    bounds = accumulate((extents(part)[axis] for part in m.root.results), initial=0)
    return [piece(rw, m.x, axis, start, stop) for start, stop in pairwise(bounds)]


@rule(match=op.Concat(rest("parts"), bind="concat"))
def concat_batch_along_channels(rw: Rewriter, m: Any) -> Any:
    """A Concat along the first axis is one along the second of parts with an axis in front."""
    if m.concat.axis % len(extents(m.root.results[0])):
        return decline("it does not go along the first axis")
    return along_batch(rw, m.parts)


@rule(match=op.DepthToSpace(x, bind="op"))
def depth_to_space_by_moves(rw: Rewriter, m: Any) -> Any:
    """DepthToSpace is a Transpose between two Reshapes."""
    (n, c, h, w), block = extents(m.x), m.op.blocksize
    depth = c // block**2
    if m.op.mode == "CRD":
        blocks = transpose(rw, reshape(rw, m.x, (n, depth, block, block, h, w)), 0, 1, 4, 2, 5, 3)
    else:
        blocks = transpose(rw, reshape(rw, m.x, (n, block, block, depth, h, w)), 0, 3, 4, 1, 5, 2)
    return reshape(rw, blocks, (n, depth, h * block, w * block))


@rule(match=op.SpaceToDepth(x, bind="op"))
def space_to_depth_by_moves(rw: Rewriter, m: Any) -> Any:
    """SpaceToDepth is a Transpose between two Reshapes."""
    (n, c, h, w), block = extents(m.x), m.op.blocksize
    parts = reshape(rw, m.x, (n, c, h // block, block, w // block, block))
    blocks = transpose(rw, parts, 0, 3, 5, 1, 2, 4)
    return reshape(rw, blocks, (n, c * block**2, h // block, w // block))


@rule(match=op.Pad(x, PADS, y.optional(), AXES.optional(), bind="pad"))
def pad_by_slices(rw: Rewriter, m: Any) -> Any:
    """A Pad that reflects or repeats the edge is a Concat of Slices."""
    shape = extents(m.x)
    if m.pad.mode not in ("reflect", "edge"):
        return decline("it pads with a constant or wraps")
    axes = range(len(shape)) if m.AXES is None else [int(a) % len(shape) for a in m.AXES]
    before, after = np.split(m.PADS, 2)
    if (m.PADS < 0).any():
        return decline("it crops")
    value = m.x
    for axis, front, back in zip(axes, before, after, strict=True):
        value = _padded(rw, value, axis, int(front), int(back), m.pad.mode == "reflect")
    return value if value is not m.x else decline("it pads nothing")


def _padded(rw: Rewriter, x: Value, axis: int, front: int, back: int, mirrored: bool) -> Value:
    size = x.tensor_type.static_shape[axis]
    before, after = (_mirror if mirrored else _edge)(rw, x, axis, size, front, back)
    parts = [*([before] if front else []), x, *([after] if back else [])]
    joined: Value = rw.op.Concat(*parts, axis=axis) if len(parts) > 1 else x
    return joined


def _mirror(rw: Rewriter, x: Value, axis: int, size: int, front: int, back: int) -> tuple[Value, Value]:
    before = piece(rw, x, axis, front, 0, -1) if front else x
    last = size - 2 - back
    after = piece(rw, x, axis, size - 2, last if last >= 0 else -size - 1, -1) if back else x
    return before, after


def _edge(rw: Rewriter, x: Value, axis: int, size: int, front: int, back: int) -> tuple[Value, Value]:
    before = repeat(rw, piece(rw, x, axis, 0, 1), axis, front) if front else x
    after = repeat(rw, piece(rw, x, axis, size - 1, size), axis, back) if back else x
    return before, after


@rule(match=op.Expand(x, SHAPE))
def expand_axis_by_axis(rw: Rewriter, m: Any) -> Any:
    """An Expand along several axes is one Expand after another."""
    shape, wanted = extents(m.x), extents(m.root.results[0])
    now = (1,) * (len(wanted) - len(shape)) + shape
    axes = [axis for axis, (a, b) in enumerate(zip(now, wanted, strict=True)) if a != b]
    if len(axes) < 2:
        return decline("it goes along one axis")
    value = m.x if now == shape else reshape(rw, m.x, now)
    for axis in axes:
        value = repeat(rw, value, axis, wanted[axis])
    return value


@rule(match=op.Tile(x, REPEATS))
def tile_axis_by_axis(rw: Rewriter, m: Any) -> Any:
    """A Tile along several axes is one Tile after another."""
    axes = [axis for axis, times in enumerate(m.REPEATS) if times != 1]
    if len(axes) < 2:
        return decline("it goes along one axis")
    value = m.x
    for axis in axes:
        once = np.ones_like(m.REPEATS)
        once[axis] = m.REPEATS[axis]
        value = rw.op.Tile(value, rw.const(once))
    return value


def nearest(**attrs: Any) -> tuple[Pattern, Pattern]:
    """A nearest Resize by factors, and one to extents, with attributes that must hold."""
    by_factors = op.Resize(x, ROI.optional(), SCALES, bind="resize", mode="nearest", **attrs)
    to_extents = op.Resize(
        x, ROI.optional(), SCALES.optional(), SIZES, bind="resize", mode="nearest", **attrs
    )
    return by_factors, to_extents


@rule(
    match=any_of(
        *nearest(coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
        *nearest(coordinate_transformation_mode="half_pixel", nearest_mode="round_prefer_floor"),
        *nearest(coordinate_transformation_mode="half_pixel", nearest_mode="round_prefer_ceil"),
        *nearest(coordinate_transformation_mode="pytorch_half_pixel", nearest_mode="round_prefer_floor"),
    )
)
def enlarge_by_repeating(rw: Rewriter, m: Any) -> Any:
    """A nearest Resize by whole factors repeats each row and column, where every pixel comes from its own."""
    before, after = extents(m.x), extents(m.root.results[0])
    factors = _whole_factors(before, after, m)
    if factors is None:
        return decline("it does not enlarge H and W by whole numbers")
    n, c, h, w = before
    high, wide = factors
    value = m.x
    if high > 1:
        value = reshape(rw, repeat(rw, reshape(rw, value, (n, c, h, 1, w)), 3, high), (n, c, h * high, w))
    if wide > 1:
        value = reshape(rw, repeat(rw, reshape(rw, value, (n, c, h * high, w, 1)), 4, wide), after)
    return value if value is not m.x else decline("it changes nothing")


@rule(match=any_of(*nearest(coordinate_transformation_mode="asymmetric")))
def shrink_by_slicing(rw: Rewriter, m: Any) -> Any:
    """A nearest Resize to a half, a quarter … takes every second, fourth … row and column."""
    before, after = extents(m.x), extents(m.root.results[0])
    steps = _whole_factors(after, before, m)
    if steps is None or any(step & (step - 1) for step in steps):
        return decline("it does not shrink H and W by powers of two")
    value = m.x
    for axis, step in enumerate(steps, 2):
        if step > 1:
            value = piece(rw, value, axis, 0, before[axis], step)
    return value if value is not m.x else decline("it changes nothing")


def _whole_factors(small: Any, large: Any, m: Any) -> tuple[int, int] | None:
    """By what H and W of `large` are those of `small`, where these are whole and N and C are equal."""
    if len(small) != 4 or small[:2] != large[:2]:
        return None
    if any(b % a for a, b in zip(small, large, strict=True)):
        return None
    whole = large[2] // small[2], large[3] // small[3]
    if m.root.operand(3) is not None:
        return whole
    axes = (axis % 4 for axis in m.resize.attrs.get("axes", range(4)))
    said = dict(zip(axes, map(float, m.SCALES), strict=True))
    return whole if all(said.get(a, 1) in (f, 1 / f) for a, f in enumerate(whole, 2)) else None


@dataclass(frozen=True)
class LegalizeMoves(LegalizePass):
    """Write Split, Concat, Pad, Expand, Tile, Resize and blocks with movements that the chip has."""

    name: ClassVar[str] = "legalize-moves"
    rules: ClassVar[Sequence[Rule]] = (
        split_to_slices,
        concat_batch_along_channels,
        depth_to_space_by_moves,
        space_to_depth_by_moves,
        pad_by_slices,
        expand_axis_by_axis,
        tile_axis_by_axis,
        enlarge_by_repeating,
        shrink_by_slicing,
    )
