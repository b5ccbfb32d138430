"""How the error grows through the network: each node's own loss beside that of all before it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from y10c.comparison.result import NodeDifference
from y10c.cost.report.svg import line, number, plot, text

_W, _H, _LEFT, _RIGHT, _TOP, _BOTTOM = 1200.0, 300.0, 58.0, 14.0, 14.0, 28.0
_MOST = 60.0
"""Decibels at the upper edge: what is better is drawn there."""
_MARKS = (0, 10, 20, 30, 40, 50, 60)


def draw_growth(nodes: Sequence[NodeDifference]) -> Markup | None:
    """SQNR in dB over the nodes in order: a line with all errors before, a dot for the node alone."""
    if not nodes:
        return None
    low = min([0.0, *(10 * math.floor(n.sqnr_db / 10) for n in nodes if math.isfinite(n.sqnr_db))])
    low = max(low, -20.0)
    parts: list[str] = []
    for mark in (m for m in (-20, -10, *_MARKS) if m >= low):
        y = _y(mark, low)
        parts += [line(_LEFT, y, _W - _RIGHT, y, "grid"), text(_LEFT - 8, y + 4, f"{mark} dB", "end")]
    step = (_W - _LEFT - _RIGHT) / max(len(nodes) - 1, 1)
    places = [_LEFT + index * step for index in range(len(nodes))]
    heights = [_y(node.sqnr_db, low) for node in nodes]
    parts += [_lost(node, x, y, low) for node, x, y in zip(nodes, places, heights, strict=True)]
    path = " ".join(f"{number(x)},{number(y)}" for x, y in zip(places, heights, strict=True))
    parts.append(f'<polyline class="whole" points="{path}"/>')
    parts += [_dot(i, node, places[i], low) for i, node in enumerate(nodes)]
    parts += [text(_LEFT, _H - 6, "input"), text(_W - _RIGHT, _H - 6, "output", "end")]
    return plot("growth", _W, _H, f"Signal to noise of {len(nodes)} tensors, in order", parts)


def kind_of(node: NodeDifference) -> str:
    """The class of a node's mark: how wide it is."""
    if node.dtype == "float":
        return "float"
    return "wide" if "16" in node.dtype else "narrow"


def _y(decibels: float, low: float) -> float:
    value = min(max(decibels, low), _MOST)
    return _TOP + (_H - _TOP - _BOTTOM) * (1 - (value - low) / (_MOST - low))


def _dot(index: int, node: NodeDifference, x: float, low: float) -> str:
    place = f'cx="{number(x)}" cy="{number(_y(node.own_sqnr_db, low))}"'
    return f'<circle class="dot {kind_of(node)}" {place} r="3.6" data-n="{index}"/>'


def _lost(node: NodeDifference, x: float, y: float, low: float) -> str:
    """A thin line from the node's own loss down to the loss with all before it."""
    return line(x, _y(node.own_sqnr_db, low), x, y, "drop")
