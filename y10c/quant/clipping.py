"""Ranges narrower than min to max: the loss of clipped tails against the gain of finer steps.

Activations come as a histogram (values and counts), weights as themselves. The exponent of the error
decides how much a tail is worth. On YOLOv10n the mean square (2) agreed clearly less with the float
detections than the maximum did; 3 was the best of 3, 4 and the maximum, by little more than the noise.
Attention's Softmax wants 2: its rare large probabilities are worth less than the many small ones.
Source of range search by expected error: R. Banner et al., "Post-training 4-bit quantization", NeurIPS 2019.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from y10c.quant.qparams import choose_qparams, dequantize, integer_range, quantize, weight_qparams

TAIL_EXPONENT = 3.0
"""Exponent of the error for activations. fitted: 60 calibration images of YOLOv10n, see the module."""


def expected_error(
    values: NDArray[Any],
    counts: NDArray[Any],
    scale: float,
    zero: int,
    *,
    bits: int = 8,
    exponent: float = TAIL_EXPONENT,
) -> float:
    """Mean of `|dequantize(quantize(v)) - v| ** exponent` over a histogram.

    Args:
        values: Bin centers.
        counts: How often each occurs, same shape.
        scale: Step of the grid.
        zero: Zero point.
        bits: Width of the signed integer.
        exponent: 2 is the mean squared error; larger ones spare the tails.
    """
    found = dequantize(quantize(values, scale, zero, bits), scale, zero).astype(np.float64)
    error = np.abs(found - values) ** exponent
    return float(np.average(error, weights=counts)) if counts.sum() else 0.0


def best_range(
    values: NDArray[Any],
    counts: NDArray[Any],
    *,
    bits: int = 8,
    symmetric: bool = True,
    exponent: float = TAIL_EXPONENT,
    candidates: int = 40,
    floor: float = 0.2,
) -> tuple[float, float]:
    """The range `(low, high)` of least expected error among shrunken copies of the whole range.

    Both ends shrink towards zero by the same bound, so the side that is already short (SiLU's -0.28)
    stays whole.

    Args:
        values: Bin centers; the outermost with a count are the whole range.
        counts: How often each occurs, same shape.
        bits: Width of the signed integer.
        symmetric: As for `choose_qparams`.
        exponent: See `expected_error`.
        candidates: Bounds tried between `floor` and 1 times the greatest magnitude.
        floor: Least share of the greatest magnitude.
    """
    present = counts > 0
    if not present.any():
        return 0.0, 0.0
    values, counts = values[present], counts[present]
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    best, chosen = np.inf, (low, high)
    for share in np.linspace(1.0, floor, candidates):
        bound = share * max(high, -low)
        trial = max(low, -bound), min(high, bound)
        scale, zero = choose_qparams(*trial, bits=bits, symmetric=symmetric)
        error = expected_error(values, counts, scale, zero, bits=bits, exponent=exponent)
        if error < best:
            best, chosen = error, trial
    return chosen


def weight_clip(
    w: NDArray[Any],
    *,
    axis: int = 0,
    bits: int = 8,
    floor: float = 0.5,
    candidates: int = 26,
) -> NDArray[np.float32]:
    """The share of each channel's maximum that gives the least squared error, `[C]` in `[floor, 1]`.

    At 8 bits it is nearly always 1; it matters at 4.

    Args:
        w: The weight, any rank.
        axis: Axis of the output channels.
        bits: Width of the narrow grid.
        floor: Least share.
        candidates: Shares tried.
    """
    rows = np.moveaxis(w, axis, 0).reshape(w.shape[axis], -1).astype(np.float64)
    limit = integer_range(bits, narrow=True)[1]
    whole, _ = weight_qparams(rows, bits=bits)
    best, chosen = np.full(len(rows), np.inf), np.ones(len(rows), np.float32)
    for share in np.linspace(1.0, floor, candidates):
        step = whole[:, None].astype(np.float64) * share
        error = ((np.clip(np.rint(rows / step), -limit, limit) * step - rows) ** 2).sum(axis=1)
        better = error < best
        best[better], chosen[better] = error[better], share
    return chosen
