"""Which feature maps stay on chip: a plan of bytes over the order of layers, never above the capacity.

A map stays whole, or in a cascade: neighbouring layers work in turns on stripes of rows, and only a stripe of
each map between them is held, with the rows that the next kernel overlaps, and the weights of all of them.
Where not everything can stay, the choice is the one that saves most time (`keep`), and buffers get addresses
(see `placement`). A map that finds none goes through DDR after all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from y10c.cost.keep import Option, choose, options_of
from y10c.cost.lifetimes import Lifetime, lifetimes
from y10c.cost.machine import Machine
from y10c.cost.placement import Buffer, place
from y10c.cost.result import TensorPlacement
from y10c.cost.workload import Workload

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Residency:
    """The plan: placements of every map between layers, cascades, and the bytes held during each layer."""

    placements: tuple[TensorPlacement, ...]
    on_chip: frozenset[int]
    held: Ints
    cascades: tuple[Option, ...] = ()

    def rounds(self, layers: int) -> npt.NDArray[np.float64]:
        """How often each layer is launched: once, or once for each stripe of its cascade."""
        counts = np.ones(layers)
        for cascade in self.cascades:
            counts[cascade.first : cascade.last + 1] = cascade.stripes
        return counts


def plan_residency(work: Workload, machine: Machine) -> Residency:
    """Keep on chip what saves most time; the capacity is never exceeded."""
    capacity = machine.memory.on_chip_bytes.value
    spans = lifetimes(work, machine)
    chosen = choose(options_of(work, spans, machine), len(work.layers), capacity)
    addresses = place([b for option in chosen for b in option.buffers], capacity)
    kept = [option for option in chosen if all(b.map in addresses for b in option.buffers)]
    buffers = {b.map: b for option in kept for b in option.buffers}
    stripes = {b.map: option.stripes for option in kept for b in option.buffers}
    return Residency(
        tuple(_placement(work, span, buffers.get(span.map), addresses, stripes) for span in spans),
        frozenset(m for m in buffers if m >= 0),
        _held(list(buffers.values()), len(work.layers)),
        tuple(option for option in kept if option.stripes > 1),
    )


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
    offset, count = addresses[span.map], stripes[span.map]
    return TensorPlacement(name, span.bytes, buffer.first, buffer.last, offset, buffer.bytes, count)


def _held(buffers: Sequence[Buffer], layers: int) -> Ints:
    held = np.zeros(layers, dtype=np.int64)
    for buffer in buffers:
        held[buffer.first : buffer.last + 1] += buffer.bytes
    return held
