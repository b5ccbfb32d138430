"""Round numbers along an axis."""

from __future__ import annotations

from math import ceil, floor, log10


def ticks(end: float, count: int) -> list[float]:
    """About `count` multiples of 1, 2 or 5 times a power of ten, from 0 to `end`."""
    if end <= 0:
        return [0.0]
    rough = end / count
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    return [float(f"{step * number:.6g}") for number in range(floor(end / step * (1 + 1e-9)) + 1)]


def decades(low: float, high: float) -> list[float]:
    """The powers of ten from the one at or below `low` to the one at or above `high` (both positive)."""
    return [10.0**power for power in range(floor(log10(low)), ceil(log10(high)) + 1)]
