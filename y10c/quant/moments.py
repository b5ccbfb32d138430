"""First and second moments of what a convolution multiplies, accumulated over calibration data.

The moments are sums, so they add over images and workers. They are all that weight rounding and bias
correction need: `rounding` minimizes `E[((W - V) x)^2] = (W - V) E[x x^T] (W - V)^T` without keeping `x`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Window:
    """Where a convolution looks.

    Args:
        kernel: Extents `(kh, kw)`.
        strides: Steps `(sh, sw)`.
        pads: `(top, left, bottom, right)` zeros, the order of ONNX.
        dilations: Tap distances `(dh, dw)`.
        group: Number of groups.
    """

    kernel: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilations: tuple[int, int] = (1, 1)
    group: int = 1


@dataclass(frozen=True)
class Moments:
    """Sums over positions of a patch `x` of `K = C / group * kh * kw` values, for each group.

    Args:
        count: Positions seen, or the sum of their weights.
        first: Sum of `x`, `[group, K]`.
        second: Sum of `x x^T`, `[group, K, K]`.
    """

    count: float
    first: Reals
    second: Reals

    def __add__(self, other: Moments) -> Moments:
        """The moments of both sets of positions."""
        return Moments(self.count + other.count, self.first + other.first, self.second + other.second)

    @property
    def mean(self) -> Reals:
        """E[x], `[group, K]`."""
        return self.first / max(self.count, 1e-300)

    @property
    def covariance(self) -> Reals:
        """E[x x^T] - E[x] E[x]^T, `[group, K, K]`: what is left once the bias absorbs the mean."""
        mean = self.mean
        return self.second / max(self.count, 1e-300) - mean[:, :, None] * mean[:, None, :]


def patches(x: NDArray[Any], window: Window, select: NDArray[np.intp] | None = None) -> NDArray[np.float32]:
    """The patches under the window, one row a position.

    Args:
        x: Input `[N, C, H, W]`.
        window: Geometry of the convolution.
        select: Indices into the `N * OH * OW` positions in row-major order; all where None.

    Returns:
        float32 `[group, P, K]`, taps ordered as the weight `[O, C / group, kh, kw]` flattens.
    """
    (kh, kw), (sh, sw), (dh, dw) = window.kernel, window.strides, window.dilations
    top, left, bottom, right = window.pads
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right))) if any(window.pads) else x
    views = sliding_window_view(padded, ((kh - 1) * dh + 1, (kw - 1) * dw + 1), axis=(2, 3))
    views = views[:, :, ::sh, ::sw, ::dh, ::dw]
    n, channels, oh, ow = views.shape[:4]
    chosen = np.arange(n * oh * ow) if select is None else select
    image, rest = np.divmod(chosen, oh * ow)
    row, column = np.divmod(rest, ow)
    taps = views[image, :, row, column]
    grouped = taps.reshape(len(chosen), window.group, channels // window.group * kh * kw)
    return np.ascontiguousarray(grouped.transpose(1, 0, 2), dtype=np.float32)


def accumulate(x: NDArray[Any], weights: NDArray[Any] | None = None) -> Moments:
    """Moments of rows `x` `[group, P, K]`, each row counted with its weight `[P]` (1 where None)."""
    weighted = x if weights is None else x * weights[:, None].astype(x.dtype)
    second = np.matmul(weighted.transpose(0, 2, 1), x).astype(np.float64)
    count = float(x.shape[1] if weights is None else weights.sum())
    return Moments(count, weighted.sum(axis=1, dtype=np.float64), second)


def pick_positions(total: int, limit: int, seed: Sequence[int]) -> NDArray[np.intp]:
    """At most `limit` of `total` positions, sorted, without repeats; the same for the same seed."""
    if total <= limit:
        return np.arange(total)
    return np.sort(np.random.default_rng(seed).choice(total, limit, replace=False))
