"""Running the blocks on float64 arrays `[batch, channels, height, width]`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from y10c.zoo.blocks import Role

Array = NDArray[np.float64]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Parameters:
    """The weights `[out, in / groups, kernel, kernel]` and the bias `[out]` of one convolution."""

    weight: Floats
    bias: Floats


def conv(x: Array, weight: Array, stride: int) -> Array:
    """Convolution without bias, padded by half the kernel.

    Args:
        x: `[batch, in, height, width]`.
        weight: `[out, in, kernel, kernel]`, or `[channels, 1, kernel, kernel]` for a depthwise one.
        stride: Step in both directions.
    """
    out, inner, kernel = weight.shape[:3]
    if inner == 1 and x.shape[1] == out:
        return _depthwise(x, weight[:, 0], stride)
    if stride == 1:
        return _shifted(x, weight)
    windows = sliding_window_view(_pad(x, kernel, 0.0), (kernel, kernel), axis=(2, 3))[
        :, :, ::stride, ::stride
    ]
    batch, _, height, width = windows.shape[:4]
    columns = windows.transpose(0, 1, 4, 5, 2, 3).reshape(batch, -1, height * width)
    return np.asarray(np.matmul(weight.reshape(out, -1), columns).reshape(batch, out, height, width))


def _shifted(x: Array, weight: Array) -> Array:
    """One product for each tap: in the padded image laid flat, a tap is a shift and needs no copy."""
    out, _, kernel = weight.shape[:3]
    batch, channels, height, width = x.shape
    padded = _pad(x, kernel, 0.0)
    wide, edge = padded.shape[3], kernel // 2
    flat = padded.reshape(batch, channels, -1)
    length = height * wide - 2 * edge
    total = np.zeros((batch, out, height * wide))
    for i in range(kernel):
        for j in range(kernel):
            start = i * wide + j
            total[..., :length] += np.matmul(weight[:, :, i, j], flat[..., start : start + length])
    return total.reshape(batch, out, height, wide)[..., :width]


def _depthwise(x: Array, weight: Array, stride: int) -> Array:
    kernel = weight.shape[1]
    padded = _pad(x, kernel, 0.0)
    height, width = x.shape[2:]
    total = np.zeros((*x.shape[:2], -(-height // stride), -(-width // stride)))
    for i in range(kernel):
        for j in range(kernel):
            seen = padded[:, :, i : i + height : stride, j : j + width : stride]
            total += weight[:, i, j, None, None] * seen
    return total


def _pad(x: Array, kernel: int, value: float) -> Array:
    edge = kernel // 2
    return np.pad(x, ((0, 0), (0, 0), (edge, edge), (edge, edge)), constant_values=value)


def silu(x: Array) -> Array:
    """`x * sigmoid(x)`."""
    return np.asarray(x / (1 + np.exp(-x)))


def max_pool(x: Array, kernel: int) -> Array:
    """Maximum over a square window at stride 1, one axis after the other."""
    padded = _pad(x, kernel, -np.inf)
    rows = sliding_window_view(padded, kernel, axis=2).max(axis=-1)
    return np.asarray(sliding_window_view(rows, kernel, axis=3).max(axis=-1))


def upsample(x: Array) -> Array:
    """Nearest neighbour, twice the height and width."""
    return x.repeat(2, axis=2).repeat(2, axis=3)


def softmax(x: Array) -> Array:
    """Softmax over the last axis."""
    raised = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


@dataclass(frozen=True)
class ArrayTape:
    """The interpreter of the blocks that computes, in float64."""

    parameters: Mapping[str, Parameters]

    def channels(self, x: Array) -> int:
        """See `Tape`."""
        return int(x.shape[1])

    def conv(
        self,
        name: str,
        x: Array,
        out: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        *,
        role: Role = Role.ACTIVATED,
    ) -> Array:
        """See `Tape`."""
        chosen = self.parameters[name]
        y = conv(x, chosen.weight.astype(np.float64), stride) + chosen.bias[:, None, None]
        return silu(y) if role is Role.ACTIVATED else y

    def split(self, name: str, x: Array, sizes: Sequence[int]) -> list[Array]:
        """See `Tape`."""
        return np.split(x, np.cumsum(sizes)[:-1], axis=1)

    def concat(self, name: str, parts: Sequence[Array]) -> Array:
        """See `Tape`."""
        return np.concatenate(parts, axis=1)

    def add(self, name: str, a: Array, b: Array) -> Array:
        """See `Tape`."""
        return a + b

    def pool(self, name: str, x: Array) -> Array:
        """See `Tape`."""
        return max_pool(x, 5)

    def upsample(self, name: str, x: Array) -> Array:
        """See `Tape`."""
        return upsample(x)

    def attention(self, name: str, qkv: Array, heads: int, key: int) -> tuple[Array, Array]:
        """See `Tape`."""
        batch, channels, height, width = qkv.shape
        parts = qkv.reshape(batch, heads, channels // heads, height * width)
        q, k, v = np.split(parts, [key, 2 * key], axis=2)
        shares = softmax(np.matmul(q.swapaxes(2, 3), k) * key**-0.5)
        attended = np.matmul(v, shares.swapaxes(2, 3))
        shape = batch, channels - 2 * heads * key, height, width
        return attended.reshape(shape), v.reshape(shape)
