"""Which feature maps stay on chip: a plan of bytes over the order of layers, never above the capacity.

1. Whole maps, in the order of DDR traffic saved for a byte held for one layer, as long as they fit.
2. Cascades: neighbouring layers whose maps did not fit work on stripes of rows. Only a stripe of each map
   between them is held, with the rows that the next kernel overlaps, and all their weights.
3. Addresses (see `placement`). A map that finds none goes through DDR after all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil, sqrt

import numpy as np
import numpy.typing as npt

from y10c.cost.layouts import stored_bytes
from y10c.cost.machine import Machine
from y10c.cost.placement import Buffer, place
from y10c.cost.result import TensorPlacement
from y10c.cost.workload import FeatureMap, Kind, Layer, Workload

Ints = npt.NDArray[np.int64]

STRIPED = frozenset({Kind.CONV, Kind.DEPTHWISE, Kind.ELEMENTWISE, Kind.POOL, Kind.RESIZE})
"""Work whose rows need only neighbouring rows."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A map from the layer that makes it to the last that reads it; `uses` counts its writes and reads."""

    map: int
    bytes: int
    first: int
    last: int
    uses: int


@dataclass(frozen=True, slots=True)
class Cascade:
    """Layers `first` to `last` working in turns on `stripes` stripes of the maps between them.

    `buffers` are a stripe of each map and, under a negative number, the weights of all the layers.
    """

    first: int
    last: int
    stripes: int
    buffers: tuple[Buffer, ...]

    @property
    def bytes(self) -> int:
        """Bytes held while the cascade runs."""
        return sum(buffer.bytes for buffer in self.buffers)


@dataclass(frozen=True, slots=True)
class Residency:
    """The plan: placements of every map between layers, cascades, and the bytes held during each layer."""

    placements: tuple[TensorPlacement, ...]
    on_chip: frozenset[int]
    held: Ints
    cascades: tuple[Cascade, ...] = ()

    def rounds(self, layers: int) -> npt.NDArray[np.float64]:
        """How often each layer is launched: once, or once for each stripe of its cascade."""
        counts = np.ones(layers)
        for cascade in self.cascades:
            counts[cascade.first : cascade.last + 1] = cascade.stripes
        return counts


def lifetimes(work: Workload, machine: Machine) -> list[Lifetime]:
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
        Lifetime(m.index, stored_bytes(m, machine), made[m.index], last[m.index], uses[m.index])
        for m in work.maps
        if m.index in made and m.index in last and not (m.is_input or m.is_output or m.index in outside)
    ]


def plan_residency(work: Workload, machine: Machine) -> Residency:
    """Keep on chip what saves most traffic for the room it takes; the capacity is never exceeded."""
    capacity = machine.memory.on_chip_bytes.value
    spans = lifetimes(work, machine)
    held = np.zeros(len(work.layers), dtype=np.int64)
    whole = _whole_maps(spans, held, capacity)
    kept = {buffer.map for buffer in whole}
    cascades = _cascades(work, [s for s in spans if s.map not in kept], held, machine)
    addresses = place([*whole, *(b for c in cascades for b in c.buffers)], capacity)
    running = tuple(c for c in cascades if all(b.map in addresses for b in c.buffers))
    buffers = [b for b in (*whole, *(b for c in running for b in c.buffers)) if b.map in addresses]
    stripes = {b.map: c.stripes for c in running for b in c.buffers}
    by_map = {b.map: b for b in buffers}
    placements = [_placement(work, s, by_map.get(s.map), addresses, stripes) for s in spans]
    on_chip = frozenset(m for m in by_map if m >= 0)
    return Residency(tuple(placements), on_chip, _held(buffers, len(held)), running)


def _placement(
    work: Workload,
    span: Lifetime,
    buffer: Buffer | None,
    addresses: Mapping[int, int],
    stripes: Mapping[int, int],
) -> TensorPlacement:
    name = work.maps[span.map].name
    if buffer is None:
        return TensorPlacement(name, span.bytes, span.first, span.last, None)
    place, count = addresses[span.map], stripes.get(span.map, 1)
    return TensorPlacement(name, span.bytes, buffer.first, buffer.last, place, buffer.bytes, count)


