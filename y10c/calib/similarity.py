"""How alike two streams of arrays are, without keeping them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass
class Similarity:
    """Running sums over pairs of arrays (reference, candidate) of equal shape.

    Attributes:
        dot: Sum of products.
        reference: Sum of squares of the reference.
        candidate: Sum of squares of the candidate.
        error: Sum of squares of the difference.
        max_error: Greatest absolute difference.
    """

    dot: float = 0.0
    reference: float = 0.0
    candidate: float = 0.0
    error: float = 0.0
    max_error: float = 0.0

    def update(self, reference: NDArray[Any], candidate: NDArray[Any]) -> None:
        """Add a pair of arrays.

        Raises:
            ValueError: The shapes differ.
        """
        if reference.shape != candidate.shape:
            raise ValueError(f"shapes differ: {reference.shape} and {candidate.shape}")
        a, b = (np.asarray(x, np.float64).reshape(-1) for x in (reference, candidate))
        difference = a - b
        self.dot += float(a @ b)
        self.reference += float(a @ a)
        self.candidate += float(b @ b)
        self.error += float(difference @ difference)
        self.max_error = max(self.max_error, float(np.abs(difference).max(initial=0.0)))

    @property
    def cosine(self) -> float:
        """Cosine of the angle between the two streams; 1 where both are zero, 0 where one is."""
        if not (self.reference and self.candidate):
            return float(self.reference == self.candidate)
        return self.dot / float(np.sqrt(self.reference) * np.sqrt(self.candidate))

    @property
    def sqnr_db(self) -> float:
        """Signal to quantization noise ratio in dB; infinite where nothing differs."""
        if not self.error:
            return float("inf")
        return 10 * float(np.log10(self.reference / self.error)) if self.reference else float("-inf")
