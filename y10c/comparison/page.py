"""The comparison as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from PIL.Image import Image

from y10c import __version__, atomic
from y10c.comparison.growth import draw_growth, kind_of
from y10c.comparison.histogram import Histogram, histogram
from y10c.comparison.result import Comparison, NodeDifference
from y10c.cost.report import palette, words

WORST = 10
"""Nodes in the list of those that lose most on their own."""

QUALITY = 82
"""Of the JPEG pictures in the page."""


@dataclass(frozen=True)
class Row:
    """A line of the node table.

    Args:
        node: Its figures.
        kind: Class of its marks.
        histogram: Its distribution; None where nothing finite was seen.
    """

    node: NodeDifference
    kind: str
    histogram: Histogram | None


def write_html(found: Comparison, path: Path | str) -> None:
    """Write the page, for any browser, without network; raises OutputError."""
    atomic.write_text(path, to_html(found))


def to_html(found: Comparison) -> str:
    """The page as text."""
    rows = [
        Row(node, kind_of(node), histogram(found.distributions[node.tensor]))
        for node in found.nodes
        if node.tensor in found.distributions
    ]
    context = {
        "found": found,
        "rows": rows,
        "growth": draw_growth(found.nodes),
        "worst": _worst(found),
        "detected": found.detections,
        "version": __version__,
        "palette": palette,
    }
    return _environment().get_template("compare.html.j2").render(context)


def _environment() -> Environment:
    loaders = [PackageLoader("y10c.comparison", "."), PackageLoader("y10c.cost.report", ".")]
    environment = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=lambda name: name is not None and name.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "three_digits": words.three_digits,
        "percent": words.percent,
        "decibels": decibels,
        "small": small,
        "jpeg": as_data,
        "noise_share": noise_share,
        "short": short,
    }
    return environment


def _worst(found: Comparison) -> list[tuple[int, NodeDifference]]:
    """The nodes that lose most on their own, with their line in the table."""
    places = {node.tensor: index for index, node in enumerate(found.nodes)}
    worst = [node for node in found.worst_own if math.isfinite(node.own_sqnr_db)]
    return [(places[node.tensor], node) for node in worst[:WORST]]


def decibels(value: float | None) -> str:
    """`23.4`; words where a figure says nothing."""
    if value is None:
        return "–"
    return f"{value:.1f}" if math.isfinite(value) else "equal" if value > 0 else "no signal"


def small(value: float | None) -> str:
    """Four significant digits, a dash for nothing."""
    return "–" if value is None else f"{value:.4g}"


def noise_share(value: float) -> float:
    """Noise amplitude over signal amplitude, 0 to 1, of a ratio in dB."""
    return float(min(10 ** (-value / 20), 1.0)) if math.isfinite(value) else float(value < 0)


def short(node: str) -> str:
    """A node's path without its root and the scopes that the next one repeats.

    `/model.23/cv3.2/cv3.2.1/act/Mul` says no more than `model.23/cv3.2.1/act/Mul`.
    """
    parts = node.strip("/").split("/")
    kept = [a for a, b in pairwise(parts) if not b.startswith(f"{a}.")]
    return "/".join([*kept, parts[-1]])


def as_data(image: Image) -> str:
    """A picture as a data address."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
