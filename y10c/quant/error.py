"""What quantization did to a tensor or to a detector's head, as numbers that can be compared.

`probability_shift` and `distribution_shift` measure where it matters for a detector: AP of a few hundred
detections jumps by hundredths from one wrong box, these sums over all anchors do not, so choices are
made with them and only the final figure is AP.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def sqnr_db(reference: NDArray[Any], found: NDArray[Any]) -> float:
    """Signal to quantization noise, 10 log10(E[r^2] / E[(f - r)^2]) in dB; inf where they are equal."""
    signal = float(np.mean(np.square(reference, dtype=np.float64)))
    noise = float(np.mean(np.square(found.astype(np.float64) - reference)))
    if noise == 0:
        return float("inf")
    return float(10 * np.log10(signal / noise)) if signal > 0 else float("-inf")


def cosine(reference: NDArray[Any], found: NDArray[Any]) -> float:
    """Cosine of the angle between two tensors taken as vectors; 1 for two zeros, 0 for one."""
    r, f = reference.astype(np.float64).ravel(), found.astype(np.float64).ravel()
    norms = float(np.linalg.norm(r) * np.linalg.norm(f))
    if norms == 0:
        return 1.0 if not r.any() and not f.any() else 0.0
    return float(np.clip(r @ f / norms, -1.0, 1.0))


def probability_shift(reference: NDArray[Any], found: NDArray[Any]) -> float:
    """Sum of `|sigmoid(f) - sigmoid(r)|` over class logits of any shape."""
    return float(np.abs(_sigmoid(found) - _sigmoid(reference)).sum())


def distribution_shift(
    reference: NDArray[Any],
    found: NDArray[Any],
    confidence: NDArray[Any],
    *,
    least: float = 0.05,
) -> float:
    """Shift of box sides in cells, weighted by confidence, over anchors that could become detections.

    A side is the mean of the softmax over its bins (X. Li et al., "Generalized Focal Loss", 2020).

    Args:
        reference: Box logits `[4 * bins, A]`, the bins of a side adjacent.
        found: The same of the other model.
        confidence: Greatest class probability of each anchor in the reference, `[A]`.
        least: Anchors with less confidence do not count.
    """
    alive = confidence > least
    if not alive.any():
        return 0.0
    shift = np.abs(_sides(found[:, alive]) - _sides(reference[:, alive])).mean(axis=0)
    return float((shift * confidence[alive]).sum())


def _sigmoid(x: NDArray[Any]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = 0.5 * (1 + np.tanh(0.5 * x.astype(np.float64)))
    return result


def _sides(logits: NDArray[Any]) -> NDArray[np.float64]:
    bins = logits.reshape(4, -1, logits.shape[1]).astype(np.float64)
    weights = np.exp(bins - bins.max(axis=1, keepdims=True))
    places = np.arange(bins.shape[1]).reshape(1, -1, 1)
    result: NDArray[np.float64] = (weights * places).sum(axis=1) / weights.sum(axis=1)
    return result
