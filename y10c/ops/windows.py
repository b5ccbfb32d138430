"""Sliding windows over the spatial axes: padding, output extents, and where each tap of a kernel reads.

Shapes are [N, C, spatial...] throughout. Source: ONNX operators Conv and AveragePool.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from y10c.ir.tensor import Array
from y10c.ir.types import Dim
from y10c.ops import math


@dataclass(frozen=True)
class Window:
    """The geometry of a convolution or pooling, one number a spatial axis.

    Args:
        kernel: Taps.
        strides: Steps between windows.
        dilations: Steps between taps.
        begin: Padding in front.
        end: Padding behind.
        ceil: A last window that is only partly filled counts.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    begin: tuple[int, ...]
    end: tuple[int, ...]
    ceil: bool = False

    @classmethod
    def of(cls, attrs: Mapping[str, Any], kernel: Sequence[int], spatial: Sequence[Dim]) -> Window | None:
        """The geometry that attributes describe over `spatial` input extents.

        None where automatic padding depends on an extent that is not a number.
        """
        axes = len(kernel)
        strides = tuple(attrs.get("strides") or (1,) * axes)
        dilations = tuple(attrs.get("dilations") or (1,) * axes)
        mode = str(attrs.get("auto_pad") or "NOTSET")
        ceil = bool(attrs.get("ceil_mode"))
        if mode in ("NOTSET", "VALID"):
            pads = tuple((attrs.get("pads") if mode == "NOTSET" else None) or (0,) * (2 * axes))
            return cls(tuple(kernel), strides, dilations, pads[:axes], pads[axes:], ceil)
        if not all(isinstance(d, int) for d in spatial):
            return None
        pairs = [
            _same_padding(int(d or 0), k, s, g, mode)
            for d, k, s, g in zip(spatial, kernel, strides, dilations, strict=True)
        ]
        begin, end = tuple(p[0] for p in pairs), tuple(p[1] for p in pairs)
        return cls(tuple(kernel), strides, dilations, begin, end, False)

    def extent(self, axis: int, size: int) -> int:
        """Windows along spatial axis `axis` of `size` input elements."""
        reach = self.dilations[axis] * (self.kernel[axis] - 1) + 1
        room = size + self.begin[axis] + self.end[axis] - reach
        if not self.ceil:
            return room // self.strides[axis] + 1
        count = -(-room // self.strides[axis]) + 1
        # A window that would start in the padding behind is left out. Source: ONNX operator AveragePool.
        return count - ((count - 1) * self.strides[axis] >= size + self.begin[axis])

    def extents(self, spatial: Sequence[Dim]) -> tuple[Dim, ...]:
        """Output extents; None where the input extent is not a number."""
        return tuple(self.extent(i, d) if isinstance(d, int) else None for i, d in enumerate(spatial))

    def taps(self) -> Iterator[tuple[int, ...]]:
        """Every position in the kernel."""
        return product(*(range(k) for k in self.kernel))

    def padded(self, x: Array, value: Any = 0) -> Array:
        """`x` with its padding, and enough behind it for a partly filled last window."""
        spatial = x.shape[2:]
        behind = []
        for axis, size in enumerate(spatial):
            reach = self.dilations[axis] * (self.kernel[axis] - 1) + 1
            last = (self.extent(axis, size) - 1) * self.strides[axis] + reach
            behind.append(max(self.end[axis], last - size - self.begin[axis]))
        shape = tuple(b + n + e for b, n, e in zip(self.begin, spatial, behind, strict=True))
        result = math.full((*x.shape[:2], *shape), value, x)
        inner = tuple(slice(b, b + n) for b, n in zip(self.begin, spatial, strict=True))
        result[(slice(None), slice(None), *inner)] = x
        return result

    def read(self, padded: Array, tap: Sequence[int], extents: Sequence[int]) -> Array:
        """What one tap reads in every window: [N, C, extents...]."""
        return padded[
            (
                slice(None),
                slice(None),
                *(
                    slice(t * d, t * d + (n - 1) * s + 1, s)
                    for t, d, s, n in zip(tap, self.dilations, self.strides, extents, strict=True)
                ),
            )
        ]

    def patches(self, x: Array, value: Any = 0) -> Array:
        """What every tap reads: [taps, N, C, output extents...]."""
        padded = self.padded(x, value)
        extents = [self.extent(i, n) for i, n in enumerate(x.shape[2:])]
        return np.stack([self.read(padded, tap, extents) for tap in self.taps()])


def _same_padding(size: int, kernel: int, stride: int, dilation: int, mode: str) -> tuple[int, int]:
    count = -(-size // stride)
    total = max(0, (count - 1) * stride + dilation * (kernel - 1) + 1 - size)
    small, large = total // 2, total - total // 2
    return (small, large) if mode == "SAME_UPPER" else (large, small)
