"""The timeline by unit, below it memory and DDR traffic over time, on one axis that can be stretched.

Horizontal coordinates are percentages, so that zooming is a change of the drawing's width.
"""

from __future__ import annotations

from markupsafe import Markup

from y10c.cost.report.axis import ticks
from y10c.cost.report.data import ReportData
from y10c.cost.report.intervals import merged, profile
from y10c.cost.report.svg import number, time_scale
from y10c.cost.result import Interval, Unit

LANE = 40
STRIP = 84
_BAR = 26
_RESOLUTION = 20_000  # of the longest page: 20 screens of 1000 pixels


def lanes_of(data: ReportData) -> dict[Unit, list[Interval]]:
    """The intervals to draw, by unit, as fine as the deepest zoom shows."""
    return merged(data.cost.timeline, (data.makespan_us or 1.0) / _RESOLUTION)


def draw_timeline(data: ReportData, lanes: dict[Unit, list[Interval]]) -> Markup:
    """The drawing; lanes are `LANE` high, the two strips `STRIP` and 10 apart, the axis 26."""
    end = data.makespan_us or 1.0
    top = LANE * len(lanes)
    factor, unit = time_scale(data)
    parts = [
        f'<g class="ticks">{"".join(_tick(tick, end * factor, unit) for tick in ticks(end * factor, 8))}</g>'
    ]
    parts += [_lane(row, intervals, unit, end) for row, (unit, intervals) in enumerate(lanes.items())]
    parts += [_memory(data, top + 10, end), _traffic(data, top + STRIP + 20)]
    label = (
        f"Timeline of {len(lanes)} units over {number(end * factor)} {unit}, memory on chip and DDR traffic"
    )
    head = f'<svg class="time" width="100%" height="{top + 2 * STRIP + 46}" role="img" aria-label="{label}"'
    return Markup(f'{head} data-end="{number(end * factor)}" data-unit="{unit}">{"".join(parts)}</svg>')


def _tick(tick: float, end: float, unit: str) -> str:
    x = number(100 * tick / end)
    side = 'dx="-4" text-anchor="end"' if tick > 0.92 * end else 'dx="4"'
    label = f'<text x="{x}%" y="100%" {side} dy="-6">{tick:g} {unit}</text>'
    return f'<line x1="{x}%" x2="{x}%" y1="0" y2="100%"/>{label}'


def _lane(row: int, intervals: list[Interval], unit: Unit, end: float) -> str:
    bars = "".join(
        f'<rect x="{number(100 * i.start_us / end)}%" width="{number(100 * i.duration_us / end)}%"'
        f' height="{_BAR}" data-l="{i.layer}"/>'
        for i in intervals
    )
    return f'<g class="u-{unit.lower()}" transform="translate(0 {row * LANE + 8})">{bars}</g>'


def _memory(data: ReportData, top: float, end: float) -> str:
    total = data.cost.summary
    full = max(total.on_chip_capacity_bytes, total.peak_on_chip_bytes, 1)
    steps = [(sample.time_us / end, sample.bytes / full) for sample in data.cost.memory]
    return _strip("memory", steps, total.on_chip_capacity_bytes / full, top)


def _traffic(data: ReportData, top: float) -> str:
    """Bytes read and written in each of 200 equal intervals, against what the DDR grants."""
    run = profile(data, 200)
    rates = [(load + store) / run.step_us * 1e6 for load, store in zip(run.load, run.store, strict=True)]
    full = max(data.cost.ddr_bytes_per_s, *rates)
    steps = [(place / len(rates), rate / full) for place, rate in enumerate(rates)]
    return _strip("traffic", steps, data.cost.ddr_bytes_per_s / full, top)


def _strip(kind: str, steps: list[tuple[float, float]], limit: float, top: float) -> str:
    """A curve of steps `(from, height)` and a dashed line at `limit`, all of 0..1, as wide as the page."""

    def y(share: float) -> str:
        return number(STRIP - (STRIP - 8) * share)

    curve = "".join(f"H{number(1000 * start)}V{y(height)}" for start, height in steps)
    path = f'<path class="{kind}" d="M0 {STRIP}{curve}H1000V{STRIP}Z"/>'
    line = f'<line class="limit" x1="0" x2="1000" y1="{y(limit)}" y2="{y(limit)}"/>'
    frame = f'y="{number(top)}" width="100%" height="{STRIP}" viewBox="0 0 1000 {STRIP}"'
    return f'<svg {frame} preserveAspectRatio="none">{path}{line}</svg>'
