"""Ranges of a tensor from its sketch, and the error that a quantization of it makes: no pass over data.

A range is what the codes of a quantized tensor can express. Every method here is a function of a finished
sketch, hence as independent of order and workers as the sketch is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from y10c.calib.sketch import Bins, Reals, Sketch

_LINEAR_BINS = 2048
_COARSE_STEPS = 24
_FINE_STEPS = 4
_SMALLEST_SHARE = 0.05
"""No search clips to less than this share of the largest value: below it lies no useful range."""


@dataclass(frozen=True)
class Range:
    """The values that codes shall express: `low <= 0 <= high`, and by which method it was chosen."""

    low: float
    high: float
    method: str

    @property
    def magnitude(self) -> float:
        """The larger absolute bound."""
        return max(-self.low, self.high)

    def scale_and_zero_point(self, bits: int, *, symmetric: bool) -> tuple[float, int]:
        """Scale and zero point of the signed codes; an empty range gives (1.0, 0).

        Symmetric codes are narrow, from -(2^(bits-1) - 1): the negative of a code is a code.
        """
        bottom, top = code_limits(bits, narrow=symmetric)
        span = 2 * self.magnitude if symmetric else self.high - self.low
        if span <= 0:
            return 1.0, 0
        scale = span / (top - bottom)
        zero = 0 if symmetric else int(np.clip(np.rint(bottom - self.low / scale), bottom, top))
        return scale, zero


@dataclass(frozen=True)
class Choice:
    """A range with the expected squared error of quantizing to it."""

    range: Range
    error: float
    symmetric: bool


def code_limits(bits: int, *, narrow: bool = False) -> tuple[int, int]:
    """Smallest and largest signed code."""
    top = (1 << (bits - 1)) - 1
    return (-top if narrow else -top - 1), top


def expected_error(
    sketch: Sketch | Bins, scale: float, zero_point: int, bits: int, *, narrow: bool = False
) -> float:
    """The mean of (x - dequantize(quantize(x)))^2 over the tensor, rounding and clipping together.

    The integral over each bin is exact: with u = x / scale, n the code that u rounds and clips to, the
    error from 0 to u adds up to n / 12 + (u - n)^3 / 3, within the codes and beyond them.

    Args:
        sketch: A sketch, or the bins it finished with.
        scale: Size of a step, above zero.
        zero_point: The code of the value 0; codes are signed.
        bits: Bits of a code.
        narrow: Whether the lowest code is unused.

    Returns:
        The squared error in units of the tensor; 0.0 for an empty sketch.
    """
    bins = _bins(sketch)
    if not bins.count.size:
        return 0.0
    return float(_errors(bins, [(scale, zero_point)], code_limits(bits, narrow=narrow))[0])


def min_max(sketch: Sketch | Bins, *, symmetric: bool = False) -> Range:
    """Everything that was seen, widened to hold zero."""
    bins = _bins(sketch)
    if not bins.count.size:
        return Range(0.0, 0.0, "min-max")
    found = Range(min(0.0, float(bins.low[0])), max(0.0, float(bins.high.max())), "min-max")
    return _mirrored(found) if symmetric else found


def percentile(sketch: Sketch | Bins, p: float = 99.99, *, symmetric: bool = False) -> Range:
    """The range that holds p percent of the elements, interpolated within bins.

    Symmetric: the p-th percentile of the magnitudes. Otherwise (100 - p) / 2 percent lie beyond either
    end (Wu et al., "Integer Quantization for Deep Learning Inference", arXiv 2004.09602, section 4.2).

    Args:
        sketch: A sketch, or the bins it finished with.
        p: In percent, 0 < p <= 100.
        symmetric: Whether the range is mirrored about zero.
    """
    name = f"percentile {p:g}"
    bins = _bins(sketch)
    if not bins.count.size:
        return Range(0.0, 0.0, name)
    if symmetric:
        bound = _quantile(bins.magnitudes(), p / 100)
        return Range(-bound, bound, name)
    tail = (1 - p / 100) / 2
    return Range(min(0.0, _quantile(bins, tail)), max(0.0, _quantile(bins, 1 - tail)), name)


def mse(sketch: Sketch | Bins, *, bits: int = 8, symmetric: bool = False) -> Range:
    """The range of least expected squared error, by a coarse then a fine search of the bounds.

    Clipping against rounding, as in Banner et al., "Post training 4-bit quantization" (NeurIPS 2019,
    arXiv 1810.05723), with the observed distribution in the place of a fitted one.
    """
    bins = _bins(sketch)
    return _search(bins.thinned() if bits <= 8 else bins, _squared_error(bits, symmetric), symmetric, "mse")


def kl(sketch: Sketch | Bins, *, bits: int = 8, symmetric: bool = False) -> Range:
    """The range whose clipped and rounded distribution diverges least from the observed one.

    Migacz, "8-bit Inference with TensorRT" (GTC 2017): the magnitudes in 2048 linear bins, the clipped
    tail added to the last one, the quantized distribution spread over the occupied bins. Zeros are left
    out, since every range expresses zero exactly. Codes of more than 10 bits are finer than the bins, so
    there the whole range is kept.
    """
    whole = min_max(sketch, symmetric=symmetric)
    bins = _bins(sketch).magnitudes()
    levels = 1 << (bits - 1)
    if whole.magnitude <= 0 or levels >= _LINEAR_BINS // 2:
        return replace(whole, method="kl")
    counts = _linear_histogram(bins, whole.magnitude)
    step = (_LINEAR_BINS - levels) // _COARSE_STEPS
    best = _least_divergent(counts, range(_LINEAR_BINS, levels - 1, -step), levels)
    around = range(min(best + step, _LINEAR_BINS), max(best - step, levels) - 1, -max(step // 8, 1))
    best = _least_divergent(counts, around, levels)
    bound = whole.magnitude * float(best) / _LINEAR_BINS
    return Range(max(whole.low, -bound), min(whole.high, bound), "kl")


def entropy(sketch: Sketch | Bins, *, bits: int = 8, symmetric: bool = False) -> Range:
    """The range whose codes carry the most information: the greatest Shannon entropy of the codes.

    The objective of Park et al., "Weighted-Entropy-Based Quantization" (CVPR 2017), with equal weights
    and uniform steps. Not to be taken for the "entropy" of other tools, which is `kl` here.
    """
    bins = _bins(sketch)
    thin = bins.thinned() if bits <= 8 else bins
    return _search(thin, _negative_entropy(bits, symmetric), symmetric, "entropy")


METHODS: dict[str, Callable[..., Range]] = {
    "min-max": min_max,
    "percentile": percentile,
    "kl": kl,
    "mse": mse,
    "entropy": entropy,
}
"""Every method by the name that the command line takes."""

SEARCHED_PERCENTILES = (99.9, 99.99, 99.995, 99.999)


def observe(
    sketch: Sketch | Bins, method: str, *, bits: int = 8, symmetric: bool = False, p: float = 99.99
) -> Range:
    """The range by a method's name.

    Args:
        sketch: A sketch, or the bins it finished with; an empty one gives the range (0, 0).
        method: A key of `METHODS`.
        bits: Bits of a code, 8 or 16.
        symmetric: Whether the range is mirrored about zero.
        p: The percentile, in percent.

    Raises:
        UnknownNameError: No such method.
        UsageError: p is not above 0 and at most 100.
    """
    from y10c.errors import UnknownNameError, UsageError

    if method not in METHODS:
        raise UnknownNameError("calibration method", method, list(METHODS))
    if method == "percentile":
        if not 0 < p <= 100:
            raise UsageError(f"the percentile {p:g} is not above 0 and at most 100", help="try 99.99")
        return percentile(sketch, p, symmetric=symmetric)
    if method == "min-max":
        return min_max(sketch, symmetric=symmetric)
    return METHODS[method](sketch, bits=bits, symmetric=symmetric)


def candidates(
    sketch: Sketch | Bins,
    *,
    bits: int = 8,
    symmetric: bool = False,
    methods: Iterable[str] = ("min-max", "percentile", "kl", "mse"),
    percentiles: Iterable[float] = SEARCHED_PERCENTILES,
) -> list[Choice]:
    """The ranges of several methods with their expected errors, the least first, ties in the order given."""
    bins = _bins(sketch)
    ranges: list[Range] = []
    for method in methods:
        settings = tuple(percentiles) if method == "percentile" else (100.0,)
        ranges += [observe(bins, method, bits=bits, symmetric=symmetric, p=p) for p in settings]
    if not bins.count.size:
        return [Choice(one, 0.0, symmetric) for one in ranges]
    errors = _squared_error(bits, symmetric)(bins, ranges).tolist()
    choices = [Choice(one, error, symmetric) for one, error in zip(ranges, errors, strict=True)]
    return sorted(choices, key=lambda choice: choice.error)


def _bins(sketch: Sketch | Bins) -> Bins:
    return sketch.finish() if isinstance(sketch, Sketch) else sketch


def _mirrored(found: Range) -> Range:
    return Range(-found.magnitude, found.magnitude, found.method)


def _errors(bins: Bins, grids: list[tuple[float, int]], limits: tuple[int, int]) -> Reals:
    """Expected squared errors of several (scale, zero point): float64 [grids]."""
    scale = np.array([one[0] for one in grids])[:, None]
    zero = np.array([one[1] for one in grids])[:, None]
    bottom, top = limits[0] - zero, limits[1] - zero
    low, high = bins.low / scale, bins.high / scale
    width = high - low
    wide = width > 1e-9 * np.maximum(np.abs(low), np.abs(high))
    middle = (low + high) / 2
    point = (middle - np.clip(np.rint(middle), bottom, top)) ** 2
    area = _error_up_to(high, bottom, top) - _error_up_to(low, bottom, top)
    error = np.where(wide, area / np.where(wide, width, 1.0), point)
    return np.asarray((error * bins.count).sum(axis=1) / bins.total * (scale * scale)[:, 0])


def _error_up_to(u: Reals, bottom: NDArray[np.int64], top: NDArray[np.int64]) -> Reals:
    code = np.clip(np.rint(u), bottom, top)
    rest = u - code
    return np.asarray(code / 12 + rest * rest * rest / 3)


def _quantile(bins: Bins, share: float) -> float:
    """The value below which a share of the elements lies, linear within a bin."""
    above = np.cumsum(bins.count)
    wanted = min(max(share, 0.0), 1.0) * above[-1]
    at = min(int(np.searchsorted(above, wanted)), len(above) - 1)
    part = 1.0 - (above[at] - wanted) / bins.count[at]
    return float(bins.low[at] + part * (bins.high[at] - bins.low[at]))


def _shares_below(bins: Bins, values: Reals) -> Reals:
    """The number of elements below each of some rising values."""
    spread = np.where(bins.high > bins.low, bins.high - bins.low, 1.0)
    before = np.concatenate(([0.0], np.cumsum(bins.count)))
    at = np.clip(np.searchsorted(bins.low, values, side="left") - 1, 0, None)
    part = np.clip((values - bins.low[at]) / spread[at], 0.0, 1.0)
    part = np.where(bins.high[at] > bins.low[at], part, values > bins.low[at])
    below = np.where(values > bins.low[0], before[at] + part * bins.count[at], 0.0)
    # The bins of magnitudes overlap where both signs occur; a count up to a value never falls.
    return np.maximum.accumulate(below)


def _linear_histogram(magnitudes: Bins, top: float) -> Reals:
    """Counts of the non-zero magnitudes in linear bins up to `top`."""
    keep = magnitudes.high > 0
    bins = Bins(magnitudes.low[keep], magnitudes.high[keep], magnitudes.count[keep])
    edges = np.linspace(0.0, top, _LINEAR_BINS + 1)
    below = _shares_below(bins, edges)
    below[0], below[-1] = 0.0, bins.total
    return np.diff(below)


def _least_divergent(counts: Reals, sizes: range, levels: int) -> int:
    return min(sizes, key=lambda size: _divergence(counts, size, levels))


def _divergence(counts: Reals, size: int, levels: int) -> float:
    """Kullback-Leibler divergence of `counts[:size]`, tail clipped, from its rounding to `levels` codes."""
    reference = counts[:size].copy()
    occupied = reference > 0
    reference[-1] += counts[size:].sum()
    group = np.arange(size) * levels // size
    mass = np.bincount(group, weights=counts[:size], minlength=levels)
    places = np.bincount(group, weights=occupied, minlength=levels)
    spread = np.where(occupied, (mass / np.maximum(places, 1))[group], 0.0)
    p, q = reference / reference.sum(), spread / max(spread.sum(), 1e-300)
    # A tail that falls on an empty bin has no code; it is charged as if a minute share did.
    seen = p > 0
    return float((p[seen] * np.log(p[seen] / np.maximum(q[seen], 1e-12))).sum())


Loss = Callable[[Bins, list[Range]], Reals]
"""What several ranges cost, float64 [ranges]; the least is sought."""


def _squared_error(bits: int, symmetric: bool) -> Loss:
    limits = code_limits(bits, narrow=symmetric)

    def loss(bins: Bins, tried: list[Range]) -> Reals:
        grids = [one.scale_and_zero_point(bits, symmetric=symmetric) for one in tried]
        return _errors(bins, grids, limits)

    return loss


def _negative_entropy(bits: int, symmetric: bool) -> Loss:
    codes: Reals = np.arange(*code_limits(bits, narrow=symmetric), dtype=np.float64)

    def one(bins: Bins, tried: Range) -> float:
        scale, zero = tried.scale_and_zero_point(bits, symmetric=symmetric)
        below = _shares_below(bins, (codes + 0.5 - zero) * scale)
        share = np.diff(below, prepend=0.0, append=bins.total) / bins.total
        share = share[share > 0]
        return float((share * np.log2(share)).sum())

    return lambda bins, tried: np.array([one(bins, each) for each in tried])


def _search(bins: Bins, loss: Loss, symmetric: bool, method: str) -> Range:
    """Minimize a loss over the bounds: both at once, then each alone where they are free."""
    best = whole = replace(min_max(bins, symmetric=symmetric), method=method)
    if best.magnitude <= 0:
        return best
    shares = np.linspace(_SMALLEST_SHARE, 1.0, _COARSE_STEPS + 1)[::-1]
    step = float(shares[0] - shares[1])
    best = _best(bins, loss, [_scaled(best, s, s, whole) for s in shares])
    for reach in (step, step / _FINE_STEPS):
        around = 1 + np.linspace(-reach, reach, 2 * _FINE_STEPS + 1)
        best = _best(bins, loss, [best, *(_scaled(best, s, s, whole) for s in around)])
        if not symmetric and best.low < 0 < best.high:
            best = _best(bins, loss, [best, *(_scaled(best, s, 1.0, whole) for s in around)])
            best = _best(bins, loss, [best, *(_scaled(best, 1.0, s, whole) for s in around)])
    return best


def _best(bins: Bins, loss: Loss, tried: list[Range]) -> Range:
    return tried[int(np.argmin(loss(bins, tried)))]


def _scaled(one: Range, low: float, high: float, whole: Range) -> Range:
    return Range(max(one.low * float(low), whole.low), min(one.high * float(high), whole.high), one.method)