def _whole_maps(spans: Sequence[Lifetime], held: Ints, capacity: float) -> list[Buffer]:
    """The maps that are kept whole, added to `held`."""
    chosen = []
    for span in sorted(spans, key=lambda s: (-s.uses / (s.last - s.first + 1), s.map)):
        during = held[span.first : span.last + 1]
        if during.max() + span.bytes <= capacity:
            during += span.bytes
            chosen.append(Buffer(span.map, span.bytes, span.first, span.last))
    return chosen


def _held(buffers: Sequence[Buffer], layers: int) -> Ints:
    held = np.zeros(layers, dtype=np.int64)
    for buffer in buffers:
        held[buffer.first : buffer.last + 1] += buffer.bytes
    return held


def _cascades(work: Workload, left: Sequence[Lifetime], held: Ints, machine: Machine) -> list[Cascade]:
    """Cascades over the maps that were left out, those that save most; no layer belongs to two."""
    found = []
    for run in _runs(work, left):
        found += _best_cut(work, run, held, machine)
    return found


def _runs(work: Workload, left: Sequence[Lifetime]) -> list[list[Lifetime]]:
    """Chains of maps that only the next layer reads, layer by layer."""
    runs: list[list[Lifetime]] = []
    for span in sorted(left, key=lambda s: s.first):
        if span.last != span.first + 1 or not _striped(work, span):
            continue
        if runs and runs[-1][-1].last == span.first:
            runs[-1].append(span)
        else:
            runs.append([span])
    return runs


def _striped(work: Workload, span: Lifetime) -> bool:
    rows = len(work.maps[span.map].shape) == 4
    return rows and all(work.layers[i].kind in STRIPED for i in (span.first, span.last))


def _best_cut(work: Workload, run: Sequence[Lifetime], held: Ints, machine: Machine) -> list[Cascade]:
    """The cascades along a chain that keep most bytes out of DDR."""

    @cache
    def best(start: int) -> tuple[int, tuple[Cascade, ...]]:
        if start >= len(run):
            return 0, ()
        options = [best(start + 1)]
        for end in range(start, len(run)):
            cascade = _cascade(work, run[start : end + 1], held, machine)
            if cascade is not None:
                saved, after = best(end + 2)
                saved += sum(span.bytes for span in run[start : end + 1])
                options.append((saved, (cascade, *after)))
        return max(options, key=lambda option: option[0])

    return list(best(0)[1])


def _cascade(work: Workload, maps: Sequence[Lifetime], held: Ints, machine: Machine) -> Cascade | None:
    """The cascade over neighbouring maps with the fewest stripes that fit; None where none do."""
    first, last = maps[0].first, maps[-1].last
    room = machine.memory.on_chip_bytes.value - float(held[first : last + 1].max())
    weights = sum(layer.weight_bytes for layer in work.layers[first : last + 1])
    stripes = 2
    while stripes <= machine.memory.stripes.value:
        sizes = [_stripe_bytes(work.maps[s.map], work.layers[s.last], s.bytes, stripes) for s in maps]
        if weights + sum(sizes) <= room:
            buffers = [Buffer(s.map, size, first, last) for s, size in zip(maps, sizes, strict=True)]
            return Cascade(first, last, stripes, (*buffers, Buffer(-1 - first, weights, first, last)))
        stripes *= 2
    return None


def _stripe_bytes(m: FeatureMap, reader: Layer, size: int, stripes: int) -> int:
    """Bytes of the rows that a stripe of the reader needs: its share, and those that its kernel overlaps."""
    kernel = reader.geometry.kernel_h if reader.geometry else round(sqrt(reader.window))
    rows = min(ceil(m.shape[2] / stripes) + kernel - 1, m.shape[2])
    return ceil(size * rows / m.shape[2])
