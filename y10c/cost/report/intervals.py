"""The timeline from afar: equal intervals of time, neighbours merged where no eye could part them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from y10c.cost.report.data import ReportData
from y10c.cost.result import Interval, Unit


@dataclass(frozen=True, slots=True)
class Profile:
    """The run in `len(utilization)` equal intervals of `step_us`.

    `utilization` is the share of each interval in which the TAE works (0..1); `load` and `store` are bytes.
    """

    step_us: float
    utilization: tuple[float, ...]
    load: tuple[float, ...]
    store: tuple[float, ...]


def profile(data: ReportData, count: int = 100) -> Profile:
    """Cut the makespan into `count` intervals; a layer's bytes spread over its load and store times."""
    end = data.makespan_us
    step = end / count if end else 1.0
    of = {
        unit: [i for i in data.cost.timeline if i.unit is unit] for unit in (Unit.TAE, Unit.LOAD, Unit.STORE)
    }
    loads = {layer.index: float(layer.load_bytes) for layer in data.cost.layers}
    stores = {layer.index: float(layer.store_bytes) for layer in data.cost.layers}
    work = _spread(((i, i.duration_us) for i in of[Unit.TAE]), step, count)
    return Profile(
        step,
        tuple(min(busy / step, 1.0) for busy in work),
        _spread(_shares(of[Unit.LOAD], loads), step, count),
        _spread(_shares(of[Unit.STORE], stores), step, count),
    )


def merged(timeline: Iterable[Interval], resolution_us: float) -> dict[Unit, list[Interval]]:
    """Intervals by unit in time order; shorter ones than `resolution_us` join a neighbour that is as close.

    A joined interval keeps the layer of its longest part.
    """
    lanes: dict[Unit, list[Interval]] = defaultdict(list)
    longest: dict[Unit, float] = {}
    for interval in sorted(timeline, key=lambda i: i.start_us):
        lane = lanes[interval.unit]
        last = lane[-1] if lane else None
        if last is None or not _joins(last, interval, resolution_us):
            lane.append(interval)
            longest[interval.unit] = interval.duration_us
            continue
        layer = last.layer
        if interval.duration_us > longest[interval.unit]:
            layer, longest[interval.unit] = interval.layer, interval.duration_us
        end = max(last.end_us, interval.end_us)
        lane[-1] = Interval(interval.unit, layer, last.start_us, end - last.start_us)
    return {unit: lanes[unit] for unit in Unit if lanes[unit]}


def _joins(last: Interval, interval: Interval, resolution_us: float) -> bool:
    near = interval.start_us - last.end_us < resolution_us
    same = interval.layer == last.layer
    return near and (same or min(interval.duration_us, last.duration_us) < resolution_us)


def _shares(intervals: Sequence[Interval], amounts: dict[int, float]) -> Iterable[tuple[Interval, float]]:
    totals: dict[int, float] = defaultdict(float)
    for interval in intervals:
        totals[interval.layer] += interval.duration_us
    for interval in intervals:
        whole = totals[interval.layer]
        yield interval, amounts.get(interval.layer, 0.0) * interval.duration_us / whole if whole else 0.0


def _spread(amounts: Iterable[tuple[Interval, float]], step: float, count: int) -> tuple[float, ...]:
    bins = [0.0] * count
    for interval, amount in amounts:
        if interval.duration_us <= 0.0:
            continue
        first = min(int(interval.start_us / step), count - 1)
        last = min(int(interval.end_us / step), count - 1)
        for number in range(first, last + 1):
            begin = max(interval.start_us, number * step)
            end = interval.end_us if number == count - 1 else min(interval.end_us, (number + 1) * step)
            bins[number] += amount * max(end - begin, 0.0) / interval.duration_us
    return tuple(bins)
