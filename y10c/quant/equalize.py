"""Channel scales moved between neighbours, so that all channels of a tensor use its one grid.

A scale `s` on a channel is undone by `1 / s` in whatever reads it. That is exact where only positively
homogeneous operations lie between (Conv, Relu, MaxPool, Concat, Resize); through SiLU it is not, there the
table's output needs an explicit Mul by `1 / s`, which costs vector time and no MACs.
Sources: M. Nagel et al., ICCV 2019 (equalization); G. Xiao et al., "SmoothQuant", ICML 2023 (smoothing).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]

LIMIT = 2.0**10
"""Greatest scale and reciprocal of the least: keeps dead channels from exploding. assumed."""


def equalizing_scales(before: NDArray[Any], after: NDArray[Any]) -> Reals:
    """Scales that make the weight ranges on both sides of each channel equal.

    Args:
        before: `[C, ...]`, the weight that writes channel c in row c.
        after: `[O, C, ...]`, the weight that reads channel c in column c.

    Returns:
        `s` of `[C]`: divide `before` and its bias by it, multiply `after` by it.
    """
    r = np.abs(before.reshape(len(before), -1)).max(axis=1)
    q = np.abs(np.moveaxis(after, 1, 0).reshape(after.shape[1], -1)).max(axis=1)
    return _tame(np.sqrt(r.astype(np.float64)), np.sqrt(q.astype(np.float64)))


def smoothing_scales(activation: NDArray[Any], weight: NDArray[Any], strength: float = 0.5) -> Reals:
    """Scales that move the outliers of activation channels into the weight that reads them.

    Args:
        activation: Greatest magnitude of each channel, `[C]`.
        weight: `[O, C, ...]`.
        strength: 0 leaves the activations alone, 1 makes all their ranges equal.

    Returns:
        `s` of `[C]`, greatest 1 for the activations: divide them by it, multiply the weight by it.
    """
    q = np.abs(np.moveaxis(weight, 1, 0).reshape(weight.shape[1], -1)).max(axis=1).astype(np.float64)
    scales = _tame(activation.astype(np.float64) ** strength, q ** (1 - strength))
    return np.asarray(scales / scales.max(initial=1e-300), np.float64)


def scale_outputs(
    weight: NDArray[Any], bias: NDArray[Any] | None, scales: NDArray[Any]
) -> tuple[Reals, Reals | None]:
    """The weight `[C, ...]` and bias `[C]` of a layer whose outputs are divided by `scales` `[C]`."""
    column = scales.reshape(-1, *[1] * (weight.ndim - 1))
    return weight / column, None if bias is None else bias / scales


def scale_inputs(weight: NDArray[Any], scales: NDArray[Any], group: int = 1) -> Reals:
    """The weight `[O, C / group, ...]` of a layer that reads channels divided by `scales` `[C]`."""
    outputs, inside = weight.shape[:2]
    rows = np.repeat(scales.reshape(group, inside), outputs // group, axis=0)
    return np.asarray(weight * rows.reshape(outputs, inside, *[1] * (weight.ndim - 2)), np.float64)


def _tame(numerator: Reals, denominator: Reals) -> Reals:
    alive = (numerator > 0) & (denominator > 0)
    ratio = np.divide(numerator, denominator, out=np.ones_like(numerator), where=alive)
    return np.asarray(np.clip(ratio, 1 / LIMIT, LIMIT), np.float64)
