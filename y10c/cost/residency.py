"""Which feature maps stay on chip: a plan of bytes over the order of layers, never above the capacity.

The order of choice is greedy by DDR traffic saved for a byte held for one layer; addresses are then given by
first fit over time. A map that finds no address goes through DDR after all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from y10c.cost.result import TensorPlacement
from y10c.cost.workload import Kind, Workload


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A map from the layer that makes it to the last that reads it; `uses` counts its writes and reads."""

    map: int
    bytes: int
    first: int
    last: int
    uses: int


@dataclass(frozen=True, slots=True)
class Residency:
    """The plan: placements of every map between layers and the bytes held during each layer."""

    placements: tuple[TensorPlacement, ...]
    on_chip: frozenset[int]
    held: npt.NDArray[np.int64]


def lifetimes(work: Workload) -> list[Lifetime]:
    """Lifetimes of maps that both are made and read on the chip.

    Inputs, outputs and whatever the host makes or reads pass DDR anyway.
    """
    hosts = [layer for layer in work.layers if layer.kind is Kind.HOST]
    outside = {layer.writes for layer in hosts} | {read.map for layer in hosts for read in layer.reads}
    made = {layer.writes: layer.index for layer in work.layers}
    last: dict[int, int] = {}
    uses: dict[int, int] = {}
    for layer in work.layers:
        for read in layer.reads:
            last[read.map] = layer.index
            uses[read.map] = uses.get(read.map, 1) + 1
    return [
        Lifetime(m.index, m.bytes, made[m.index], last[m.index], uses[m.index])
        for m in work.maps
        if m.index in made and m.index in last and not (m.is_input or m.is_output or m.index in outside)
    ]


def plan_residency(work: Workload, capacity: float) -> Residency:
    """Keep on chip what saves most traffic for the room it takes; `capacity` in bytes is never exceeded."""
    held = np.zeros(len(work.layers) + 1, dtype=np.int64)
    chosen: list[Lifetime] = []
    spans = lifetimes(work)
    for span in sorted(spans, key=lambda s: (-s.uses / (s.last - s.first + 1), s.map)):
        during = held[span.first : span.last + 1]
        if during.max() + span.bytes <= capacity:
            during += span.bytes
            chosen.append(span)
    addresses = place(chosen, capacity)
    placements = tuple(
        TensorPlacement(work.maps[s.map].name, s.bytes, s.first, s.last, addresses.get(s.map)) for s in spans
    )
    for span in chosen:
        if span.map not in addresses:
            held[span.first : span.last + 1] -= span.bytes
    return Residency(placements, frozenset(addresses), held[:-1])


def place(spans: list[Lifetime], capacity: float) -> dict[int, int]:
    """Byte offsets such that maps alive together never share a byte: large first, lowest gap that fits."""
    placed: list[tuple[Lifetime, int]] = []
    for span in sorted(spans, key=lambda s: (-s.bytes, s.first)):
        offset = 0
        beside = sorted(
            (start, start + other.bytes)
            for other, start in placed
            if other.first <= span.last and span.first <= other.last
        )
        for start, end in beside:
            if offset + span.bytes <= start:
                break
            offset = max(offset, end)
        if offset + span.bytes <= capacity:
            placed.append((span, offset))
    return {span.map: offset for span, offset in placed}
