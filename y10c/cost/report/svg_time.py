"""The timeline by unit with the memory over time below it, on one time axis that can be stretched.

Horizontal coordinates are percentages, so that zooming is a change of the drawing's width.
"""

from __future__ import annotations

from markupsafe import Markup

from y10c.cost.report.axis import ticks
from y10c.cost.report.data import ReportData
from y10c.cost.report.intervals import merged
from y10c.cost.report.svg import number, time_scale
from y10c.cost.result import Interval, Unit

LANE = 40
MEMORY = 110
_BAR = 26
_RESOLUTION = 20_000  # of the longest page: 20 screens of 1000 pixels


def lanes_of(data: ReportData) -> dict[Unit, list[Interval]]:
    """The intervals to draw, by unit, as fine as the deepest zoom shows."""
    return merged(data.cost.timeline, (data.makespan_us or 1.0) / _RESOLUTION)


def draw_timeline(data: ReportData, lanes: dict[Unit, list[Interval]]) -> Markup:
    """The drawing; lanes are `LANE` high, the memory plot `MEMORY`, the axis takes the last 24 units."""
    end = data.makespan_us or 1.0
    top = LANE * len(lanes)
    factor, unit = time_scale(data)
    parts = [
        f'<g class="ticks">{"".join(_tick(tick, end * factor, unit) for tick in ticks(end * factor, 8))}</g>'
    ]
    parts += [_lane(row, intervals, unit, end) for row, (unit, intervals) in enumerate(lanes.items())]
    parts.append(_memory(data, top + 8, end))
    label = f"Timeline of {len(lanes)} units over {number(end * factor)} {unit}, memory on chip below"
    head = f'<svg class="time" width="100%" height="{top + MEMORY + 34}" role="img" aria-label="{label}"'
    return Markup(f'{head} data-end="{number(end * factor)}" data-unit="{unit}">{"".join(parts)}</svg>')


def _tick(tick: float, end: float, unit: str) -> str:
    x = number(100 * tick / end)
    label = f'<text x="{x}%" y="100%" dx="4" dy="-6">{tick:g} {unit}</text>'
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
    steps = [f"M0 {MEMORY}"]
    for sample in data.cost.memory:
        height = MEMORY - (MEMORY - 10) * sample.bytes / full
        steps.append(f"H{number(1000 * sample.time_us / end)}V{number(height)}")
    steps.append(f"H1000V{MEMORY}Z")
    capacity = MEMORY - (MEMORY - 10) * total.on_chip_capacity_bytes / full
    line = f'<line class="limit" x1="0" x2="1000" y1="{number(capacity)}" y2="{number(capacity)}"/>'
    frame = f'<svg y="{number(top)}" width="100%" height="{MEMORY}" viewBox="0 0 1000 {MEMORY}"'
    return f'{frame} preserveAspectRatio="none"><path class="memory" d="{"".join(steps)}"/>{line}</svg>'
