"""The HTML report: one file that needs nothing else, from templates beside this module."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from y10c import atomic
from y10c.cost.report import palette, words
from y10c.cost.report.data import ReportData
from y10c.cost.report.svg import time_scale
from y10c.cost.report.svg_cosine import draw_cosines
from y10c.cost.report.svg_graph import draw_graph
from y10c.cost.report.svg_roofline import draw_roofline
from y10c.cost.report.svg_time import LANE, STRIP, draw_timeline, lanes_of
from y10c.cost.report.tiles import tiles_of
from y10c.cost.result import Bound, LayerCost


@dataclass(frozen=True, slots=True)
class BoundShare:
    """The layers that wait for one thing, and their share; `bound` is None for no layer's time."""

    bound: Bound | None
    time_us: float
    share: float
    layers: int


def write_html(data: ReportData, path: Path | str) -> None:
    """Write the report as one HTML file, for any browser, without network; raises OutputError."""
    atomic.write_text(path, to_html(data))


def to_html(data: ReportData) -> str:
    """The page as text."""
    return _environment().get_template("report.html.j2").render(_context(data))


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("y10c.cost.report", "."),
        autoescape=lambda name: name is not None and name.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "figure": words.figure,
        "quantity": words.quantity,
        "three_digits": words.three_digits,
        "percent": words.percent,
        "sentence": words.sentence,
    }
    return environment


def _context(data: ReportData) -> dict[str, Any]:
    lanes = lanes_of(data)
    factor, unit = time_scale(data)
    return {
        "data": data,
        "cost": data.cost,
        "total": data.cost.summary,
        "refused": data.times_refused,
        "tiles": tiles_of(data),
        "lanes": lanes,
        "lane_height": LANE,
        "strip_height": STRIP,
        "timeline": draw_timeline(data, lanes),
        "roofline": draw_roofline(data),
        "graph": draw_graph(data),
        "cosines": draw_cosines(data.nodes),
        "bounds": bound_shares(data),
        "layers_time": sum(layer.time_us for layer in data.cost.layers) or 1.0,
        "longest": max((layer.time_us for layer in data.cost.layers), default=0.0) or 1.0,
        "longest_layers": sorted(data.cost.layers, key=lambda layer: -layer.time_us)[:8],
        "advice": sorted(data.cost.advice, key=lambda one: -one.gain_us),
        "advice_of": _advice_of(data),
        "time_factor": 1.0 if not data.times_refused else factor,
        "time_unit": "µs" if not data.times_refused else unit,
        "change": _change,
        "excess": _excess,
        "palette": palette,
        "words": words,
    }


def bound_shares(data: ReportData) -> list[BoundShare]:
    """What the layers wait for, the longest first, and the fixed part; the shares add up to 1."""
    fixed = data.cost.summary.inference_ms * 1e3
    whole = sum(layer.time_us for layer in data.cost.layers) + fixed or 1.0
    shares = []
    for bound in Bound:
        times = [layer.time_us for layer in data.cost.layers if layer.bound_by is bound]
        if times:
            shares.append(BoundShare(bound, sum(times), sum(times) / whole, len(times)))
    shares += [BoundShare(None, fixed, fixed / whole, 0)] if fixed else []
    return sorted(shares, key=lambda one: -one.time_us)


def _advice_of(data: ReportData) -> dict[int, str]:
    """For the table, what to do, without the saving that the list above tells."""
    found: dict[int, str] = {}
    for one in data.cost.advice:
        if one.layer is not None:
            change = _change(one.sentence)
            found[one.layer] = f"{found[one.layer]}; {change}" if one.layer in found else change
    return found


def _change(sentence: str) -> str:
    """What an advice says to do, without the saving that stands beside it."""
    return sentence.rpartition(": saves")[0] or sentence


def _excess(layer: LayerCost) -> float:
    """DDR bytes over what must be moved at least: 1 is perfect."""
    return (layer.load_bytes + layer.store_bytes) / layer.floor_bytes if layer.floor_bytes else 0.0
