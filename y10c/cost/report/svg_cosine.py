"""Cosine of each node with the float model, on an axis on which 0.9, 0.99 and 0.999 are equally far apart."""

from __future__ import annotations

from math import log10

from markupsafe import Markup

from y10c.cost.report.data import NodeRow
from y10c.cost.report.svg import line, number, plot, text

_W, _H, _LEFT, _TOP, _BOTTOM = 1100.0, 250.0, 64.0, 12.0, 26.0
_MARKS = (0.0, 0.9, 0.99, 0.999, 0.9999, 0.99999)


def draw_cosines(nodes: tuple[NodeRow, ...]) -> Markup | None:
    """A dot a node in graph order, a ring for its calibrated cosine; None where nothing was measured."""
    measured = [
        (i, n)
        for i, n in enumerate(nodes)
        if n.quantized_cosine is not None or n.calibrated_cosine is not None
    ]
    if not measured:
        return None
    parts = []
    for mark in _MARKS:
        parts += [
            line(_LEFT, _y(mark), _W, _y(mark), "grid"),
            text(_LEFT - 8, _y(mark) + 4, f"{mark:g}", "end"),
        ]
    step = (_W - _LEFT - 12) / max(len(measured) - 1, 1)
    for place, (index, node) in enumerate(measured):
        parts += _dots(node, index, _LEFT + 6 + place * step)
    parts.append(text(_LEFT, _H - 6, "first node"))
    parts.append(text(_W, _H - 6, "last node", "end"))
    return plot("cosine", _W, _H, f"Cosine with the float model of {len(measured)} nodes", parts)


def _y(cosine: float) -> float:
    distance = min(max(1 - cosine, 1e-5), 1.0)
    return _TOP + (_H - _TOP - _BOTTOM) * (1 + log10(distance) / 5)


def _dots(node: NodeRow, index: int, x: float) -> list[str]:
    parts = []
    if node.calibrated_cosine is not None:
        parts.append(
            f'<circle class="ring" cx="{number(x)}" cy="{number(_y(node.calibrated_cosine))}" r="3"/>'
        )
    if node.quantized_cosine is not None:
        y = number(_y(node.quantized_cosine))
        parts.append(f'<circle class="dot" cx="{number(x)}" cy="{y}" r="3.5" data-n="{index}"/>')
    return parts
