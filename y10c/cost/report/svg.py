"""SVG as text, with the few helpers that all plots share."""

from __future__ import annotations

from markupsafe import Markup, escape

from y10c.cost.report.data import ReportData


def number(value: float) -> str:
    """A coordinate with as many digits as a screen can show."""
    return f"{value:.3f}".rstrip("0").rstrip(".") or "0"


def text(x: float, y: float, words: str, anchor: str = "start") -> str:
    """A label in the plot's small type."""
    place = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{number(x)}" y="{number(y)}"{place}>{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """A straight line of a CSS class."""
    ends = (number(v) for v in (x1, y1, x2, y2))
    return '<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>'.format(kind, *ends)


def plot(kind: str, width: float, height: float, label: str, parts: list[str]) -> Markup:
    """A drawing that scales with its column; `label` is what a screen reader says."""
    head = f'<svg class="plot {kind}" viewBox="0 0 {number(width)} {number(height)}" role="img"'
    return Markup(f'{head} aria-label="{escape(label)}">{"".join(parts)}</svg>')


def time_scale(data: ReportData) -> tuple[float, str]:
    """What a microsecond is multiplied by on the page, and the unit: cycles where times are refused."""
    return (data.cost.clock_ghz, "kcycles") if data.times_refused else (1e-3, "ms")
