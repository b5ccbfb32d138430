"""The mergeable sketch of a tensor's values: everything a range can be chosen from, in one pass.

A float32 is counted by its upper 16 bits (sign, exponent, 7 bits of mantissa: its truncation to
bfloat16), so no range has to be known beforehand and merging is adding. Beside the counts stand the sums
of the lower halves in integers: they make the mean of every bin, and so the sum of all values, exact.
Integer addition, minimum and maximum commute and associate, so any order, batching and tree of merges
gives the same bits. This is a histogram with relative error 2^-7 a value, in the family of DDSketch
(Masson, Rim, Lee, VLDB 2019), with the float format itself as the logarithm.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from y10c.calib.tally import BINS, BLOCK, tallier

Reals = NDArray[np.float64]

_LOWER_HALF = 1 << 16
_NONFINITE = (slice(0x7F80, 0x8000), slice(0xFF80, 0x10000))
"""Bins of the exponent of all ones: NaN and Inf of either sign."""


@dataclass(frozen=True)
class Bins:
    """The occupied bins of a sketch, by rising value: piecewise uniform densities.

    Args:
        low: Lower edges, float64 [n].
        high: Upper edges, float64 [n]; equal to `low` where all values of a bin are one value.
        count: Elements in each, float64 [n].
    """

    low: Reals
    high: Reals
    count: Reals

    @property
    def total(self) -> float:
        """Number of elements."""
        return float(self.count.sum())

    def magnitudes(self) -> Bins:
        """The bins of the absolute values, by rising value."""
        flip = self.low < 0
        low = np.where(flip, -self.high, self.low)
        high = np.where(flip, -self.low, self.high)
        order = np.lexsort((high, low))
        return Bins(low[order], high[order], self.count[order])

    def thinned(self) -> Bins:
        """The same with fewer bins: those whose width is far below an 8-bit step are joined.

        Per octave below the largest magnitude, 64 bins are kept down to 2^-4, 8 to 2^-9, then one.
        """
        if not self.count.size:
            return self
        middle = (self.low + self.high) / 2
        top = max(float(np.abs(middle).max()), np.finfo(np.float32).tiny)
        part, octave = np.frexp(np.abs(middle) / top)
        kept = np.select([octave > -4, octave > -9], [64, 8], 1)
        place = np.floor((2 * part - 1) * kept)
        key = np.stack([np.sign(middle), octave, place])
        starts = np.flatnonzero(np.any(np.diff(key, prepend=np.inf) != 0, axis=0))
        ends = np.append(starts[1:], middle.size) - 1
        high = np.maximum.accumulate(self.high)
        return Bins(self.low[starts], high[ends], np.add.reduceat(self.count, starts))


class Sketch:
    """Counts, extrema and exact sums of the float32 values seen so far: a commutative monoid.

    Values of other types are counted as the float32 nearest to them. NaN and Inf are counted apart and
    enter no range; `nonfinite_sample` is the smallest name of a sample that held one. Sums are exact for
    up to 2^38 elements.
    """

    def __init__(self) -> None:
        # np.zeros maps memory on first touch, so a sketch takes the pages of the exponents that occur.
        self._counts: NDArray[np.int64] = np.zeros(BINS, np.int64)
        self._lows: NDArray[np.int64] = np.zeros(BINS, np.int64)
        self.low = np.inf
        self.high = -np.inf
        self.count = 0
        self.nonfinite = 0
        self.nonfinite_sample: str | None = None

    @classmethod
    def of(cls, values: NDArray[Any], sample: str = "") -> Sketch:
        """The sketch of one array."""
        sketch = cls()
        sketch.update(values, sample)
        return sketch

    @classmethod
    def merged(cls, sketches: Iterable[Sketch]) -> Sketch:
        """The sketch of all values that the given ones have seen."""
        whole = cls()
        for sketch in sketches:
            whole.merge(sketch)
        return whole

    def update(self, values: NDArray[Any], sample: str = "") -> None:
        """Count the elements of an array of any shape; `sample` is named where one is NaN or Inf."""
        with np.errstate(over="ignore"):
            flat = np.ascontiguousarray(values, dtype=np.float32).reshape(-1)
        for start in range(0, flat.size, BLOCK):
            self._add_block(flat[start : start + BLOCK], sample)

    def merge(self, other: Sketch) -> None:
        """Count what another sketch has counted."""
        index, counts, lows = other.sparse()
        self._counts[index] += counts
        self._lows[index] += lows
        self._see(other.low, other.high)
        self.count += other.count
        self._see_nonfinite(other.nonfinite, other.nonfinite_sample)

    def finish(self) -> Bins:
        """The occupied bins by rising value.

        Each is uniform on the widest interval around its exact mean that stays within the bin and the
        exact extrema, so a bin that holds one value only, as of a clipped activation, is that point.
        """
        return self._finished

    @property
    def empty(self) -> bool:
        """Whether no finite value has been seen."""
        return self.count == 0

    @property
    def mean(self) -> float:
        """The mean of the finite values, correctly rounded; NaN without any."""
        return float(self.sum / self.count) if self.count else float("nan")

    @cached_property
    def sum(self) -> Fraction:
        """The exact sum of the finite values."""
        index, counts, lows = self._finite()
        exponent, upper = (index >> 7) & 0x1FF, index & 0x7F
        hidden = np.where(exponent & 0xFF, 0x80, 0)
        mantissas = np.zeros(1 << 9, np.int64)
        np.add.at(mantissas, exponent, (((hidden | upper) * counts) << 16) + lows)
        return sum(map(_of_exponent, range(1 << 9), mantissas.tolist()), Fraction(0))

    @property
    def mean_square(self) -> float:
        """The mean square, each bin taken as uniform around its exact mean; relative error below 2^-14."""
        bins = self.finish()
        squares = (bins.low**2 + bins.low * bins.high + bins.high**2) / 3
        return float((squares * bins.count).sum() / bins.total) if self.count else float("nan")

    def sparse(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Occupied bins, NaN and Inf included: (index, count, sum of lower halves), int64 [n] each."""
        index = np.flatnonzero(self._counts)
        return index, self._counts[index], self._lows[index]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sketch):
            return NotImplemented
        mine, its = self.__getstate__(), other.__getstate__()
        same = all(np.array_equal(a, b) for a, b in zip(mine["sparse"], its["sparse"], strict=True))
        return same and mine["scalars"] == its["scalars"]

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Sketch(count={self.count}, low={self.low:g}, high={self.high:g}, nonfinite={self.nonfinite})"

    def __getstate__(self) -> dict[str, Any]:
        scalars = (self.low, self.high, self.count, self.nonfinite, self.nonfinite_sample)
        return {"sparse": self.sparse(), "scalars": scalars}

    def __setstate__(self, state: dict[str, Any]) -> None:
        Sketch.__init__(self)
        index, counts, lows = state["sparse"]
        self._counts[index] = counts
        self._lows[index] = lows
        self.low, self.high, self.count, self.nonfinite, self.nonfinite_sample = state["scalars"]

    def _add_block(self, block: NDArray[np.float32], sample: str) -> None:
        low, high = tallier()(block, self._counts, self._lows)
        bad = sum(int(self._counts[bins].sum()) for bins in _NONFINITE) - self.nonfinite
        if bad:
            finite = block[np.isfinite(block)]
            low, high = (finite.min(), finite.max()) if finite.size else (np.inf, -np.inf)
        self._see(float(low), float(high))
        self.count += block.size - bad
        self._see_nonfinite(bad, sample)

    def _see(self, low: float, high: float) -> None:
        # Adding zero turns -0.0 into 0.0, which min and max would otherwise pick by order of arrival.
        self.low = min(self.low, low + 0.0)
        self.high = max(self.high, high + 0.0)
        self.__dict__.pop("_finished", None)
        self.__dict__.pop("sum", None)

    def _see_nonfinite(self, count: int, sample: str | None) -> None:
        self.nonfinite += count
        if count and sample is not None:
            known = self.nonfinite_sample
            self.nonfinite_sample = sample if known is None else min(known, sample)

    def _finite(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        index, counts, lows = self.sparse()
        keep = _is_finite(index)
        return index[keep], counts[keep], lows[keep]

    @cached_property
    def _finished(self) -> Bins:
        index, counts, lows = self._finite()
        near, far, step = _edges(index)
        middle = near + step * lows / counts
        reach = np.minimum(middle - near, far - middle)
        reach[counts == 1] = 0.0
        sign = np.where(index >= BINS // 2, -1.0, 1.0)
        low = np.clip(np.minimum(sign * (middle - reach), sign * (middle + reach)), self.low, self.high)
        high = np.clip(np.maximum(sign * (middle - reach), sign * (middle + reach)), self.low, self.high)
        order = np.lexsort((high, low))
        return Bins(low[order], high[order], counts[order].astype(np.float64))


def _is_finite(index: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.asarray((index & 0x7F80) != 0x7F80)


def _edges(index: NDArray[np.int64]) -> tuple[Reals, Reals, Reals]:
    """Smallest and largest magnitude of bins, and the step between neighbours in them."""
    bits = (index.astype(np.uint32) & np.uint32(0x7FFF)) << np.uint32(16)
    near = bits.view(np.float32).astype(np.float64)
    far = (bits | np.uint32(0xFFFF)).view(np.float32).astype(np.float64)
    return near, far, (far - near) / (_LOWER_HALF - 1)


def _of_exponent(signed: int, mantissas: int) -> Fraction:
    """A sum of mantissas under one sign and exponent as a number; 2^-149 is float32's smallest step."""
    shifted = mantissas << max((signed & 0xFF) - 1, 0)
    return Fraction(-shifted if signed >> 8 else shifted, 1 << 149)
