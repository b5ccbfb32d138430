"""How alike two streams of arrays are: cosine, signal to noise, largest error, in one pass."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from y10c.errors import DataError

_BLOCK = 1 << 13
"""Elements taken at a time: float64 copies stay in the cache, and products below BLAS's threads."""


@dataclass
class Similarity:
    """Running sums over pairs (reference, candidate), in float64.

    Elements where either is NaN or Inf are counted in `nonfinite` and left out of the sums.
    """

    count: int = 0
    dot: float = 0.0
    reference_power: float = 0.0
    candidate_power: float = 0.0
    noise_power: float = 0.0
    max_error: float = 0.0
    max_sample: str = ""
    nonfinite: int = 0

    def update(self, reference: NDArray[Any], candidate: NDArray[Any], sample: str = "") -> None:
        """Add a pair of arrays of one shape; raises DataError (Y3102) where the shapes differ."""
        if reference.shape != candidate.shape:
            raise DataError(
                f"the compared tensors have shapes {list(reference.shape)} and {list(candidate.shape)}",
                where=sample or None,
                help="compare tensors that stand for the same values in the same layout",
            )
        one, other = reference.reshape(-1), candidate.reshape(-1)
        for start in range(0, one.size, _BLOCK):
            a = one[start : start + _BLOCK].astype(np.float64)
            b = other[start : start + _BLOCK].astype(np.float64)
            finite = np.isfinite(a) & np.isfinite(b)
            if not finite.all():
                self.nonfinite += int(a.size - np.count_nonzero(finite))
                a, b = a[finite], b[finite]
            self._add(a, b, sample)

    def merge(self, other: Similarity) -> None:
        """Add the sums of another accumulator."""
        self.count += other.count
        self.dot += other.dot
        self.reference_power += other.reference_power
        self.candidate_power += other.candidate_power
        self.noise_power += other.noise_power
        self.nonfinite += other.nonfinite
        if other.max_error > self.max_error:
            self.max_error, self.max_sample = other.max_error, other.max_sample

    @property
    def cosine(self) -> float:
        """Cosine of the angle between all references and all candidates; 1 where both are zero."""
        if self.reference_power == 0 or self.candidate_power == 0:
            return 1.0 if self.reference_power == self.candidate_power else 0.0
        if self.noise_power == 0:
            return 1.0
        found = self.dot / math.sqrt(self.reference_power) / math.sqrt(self.candidate_power)
        return max(-1.0, min(1.0, found))

    @property
    def sqnr_db(self) -> float:
        """Power of the reference over power of the difference, in dB; inf where they are equal."""
        if self.noise_power == 0:
            return math.inf
        if self.reference_power == 0:
            return -math.inf
        return 10 * math.log10(self.reference_power / self.noise_power)

    def _add(self, a: NDArray[np.float64], b: NDArray[np.float64], sample: str) -> None:
        if not a.size:
            return
        noise = a - b
        self.count += a.size
        self.dot += float(a @ b)
        self.reference_power += float(a @ a)
        self.candidate_power += float(b @ b)
        self.noise_power += float(noise @ noise)
        worst = float(np.abs(noise).max())
        if worst > self.max_error:
            self.max_error, self.max_sample = worst, sample


Stream = Iterable[tuple[str, Mapping[str, NDArray[Any]]]]
"""(sample name, tensor name -> array), as `run_outputs` yields."""


def compare_streams(
    reference: Stream, candidate: Stream, pairs: Mapping[str, str] | None = None
) -> dict[str, Similarity]:
    """Compare two runs sample by sample, holding one sample of each.

    Args:
        reference: The run that is right.
        candidate: The run to judge; the same samples in the same order.
        pairs: Reference tensor -> candidate tensor; None pairs equal names.

    Returns:
        Reference tensor -> similarity over all samples.

    Raises:
        DataError: The streams hold different samples, or shapes differ (Y3102).
    """
    found: dict[str, Similarity] = {}
    try:
        for (name, one), (other_name, other) in zip(reference, candidate, strict=True):
            if name != other_name:
                raise DataError(f"the runs compared differ in their samples: {name} and {other_name}")
            paired = pairs if pairs is not None else {key: key for key in one if key in other}
            for key, other_key in paired.items():
                found.setdefault(key, Similarity()).update(one[key], other[other_key], name)
    except ValueError as error:
        raise DataError("the runs compared differ in their number of samples") from error
    return found
