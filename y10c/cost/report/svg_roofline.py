"""The roofline: attained rate against operations per byte of DDR traffic (Williams et al., CACM 2009)."""

from __future__ import annotations

from dataclasses import dataclass
from math import log10, sqrt

from markupsafe import Markup

from y10c.cost.report.axis import decades
from y10c.cost.report.data import ReportData
from y10c.cost.report.svg import line, number, plot, text
from y10c.cost.report.words import quantity, three_digits
from y10c.cost.result import LayerCost

_W, _H = 640.0, 400.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 24.0, 22.0, 44.0


@dataclass(frozen=True, slots=True)
class _Point:
    layer: LayerCost
    intensity: float
    rate: float


@dataclass(frozen=True, slots=True)
class _Scale:
    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (log10(value) - log10(self.low)) / (log10(self.high) - log10(self.low))
        return self.start + share * (self.end - self.start)


def draw_roofline(data: ReportData) -> Markup:
    """A point a MAC layer, its area by time; layers without DDR traffic stand at the right edge."""
    points = _points(data)
    peak, bandwidth = data.cost.peak_macs_per_s, data.cost.ddr_bytes_per_s
    ridge = peak / bandwidth
    rates = [p.rate for p in points] or [peak]
    across = decades(*_range([p.intensity for p in points if p.intensity < float("inf")], ridge))
    up = decades(max(min(rates), peak / 1e5), peak * 1.2)
    x = _Scale(across[0], across[-1], _LEFT, _W - _RIGHT)
    y = _Scale(up[0], up[-1], _H - _BOTTOM, _TOP)
    parts = _grid(x, y, across, up)
    parts += _roofs(x, y, peak, bandwidth)
    longest = max((p.layer.time_us for p in points), default=1.0) or 1.0
    parts += [_dot(p, x, y, longest) for p in sorted(points, key=lambda p: -p.layer.time_us)]
    parts += _names(x, y, peak, bandwidth)
    label = f"Roofline: {len(points)} layers under {quantity(peak, 'MAC/s')} and {quantity(bandwidth, 'B/s')}"
    return plot("roofline", _W, _H, label, parts)


def _points(data: ReportData) -> list[_Point]:
    found = []
    for layer in data.cost.layers:
        time = max(layer.busy_us.values(), default=0.0) or layer.time_us
        if layer.macs and time > 0:
            traffic = layer.load_bytes + layer.store_bytes
            found.append(
                _Point(layer, layer.macs / traffic if traffic else float("inf"), layer.macs / time * 1e6)
            )
    return found


def _range(values: list[float], ridge: float) -> tuple[float, float]:
    return max(min([*values, ridge / 10]), 0.01), max([*values, ridge * 10])


def _grid(x: _Scale, y: _Scale, across: list[float], up: list[float]) -> list[str]:
    parts = []
    for value in across:
        parts.append(line(x(value), _TOP, x(value), _H - _BOTTOM, "grid"))
        parts.append(
            text(
                x(value),
                _H - _BOTTOM + 18,
                f"{value:g}" if value < 1e4 else quantity(value, "").replace(".0 ", " "),
                "middle",
            )
        )
    for value in up:
        parts.append(line(_LEFT, y(value), _W - _RIGHT, y(value), "grid"))
        parts.append(
            text(_LEFT - 8, y(value) + 4, quantity(value, "").replace(".00", "").replace(".0 ", " "), "end")
        )
    parts.append(text((_LEFT + _W - _RIGHT) / 2, _H - 6, "MAC per byte of DDR traffic", "middle"))
    parts.append(text(_LEFT, 12, "MAC/s"))
    return parts


def _roofs(x: _Scale, y: _Scale, peak: float, bandwidth: float) -> list[str]:
    ridge = peak / bandwidth
    start = max(x.low, y.low / bandwidth)
    return [
        line(x(start), y(start * bandwidth), x(ridge), y(peak), "roof"),
        line(x(ridge), y(peak), _W - _RIGHT, y(peak), "roof"),
    ]


def _names(x: _Scale, y: _Scale, peak: float, bandwidth: float) -> list[str]:
    ridge = peak / bandwidth
    return [
        text(_W - _RIGHT - 6, y(peak) - 13, f"peak {three_digits(peak / 1e12)} TMAC/s", "end"),
        text(x(ridge / 2.5) - 18, y(peak / 2.5), f"DDR {three_digits(bandwidth / 1e9)} GB/s", "end"),
    ]


def _dot(point: _Point, x: _Scale, y: _Scale, longest: float) -> str:
    across = min(x(point.intensity), x.end) if point.intensity < float("inf") else x.end - 6
    radius = 2.5 + 7 * sqrt(max(point.layer.time_us, 0.0) / longest)
    up = min(max(y(point.rate), y.end), y.start)
    place = f'cx="{number(across)}" cy="{number(up)}" r="{number(radius)}"'
    return f'<circle class="b-{point.layer.bound_by}" {place} data-l="{point.layer.index}"/>'
