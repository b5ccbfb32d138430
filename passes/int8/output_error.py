"""How far the outputs of a quantized network are from the float ones, in a number that choices are made by.

A detector is judged by what detections are made of: class probabilities, and box sides where there is
something. Everything else by the noise on its outputs relative to their signal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from y10c.detect.head_info import HeadInfo
from y10c.ir.value import Value
from y10c.quant.error import distribution_shift, probability_shift

BOX_WEIGHT = 15.0
"""Box sides shift by cells, class probabilities by sums over all anchors; on YOLOv10n this makes both weigh
alike. fitted: 60 calibration images of YOLOv10n."""

CONFIDENT = 0.25
"""Class probability above which an anchor is a detection."""

Arrays = Mapping[str, NDArray[Any]]


class OutputError(Protocol):
    """A measure of the outputs of one sample, and what a mean of it is worth."""

    @property
    def names(self) -> tuple[str, ...]:
        """The tensors that are compared."""

    def measure(self, reference: Arrays, found: Arrays) -> NDArray[np.float64]:
        """The parts of the error on one sample, which are averaged over samples."""

    def gain(self, mean: NDArray[np.float64]) -> float:
        """The error as one number that adds up over independent noises."""

    def weight(self, reference: Arrays) -> float:
        """How much a sample tells: samples with more are preferred."""


@dataclass(frozen=True)
class DetectorError:
    """Shift of class probabilities `p`, and of box sides `b` in cells: `p^2 + (15 b)^2`.

    Args:
        scales: Names of the class and box logits of each scale, both `[1, channels, H, W]`.
        bins: Bins of a side's distribution.
    """

    scales: tuple[tuple[str, str], ...]
    bins: int

    @property
    def names(self) -> tuple[str, ...]:
        """The tensors that are compared."""
        return tuple(name for pair in self.scales for name in pair)

    def measure(self, reference: Arrays, found: Arrays) -> NDArray[np.float64]:
        """`(p, b)` summed over scales."""
        scales = np.array([self._scale(*pair, reference, found) for pair in self.scales])
        return np.asarray(scales.sum(axis=0), np.float64)

    def gain(self, mean: NDArray[np.float64]) -> float:
        """Noise adds in squares."""
        return float(mean[0] ** 2 + (BOX_WEIGHT * mean[1]) ** 2)

    def weight(self, reference: Arrays) -> float:
        """The number of detections."""
        return float(sum((_confidence(reference[c]) > CONFIDENT).sum() for c, _ in self.scales))

    def _scale(self, classes: str, boxes: str, reference: Arrays, found: Arrays) -> tuple[float, float]:
        sides = [x[boxes][0].reshape(4 * self.bins, -1) for x in (reference, found)]
        moved = distribution_shift(sides[0], sides[1], _confidence(reference[classes]))
        return probability_shift(reference[classes], found[classes]), moved


@dataclass(frozen=True)
class SignalError:
    """Noise on the outputs over their signal, summed over outputs.

    Args:
        names: The tensors that are compared.
    """

    names: tuple[str, ...]

    def measure(self, reference: Arrays, found: Arrays) -> NDArray[np.float64]:
        """The share of noise in each output."""
        return np.array([_noise_share(reference[n], found[n]) for n in self.names])

    def gain(self, mean: NDArray[np.float64]) -> float:
        """Powers of noise add."""
        return float(mean.sum())

    def weight(self, reference: Arrays) -> float:
        """All samples tell alike."""
        return 0.0


def output_error(exits: Sequence[Value], head: HeadInfo | None) -> OutputError:
    """The measure for a network by what leaves its integer part.

    Args:
        exits: Results of the last integer ops.
        head: What is known of a detection head.
    """
    scales = _scales(exits, head) if head is not None and head.found else ()
    if head is None or not scales:
        return SignalError(tuple(v.name for v in exits))
    return DetectorError(scales, head.reg_max)


def _scales(exits: Sequence[Value], head: HeadInfo) -> tuple[tuple[str, str], ...]:
    """Class and box logits of each scale; nothing where they cannot be told apart."""
    boxes = 4 * head.reg_max
    if not head.distribution or head.reg_max < 2 or boxes == head.classes:
        return ()
    found = []
    for extent in head.extents:
        places = {v.shape: v.name for v in exits}
        pair = (places.get((1, head.classes, *extent)), places.get((1, boxes, *extent)))
        if pair[0] is None or pair[1] is None:
            return ()
        found.append((pair[0], pair[1]))
    return tuple(found)


def _confidence(logits: NDArray[Any]) -> NDArray[np.float64]:
    highest = logits[0].reshape(logits.shape[1], -1).max(axis=0).astype(np.float64)
    return np.asarray(0.5 * (1 + np.tanh(0.5 * highest)), np.float64)


def _noise_share(reference: NDArray[Any], found: NDArray[Any]) -> float:
    signal = float(np.square(reference, dtype=np.float64).sum())
    noise = float(np.square(found.astype(np.float64) - reference).sum())
    return noise / signal if signal > 0 else float(noise > 0)
