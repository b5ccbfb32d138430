"""Mean and variance of a feature map, predicted layer by layer without running an image.

Mean-field theory of random networks (B. Poole et al., arXiv 1606.05340): under random filters of norm 1 the
expected variance of an output is the mean variance of the inputs, at every spatial frequency alike, and a
channel before an activation is nearly Gaussian.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from y10c.zoo.arrays import Array

POOL_RISE = 0.7
"""assumed: by how many standard deviations a maximum over 5x5 neighbours lies above its middle."""
ATTENDED_VARIANCE = 0.3
"""assumed: share of the values' variance that averaging by attention leaves."""

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(15)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


@dataclass(frozen=True)
class Moments:
    """Mean and variance of each channel, `[channels]` each."""

    mean: Array
    variance: Array

    def activated(self) -> Moments:
        """After SiLU, by Gauss-Hermite quadrature."""
        points = self.mean[:, None] + np.sqrt(self.variance)[:, None] * _NODES
        values = points / (1 + np.exp(-points))
        mean = values @ _WEIGHTS
        return Moments(mean, (values**2) @ _WEIGHTS - mean**2)

    def added(self, other: Moments) -> Moments:
        """The sum with an independent map."""
        return Moments(self.mean + other.mean, self.variance + other.variance)

    def pooled(self) -> Moments:
        """After 5x5 maximum."""
        return Moments(self.mean + POOL_RISE * np.sqrt(self.variance), self.variance)

    def attended(self) -> Moments:
        """After averaging by attention."""
        return Moments(self.mean, ATTENDED_VARIANCE * self.variance)


def split(x: Moments, sizes: Sequence[int]) -> list[Moments]:
    """Parts of the channels."""
    at = np.cumsum(sizes)[:-1]
    return [Moments(*part) for part in zip(np.split(x.mean, at), np.split(x.variance, at), strict=True)]


def concat(parts: Sequence[Moments]) -> Moments:
    """Channels side by side."""
    return Moments(np.concatenate([p.mean for p in parts]), np.concatenate([p.variance for p in parts]))
