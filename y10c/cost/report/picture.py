"""The timeline as a PNG: a lane a unit, drawn with pillow, for those who have only a terminal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from y10c import atomic
from y10c.cost.report.axis import ticks
from y10c.cost.report.data import ReportData
from y10c.cost.report.intervals import merged
from y10c.cost.report.palette import UNITS
from y10c.cost.report.words import WORK, likely, quantity
from y10c.cost.result import Interval, Unit

WIDTH = 1600
_FINE = 2  # drawn twice as large and scaled down, which smooths edges and text
_LEFT, _RIGHT, _TOP = 120, 48, 132
_LANE, _BAR = 54, 34
_INK, _SOFT, _RULE, _PAPER = "#1d2430", "#5c6675", "#e3e7ec", "#ffffff"


@dataclass(frozen=True, slots=True)
class _Canvas:
    draw: ImageDraw.ImageDraw
    end_us: float

    def x(self, time_us: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * time_us / self.end_us

    def text(self, x: float, y: float, text: str, size: int, color: str, anchor: str = "la") -> None:
        font = ImageFont.load_default(size * _FINE)
        self.draw.text((x * _FINE, y * _FINE), text, fill=color, font=font, anchor=anchor)

    def box(self, x0: float, y0: float, x1: float, y1: float, color: str) -> None:
        right, low = max(x1 * _FINE - 1, x0 * _FINE), y1 * _FINE - 1
        if low >= y0 * _FINE:
            self.draw.rectangle((x0 * _FINE, y0 * _FINE, right, low), fill=color)


def write_png(data: ReportData, path: Path | str) -> None:
    """Write the timeline, 1600 pixels wide on white; raises OutputError."""
    image = draw(data)
    with atomic.file(path) as temporary:
        image.save(temporary, format="PNG", optimize=True)


def draw(data: ReportData) -> Image.Image:
    """The timeline as an RGB image; a lane for every unit that does something, memory on chip below."""
    end_us = data.makespan_us or 1.0
    lanes = merged(data.cost.timeline, resolution_us=end_us / (WIDTH * _FINE))
    height = _TOP + _LANE * len(lanes) + 160
    image = Image.new("RGB", (WIDTH * _FINE, height * _FINE), _PAPER)
    canvas = _Canvas(ImageDraw.Draw(image), end_us)
    _title(canvas, data)
    bottom = _TOP + _LANE * len(lanes) + 84
    _axis(canvas, data, bottom)
    for row, (unit, intervals) in enumerate(lanes.items()):
        _lane(canvas, data, unit, intervals, _TOP + row * _LANE)
    _memory(canvas, data, bottom - 74, bottom)
    legend = " · ".join(f"{unit}: {WORK[unit]}" for unit in lanes)
    canvas.text(_LEFT, bottom + 42, legend, 14, _SOFT)
    return image.resize((WIDTH, height), Image.Resampling.LANCZOS)


def _title(canvas: _Canvas, data: ReportData) -> None:
    total = data.cost.summary
    canvas.text(_LEFT, 28, data.cost.model, 30, _INK)
    if data.times_refused:
        headline, detail = "time unknown", data.times_refused
    else:
        headline = f"{total.bpu_busy_ms:.2f} ms on the BPU · {total.fps:.0f} FPS"
        detail = f"{likely(total.fps_band, 'FPS')} · latency {total.latency_ms:.2f} ms"
    canvas.text(WIDTH - _RIGHT, 30, headline, 28, _INK, "ra")
    chip = f"{data.cost.target} {data.cost.march} at {data.cost.clock_ghz:g} GHz"
    canvas.text(_LEFT, 70, f"{chip}, estimate by y10c {data.version}", 17, _SOFT)
    canvas.text(WIDTH - _RIGHT, 70, detail, 17, _SOFT, "ra")


def _axis(canvas: _Canvas, data: ReportData, bottom: float) -> None:
    if data.times_refused:
        return
    for tick in ticks(canvas.end_us / 1e3, 8):
        x = canvas.x(tick * 1e3)
        canvas.box(x, _TOP - 10, x + 1, bottom, _RULE)
        canvas.text(x, bottom + 10, f"{tick:g} ms", 15, _SOFT, "ma")


def _lane(canvas: _Canvas, data: ReportData, unit: Unit, intervals: list[Interval], top: float) -> None:
    middle = top + _BAR / 2
    canvas.text(_LEFT - 14, middle - 9, str(unit), 17, _INK, "rm")
    share = data.cost.summary.busy_ms.get(unit, 0.0) * 1e3 / canvas.end_us
    canvas.text(_LEFT - 14, middle + 10, f"{100 * share:.0f} % busy", 14, _SOFT, "rm")
    for interval in intervals:
        canvas.box(canvas.x(interval.start_us), top, canvas.x(interval.end_us), top + _BAR, UNITS[unit].light)


def _memory(canvas: _Canvas, data: ReportData, top: float, bottom: float) -> None:
    capacity = max(data.cost.summary.on_chip_capacity_bytes, data.cost.summary.peak_on_chip_bytes, 1)
    canvas.text(_LEFT - 14, top + 18, "on chip", 17, _INK, "rm")
    peak = quantity(data.cost.summary.peak_on_chip_bytes, "B")
    canvas.text(_LEFT - 14, top + 37, f"peak {peak}", 14, _SOFT, "rm")
    canvas.text(_LEFT - 14, top + 54, f"of {quantity(capacity, 'B')}", 14, _SOFT, "rm")
    canvas.box(_LEFT, bottom, WIDTH - _RIGHT, bottom + 1, _SOFT)
    samples = data.cost.memory
    ends = [sample.time_us for sample in samples[1:]] + [canvas.end_us]
    for sample, end in zip(samples, ends, strict=False):
        height = (bottom - top - 6) * sample.bytes / capacity
        canvas.box(canvas.x(sample.time_us), bottom - height, canvas.x(end), bottom, "#9db2c9")
