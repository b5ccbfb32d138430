"""How a convolution is cut so that its pieces fit a buffer, and the DDR bytes of each way to cut it.

A piece is `rows` x `columns` of the output times `channels` of it. Lines of the input stay in the buffer from
one piece to the one below, so only cuts across columns load their halo twice. Two orders are tried:

- `maps outer`: a piece of the input stays while all weights pass by, once for each piece;
- `weights outer`: some output channels' weights stay while the whole input passes by.

The bound is the compulsory traffic: the pixels that are touched, the weights, and the result, each once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from y10c.cost.workload import Geometry

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tile:
    """The best way to cut a layer: its sizes, order, bytes through DDR and bytes of buffer it needs."""

    rows: int
    columns: int
    channels: int
    order: str
    bytes: int
    buffer_bytes: int

    def __str__(self) -> str:
        return f"{self.rows}x{self.columns}x{self.channels} {self.order}"


def touched(outputs: Ints | int, kernel: int, stride: int, extent: int) -> Ints | int:
    """Input lines that `outputs` neighbouring outputs read, gaps between strided kernels left out."""
    lines = outputs * min(stride, kernel) + max(kernel - stride, 0)
    return np.minimum(lines, extent) if isinstance(lines, np.ndarray) else min(lines, extent)


def bound_bytes(g: Geometry, activation_bits: int = 8, weight_bits: int = 8) -> int:
    """Compulsory bytes of a layer: nothing is moved twice."""
    pixels = touched(g.out_h, g.kernel_h, g.stride_h, g.in_h) * touched(
        g.out_w, g.kernel_w, g.stride_w, g.in_w
    )
    maps = g.batch * g.groups * (pixels * g.in_c + g.out_h * g.out_w * g.out_c)
    weights = g.groups * g.out_c * g.in_c * g.taps
    return int(maps * activation_bits + weights * weight_bits + 7) // 8


@lru_cache(maxsize=4096)
def best_tile(g: Geometry, buffer: float, activation_bits: int = 8, weight_bits: int = 8) -> Tile | None:
    """The cut with the fewest bytes, then the largest piece; None where not even one pixel's work fits.

    Up to about a thousand cuts are tried; a layer that fits whole is not cut.
    """
    whole = np.array([[g.out_h], [g.out_w], [g.out_c]], np.int64)
    tile = _best(g, whole, buffer, activation_bits / 8, weight_bits / 8)
    if tile is not None:
        return tile
    axes = np.meshgrid(_sizes(g.out_h), _sizes(g.out_w), _sizes(g.out_c), indexing="ij")
    return _best(g, np.stack([axis.ravel() for axis in axes]), buffer, activation_bits / 8, weight_bits / 8)


def _best(g: Geometry, cuts: Ints, buffer: float, activation: float, weight: float) -> Tile | None:
    """The best of some cuts (rows, columns and channels, one cut a column); operand widths in bytes."""
    rows, columns, channels = cuts
    need = _needed(g, cuts, activation, weight)
    passes = -(-g.out_c // channels)
    pieces = g.batch * -(-g.out_h // rows) * -(-g.out_w // columns)
    source = _source_elements(g, columns) * activation
    weights = g.groups * g.out_c * g.in_c * g.taps * weight
    result = g.batch * g.groups * g.out_h * g.out_w * g.out_c * activation
    maps_outer = source + weights * np.where(passes == 1, 1, pieces) + result
    weights_outer = source * np.where(pieces == 1, 1, passes) + weights + result
    total = np.where(need <= buffer, np.minimum(maps_outer, weights_outer), np.inf)
    best = int(np.lexsort((-rows * columns * channels, total))[0])
    if not np.isfinite(total[best]):
        return None
    order = "maps outer" if maps_outer[best] <= weights_outer[best] else "weights outer"
    return Tile(
        int(rows[best]),
        int(columns[best]),
        int(channels[best]),
        order,
        int(np.ceil(total[best])),
        int(np.ceil(need[best])),
    )


def _needed(g: Geometry, cuts: Ints, activation: float, weight: float) -> Floats:
    """Bytes of buffer for one piece: the input lines that it reads, its weights, its result."""
    rows, columns, channels = cuts
    lines = touched(rows, g.kernel_h, g.stride_h, g.in_h)
    width = touched(columns, g.kernel_w, g.stride_w, g.in_w)
    maps = lines * width * g.in_c + rows * columns * channels
    return np.asarray(maps * activation + channels * g.in_c * g.taps * weight, float)


def _sizes(extent: int) -> Ints:
    """Cuts into 1, 2, 3, 4, 6, 8 pieces, then halves, and single lines: sizes worth trying along one axis."""
    counts = np.array([1, 2, 3, 4, 6, *(2 ** np.arange(3, 17))])
    return np.unique(np.append(-(-extent // counts[counts <= 2 * extent]), 1)).astype(np.int64)


def _source_elements(g: Geometry, columns: Ints) -> Ints:
    """Elements of the input loaded in one pass: rows once, halo columns again for every cut across."""
    count = -(-g.out_w // columns)
    whole = int(touched(g.out_w, g.kernel_w, g.stride_w, g.in_w))
    halo = (count - 1) * max(g.kernel_w - g.stride_w, 0)
    rows = int(touched(g.out_h, g.kernel_h, g.stride_h, g.in_h))
    return np.asarray(g.batch * g.groups * g.in_c * rows * (whole + halo), np.int64)
