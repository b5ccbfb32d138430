"""YUV and RGB, in numbers: matrices for the graph, and the same conversions on arrays for hosts and tests.

BT.601 as JFIF uses it for full range (ITU-T T.871, section 7) and as ITU-R BT.601-7 section 2.5 for video
range. That a chip repeats each chroma sample over its 2x2 block is assumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

KR, KG, KB = 0.299, 0.587, 0.114
"""Shares of red, green and blue in luma (BT.601)."""


@dataclass(frozen=True)
class Affine:
    """`matrix @ channels + offset`, in pixel units.

    Args:
        matrix: float64 [3, 3].
        offset: float64 [3].
    """

    matrix: Array
    offset: Array

    def __call__(self, pixels: Array) -> Array:
        """The map on the last axis."""
        made: Array = pixels @ self.matrix.T + self.offset
        return made

    def then(self, other: Affine) -> Affine:
        """This map, and the other after it."""
        return Affine(other.matrix @ self.matrix, other.matrix @ self.offset + other.offset)

    def inverse(self) -> Affine:
        """The map back."""
        back = np.linalg.inv(self.matrix)
        return Affine(back, -back @ self.offset)

    @property
    def is_identity(self) -> bool:
        """True where it changes nothing."""
        return bool((self.matrix == np.eye(3)).all() and (self.offset == 0).all())


IDENTITY = Affine(np.eye(3), np.zeros(3))
SWAP = Affine(np.eye(3)[::-1].copy(), np.zeros(3))
"""RGB to BGR and back."""


def rgb_to_yuv(video: bool = False) -> Affine:
    """RGB to YUV, both 0 to 255; in video range Y is 16 to 235 and chroma 16 to 240."""
    y = np.array([KR, KG, KB])
    u = (np.array([0, 0, 1.0]) - y) / (2 * (1 - KB))
    v = (np.array([1.0, 0, 0]) - y) / (2 * (1 - KR))
    matrix = np.stack([y, u, v])
    if video:
        return Affine(matrix * np.array([[219.0], [224.0], [224.0]]) / 255, np.array([16.0, 128.0, 128.0]))
    return Affine(matrix, np.array([0, 128.0, 128.0]))


def yuv_to_rgb(video: bool = False) -> Affine:
    """YUV to RGB; see `rgb_to_yuv`."""
    return rgb_to_yuv(video).inverse()


def to_pixels(values: Array) -> NDArray[np.uint8]:
    """Values rounded into 0 to 255."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def rgb_to_nv12(rgb: NDArray[np.uint8], video: bool = False) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A picture as NV12: chroma is the mean of each 2x2 block.

    Args:
        rgb: uint8 [height, width, 3], both extents even.
        video: Whether to make video range.

    Returns:
        y, uint8 [1, height, width, 1], and uv, uint8 [1, height/2, width/2, 2].
    """
    yuv = rgb_to_yuv(video)(rgb.astype(np.float64))
    height, width = rgb.shape[:2]
    blocks = yuv[..., 1:].reshape(height // 2, 2, width // 2, 2, 2)
    return to_pixels(yuv[None, ..., :1]), to_pixels(blocks.mean(axis=(1, 3)))[None]


def nv12_to_rgb(y: NDArray[np.uint8], uv: NDArray[np.uint8], video: bool = False) -> Array:
    """NV12 as RGB: float64 [height, width, 3] from 0 to 255, not rounded."""
    wide = uv[0].repeat(2, axis=0).repeat(2, axis=1)
    yuv = np.concatenate([y[0], wide], axis=-1).astype(np.float64)
    return np.clip(yuv_to_rgb(video)(yuv), 0, 255)


def subsampling_bound(rgb: NDArray[np.uint8], video: bool = False) -> Array:
    """How far a pixel can move by NV12: float64 [height, width, 3], in pixel units.

    Chroma moves from a pixel's own to the mean of its block; luma and chroma are each rounded by at most a
    half, and rounded chroma that leaves 0 to 255 is cut there. The map back weighs these with the absolute
    values of its matrix; cutting RGB to 0 to 255 only brings it nearer to the picture.
    """
    yuv = rgb_to_yuv(video)(rgb.astype(np.float64))
    height, width = rgb.shape[:2]
    means = yuv[..., 1:].reshape(height // 2, 2, width // 2, 2, 2).mean(axis=(1, 3))
    moved = np.abs(yuv[..., 1:] - means.repeat(2, axis=0).repeat(2, axis=1))
    beyond = np.maximum(means - 255, 0).repeat(2, axis=0).repeat(2, axis=1)
    steps = np.concatenate([np.full((height, width, 1), 0.5), moved + np.maximum(beyond, 0.5)], axis=-1)
    bound: Array = steps @ np.abs(yuv_to_rgb(video).matrix).T
    return bound
