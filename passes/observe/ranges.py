"""Ranges of planned tensors from what calibration saw: no further pass over the data.

The search takes, for each tensor, the range of least expected error over all methods and percentiles. The
error's exponent is that of `clipping.TAIL_EXPONENT`, since the mean square gives too little for the tails
that detections live on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from y10c.calib.observers import METHODS, SEARCHED_PERCENTILES, Range, min_max, observe
from y10c.calib.sketch import Bins, Sketch
from y10c.errors import UnknownNameError
from y10c.ir.value import Value
from y10c.quant.clipping import TAIL_EXPONENT, best_range, expected_error
from y10c.quant.plan import Edge
from y10c.quant.scheme import Grid

SEARCH = "search"
TAIL = "tail"

EXPONENTS: Mapping[str, float] = {"Softmax": 2.0}
"""Exponent of the error by the op that makes a tensor. fitted: 60 calibration images of YOLOv10n: unclipped,
8 bits round nearly all of attention's probabilities to zero."""

WIDE_HEADROOM = 1.5
"""16-bit ranges reach so far beyond what was seen: steps are plenty, other images are not known. assumed."""


MASK = -1e3
"""What masks write for minus infinity lies below this, what networks compute above a tenth of it. assumed."""

MASK_REACH = 32.0
"""A masked element saturates so far below the least other one: exp(-32) is no share of any sum."""

THROUGH = frozenset({"Add", "Sub", "Mul", "Div", "Pad", "Concat", "Reshape", "Transpose", "Slice", "Split"})
"""Ops that a mask passes on its way to a Softmax or a maximum."""

ENDS = frozenset({"Softmax", "MaxPool", "Max", "ReduceMax"})
"""Ops for which minus infinity stands for nothing at all."""


class Ranges(dict[Value, Range]):
    """Least and greatest real value to cover, by the group of a planned edge (see `Edge.group`)."""


@dataclass(frozen=True)
class RangeSearch:
    """How ranges are chosen.

    Args:
        method: `search`, or a key of `y10c.calib.observers.METHODS`.
        percentile: For `percentile`, in percent.
    """

    method: str = SEARCH
    percentile: float = 99.99

    def __post_init__(self) -> None:
        if self.method not in (SEARCH, *METHODS):
            raise UnknownNameError("calibration method", self.method, [SEARCH, *METHODS])

    def choose(
        self, sketch: Sketch, grid: Grid, exponent: float = TAIL_EXPONENT, *, masked: bool = False
    ) -> Range:
        """The range for a tensor on a grid.

        Args:
            sketch: What was seen of the tensor.
            grid: Its integers; on 16 bits the range is all that was seen, with headroom.
            exponent: Of the error that the search lowers.
            masked: Whether hugely negative values only stand for minus infinity, see `may_be_masked`.
        """
        bins = sketch.finish()
        rest = without_mask(bins) if masked else bins
        found = self._choose(rest, grid, exponent)
        return found if rest is bins else replace(found, low=found.low - MASK_REACH)

    def _choose(self, bins: Bins, grid: Grid, exponent: float) -> Range:
        if grid.dtype.bits > 8:
            seen = min_max(bins)
            return Range(seen.low * WIDE_HEADROOM, seen.high * WIDE_HEADROOM, "min-max with headroom")
        if self.method != SEARCH:
            return observe(
                bins, self.method, bits=grid.dtype.bits, symmetric=grid.symmetric, p=self.percentile
            )
        return min(_candidates(bins, grid, exponent), key=lambda r: error_of(r, bins, grid, exponent))


def error_of(found: Range, bins: Bins, grid: Grid, exponent: float) -> float:
    """The mean of `|error| ** exponent` where a tensor is quantized to a range."""
    params = Grid(grid.dtype, grid.symmetric, grid.power_of_two).params(found.low, found.high)
    zero = params.zero_point[0] - (1 << (grid.dtype.bits - 1) if grid.dtype.name.startswith("u") else 0)
    middle = ((bins.low + bins.high) / 2).astype(np.float32)
    return expected_error(middle, bins.count, params.scale[0], zero, bits=grid.dtype.bits, exponent=exponent)


def exponent_of(edges: list[Edge]) -> float:
    """The exponent of the error for a group of edges."""
    makers = [e.value.producer.name for e in edges if e.value.producer is not None]
    return min((EXPONENTS.get(name, TAIL_EXPONENT) for name in makers), default=TAIL_EXPONENT)


def without_mask(bins: Bins) -> Bins:
    """The bins without those of a mask; the same object where there is none, or nothing else."""
    kept = bins.low > MASK
    if kept.all() or not kept.any() or bins.low[kept].min() < MASK / 10:
        return bins
    return Bins(bins.low[kept], bins.high[kept], bins.count[kept])


def may_be_masked(edges: list[Edge]) -> bool:
    """True where a tensor goes into a Softmax or a maximum, through nothing but sums and data movement."""
    seen, left = set(), [edge.value for edge in edges]
    while left:
        value = left.pop()
        for user in value.users:
            if user.name in ENDS:
                return True
            if user.name in THROUGH and user not in seen:
                seen.add(user)
                left.extend(user.results)
    return False


def _candidates(bins: Bins, grid: Grid, exponent: float) -> Iterator[Range]:
    """Everything that is tried, what is preferred on ties first.

    Each method gives a bound that both ends keep to, so that the side that is short anyway (SiLU's -0.28)
    stays whole: with ends of their own, YOLOv10n's class probabilities moved a seventh more.
    """
    bits, symmetric = grid.dtype.bits, grid.symmetric
    whole = min_max(bins)
    yield replace(whole, method="min-max")
    middle = ((bins.low + bins.high) / 2).astype(np.float32)
    yield Range(*best_range(middle, bins.count, bits=bits, symmetric=symmetric, exponent=exponent), TAIL)
    for p in SEARCHED_PERCENTILES:
        yield _within(observe(bins, "percentile", symmetric=True, p=p), whole)
    for method in ("mse", "kl"):
        yield _within(observe(bins, method, bits=bits, symmetric=True), whole)


def _within(bound: Range, whole: Range) -> Range:
    return Range(max(whole.low, -bound.magnitude), min(whole.high, bound.magnitude), bound.method)
