"""Histograms of tensors from their sketches, as small drawings on a logarithmic scale of counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from y10c.calib.sketch import Bins, Sketch
from y10c.comparison.result import Distribution
from y10c.cost.report.svg import line, number

BARS = 56
WIDTH, HEIGHT = 224.0, 56.0

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Histogram:
    """A node's distribution, ready to be drawn.

    Args:
        low: Left end of the axis.
        high: Right end.
        reference: Share of the elements in each bar, of the reference.
        candidate: The same of the candidate before its quantization.
        limits: Least and greatest value of the candidate's integers; None for floats.
    """

    low: float
    high: float
    reference: Floats
    candidate: Floats
    limits: tuple[float, float] | None

    def draw(self) -> Markup:
        """The reference as an area, the candidate as a line, the limits of its integers dashed."""
        floor = self._floor()
        area = _outline(self.reference, floor)
        parts = [
            f'<path class="area" d="{area} V{number(HEIGHT)} H0 Z"/>',
            f'<path class="outline" d="{_outline(self.candidate, floor)}"/>',
            *(
                line(x, 0, x, HEIGHT, "bound")
                for limit in self.limits or ()
                if 0 <= (x := self._x(limit)) <= WIDTH
            ),
        ]
        box = f'viewBox="0 0 {number(WIDTH)} {number(HEIGHT)}" preserveAspectRatio="none"'
        return Markup(f'<svg class="histogram" {box} aria-hidden="true">{"".join(parts)}</svg>')

    def _x(self, value: float) -> float:
        return WIDTH * (value - self.low) / (self.high - self.low)

    def _floor(self) -> float:
        """The share that is drawn at height zero: a tenth of the smallest bar that is not empty."""
        seen = np.concatenate([self.reference, self.candidate])
        return float(seen[seen > 0].min(initial=1.0)) / 10


def histogram(found: Distribution) -> Histogram | None:
    """Both distributions over one axis, which holds near limits; None without any data."""
    sketches = [s for s in (found.reference, found.candidate) if not s.empty]
    if not sketches:
        return None
    low, high = min(s.low for s in sketches), max(s.high for s in sketches)
    span = high - low or max(abs(high), 1.0)
    near = [limit for limit in found.limits or () if low - span < limit < high + span]
    low, high = min(low, *near, low), max(high, *near, high)
    margin = 0.02 * ((high - low) or max(abs(high), 1.0))
    edges = np.linspace(low - margin, high + margin, BARS + 1)
    shares = [_shares(s, edges) for s in (found.reference, found.candidate)]
    return Histogram(float(edges[0]), float(edges[-1]), shares[0], shares[1], found.limits)


def _shares(sketch: Sketch, edges: Floats) -> Floats:
    """Share of a sketch's elements between neighbouring edges."""
    if sketch.empty:
        return np.zeros(len(edges) - 1)
    bins = sketch.finish()
    counts = np.diff([_below(bins, edge) for edge in edges])
    return np.asarray(np.clip(counts, 0, None) / bins.total)


def _below(bins: Bins, value: float) -> float:
    """The number of elements below a value, each bin being uniform."""
    width = bins.high - bins.low
    inside = (value - bins.low) / np.where(width > 0, width, 1.0)
    part = np.where(width > 0, np.clip(inside, 0.0, 1.0), bins.low < value)
    return float((part * bins.count).sum())


def _outline(shares: Floats, floor: float) -> str:
    """The steps of a histogram as a path, its height the logarithm of the share."""
    decades = -np.log10(floor)
    heights = np.clip(1 + np.log10(np.maximum(shares, floor)) / decades, 0, 1)
    step = WIDTH / len(shares)
    tops = [number((1 - h) * (HEIGHT - 1) + 1) for h in heights]
    steps = [f"V{top} H{number((i + 1) * step)}" for i, top in enumerate(tops)]
    return f"M0 {number(HEIGHT)} {' '.join(steps)}"
