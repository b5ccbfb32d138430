"""When each unit works: layers in order, the phases of a layer one after another, units of a phase together.

Units start in order and wait only for what came before, so the makespan never shrinks when a duration grows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from y10c.cost.result import Interval, Unit
from y10c.cost.times import Cycles
from y10c.cost.work import POOLING, Array
from y10c.cost.workload import Kind, Layer

_TRANSFERS = {"weights": Unit.LOAD, "loads": Unit.LOAD, "stores": Unit.STORE}


@dataclass(frozen=True, slots=True)
class Timeline:
    """Intervals of all units, and start and end of every layer, in microseconds."""

    intervals: tuple[Interval, ...]
    starts: Array
    ends: Array


def vector_unit(layer: Layer) -> Unit:
    """Which of the elementwise units does a layer's passes."""
    if layer.kind in POOLING:
        return Unit.AAE
    return Unit.TRANS if layer.kind is Kind.COPY else Unit.VPU


def timeline_of(
    layers: tuple[Layer, ...],
    cycles: Cycles,
    phases: tuple[tuple[str, ...], ...],
    us_per_cycle: float,
    offset_us: float,
) -> Timeline:
    """The timeline of all layers; the first starts after `offset_us`, the overhead of the inference."""
    ends = offset_us + np.cumsum(cycles.total(phases)) * us_per_cycle
    starts = np.concatenate(([offset_us], ends[:-1])) if len(layers) else ends
    intervals: list[Interval] = []
    clock = starts.copy()
    for names in phases:
        intervals += _phase(layers, cycles, names, clock, us_per_cycle)
        clock = clock + cycles.phase(names) * us_per_cycle
    intervals.sort(key=lambda interval: (interval.start_us, interval.unit))
    return Timeline(tuple(intervals), starts, ends)


def _phase(
    layers: tuple[Layer, ...], cycles: Cycles, names: tuple[str, ...], start: Array, us_per_cycle: float
) -> list[Interval]:
    """Intervals of one phase over all layers; transfers queue up on DDR in the order of `names`."""
    found: list[tuple[Unit | None, Array, Array]] = []
    bus = start
    for name in names:
        if name in _TRANSFERS:
            length = getattr(cycles, name) * us_per_cycle
            found.append((_TRANSFERS[name], bus, length))
            bus = bus + length
        elif name == "layout":
            found.append((Unit.TRANS, start, cycles.layout * us_per_cycle))
        elif name == "compute":
            found.append((Unit.TAE, start, cycles.tae * us_per_cycle))
            found.append((None, start, cycles.vector * us_per_cycle))
    return [
        Interval(unit or vector_unit(layer), layer.index, float(at[i]), float(length[i]))
        for unit, at, length in found
        for i, layer in enumerate(layers)
        if length[i] > 0
    ]
