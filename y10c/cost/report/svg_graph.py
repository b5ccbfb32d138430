"""The network as a strip: layers by depth from left to right, parallel branches on rows of their own."""

from __future__ import annotations

from collections import defaultdict
from math import sqrt

from markupsafe import Markup

from y10c.cost.report.data import ReportData
from y10c.cost.report.svg import number

_STEP, _ROW, _MARGIN, _ARCS = 18.0, 30.0, 16.0, 54.0


def draw_graph(data: ReportData) -> Markup:
    """Squares are layers, coloured by what they wait for, their area by time; lines are feature maps."""
    edges = _edges(data)
    places = _places(len(data.cost.layers), edges)
    depth = max((column for column, _ in places), default=0)
    rows = [row for _, row in places] or [0]
    low = min(rows)
    spots = [(_MARGIN + c * _STEP, _ARCS + (r - low) * _ROW) for c, r in places]
    width, height = 2 * _MARGIN + depth * _STEP, _ARCS + _MARGIN + (max(rows) - low) * _ROW
    wires = "".join(_wire(spots[a], spots[b]) for a, b in edges)
    longest = max((layer.time_us for layer in data.cost.layers), default=1.0) or 1.0
    nodes = "".join(
        _node(x, y, 5 + 9 * sqrt(max(layer.time_us, 0.0) / longest), str(layer.bound_by), layer.index)
        for layer, (x, y) in zip(data.cost.layers, spots, strict=True)
    )
    size = f'width="{number(width)}" height="{number(height)}" viewBox="0 0 {number(width)} {number(height)}"'
    about = f'role="img" aria-label="Graph of {len(spots)} layers, {depth + 1} deep"'
    return Markup(f'<svg class="graph" {size} {about}><path class="wires" d="{wires}"/>{nodes}</svg>')


def _edges(data: ReportData) -> list[tuple[int, int]]:
    """The given edges, or what the lifetimes of the feature maps tell of them."""
    if data.edges:
        return [(a, b) for a, b in data.edges if a < b]
    lives = {(p.first_layer, p.last_layer) for p in data.cost.placements}
    chain = {(i, i + 1) for i in range(len(data.cost.layers) - 1)}
    return sorted((a, b) for a, b in lives | chain if 0 <= a < b)


def _places(count: int, edges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """(column, row) of each layer: the column is its depth; it takes its first producer's row if free."""
    producers: dict[int, list[int]] = defaultdict(list)
    for a, b in edges:
        producers[b].append(a)
    columns: list[int] = []
    rows: list[int] = []
    taken: dict[int, set[int]] = defaultdict(set)
    for layer in range(count):
        column = max((columns[p] + 1 for p in producers[layer]), default=0)
        deepest = max(producers[layer], key=lambda p: columns[p], default=None)
        row = _free_row(rows[deepest] if deepest is not None else 0, taken[column])
        taken[column].add(row)
        columns.append(column)
        rows.append(row)
    return list(zip(columns, rows, strict=True))


def _free_row(wanted: int, taken: set[int]) -> int:
    nearest = (wanted + sign * offset for offset in range(len(taken) + 1) for sign in (1, -1))
    return next(row for row in nearest if row not in taken)


def _wire(start: tuple[float, float], end: tuple[float, float]) -> str:
    (x1, y1), (x2, y2) = start, end
    if x2 - x1 > _STEP * 1.5 and y1 == y2:
        lift = min(8 + (x2 - x1) / 12, _ARCS)
        curve = (x1, y1, x1 + 8, y1 - lift, x2 - 8, y2 - lift, x2, y2)
    else:
        bend = min((x2 - x1) / 2, 3 * _STEP)
        curve = (x1, y1, x1 + bend, y1, x2 - bend, y2, x2, y2)
    return "M{} {}C{} {} {} {} {} {}".format(*map(number, curve))


def _node(x: float, y: float, side: float, bound: str, index: int) -> str:
    corner = f'x="{number(x - side / 2)}" y="{number(y - side / 2)}"'
    size = f'width="{number(side)}" height="{number(side)}"'
    return f'<rect class="b-{bound}" {corner} {size} rx="2" data-l="{index}"/>'
