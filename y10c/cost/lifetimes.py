"""When feature maps live: from the layer that makes them to the last that reads them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from y10c.cost.layouts import read_bytes, stored_bytes
from y10c.cost.machine import Machine
from y10c.cost.workload import Kind, Workload


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A map from the layer that makes it to the last that reads it.

    `moved` are the bytes that cross DDR if it does not stay: written once, read by each of `readers` layers.
    """

    map: int
    bytes: int
    first: int
    last: int
    readers: int
    moved: float


def lifetimes(work: Workload, machine: Machine) -> list[Lifetime]:
    """Lifetimes of maps that both are made and read on the chip.

    Inputs, outputs and whatever the host makes or reads pass DDR anyway.
    """
    hosts = [layer for layer in work.layers if layer.kind is Kind.HOST]
    outside = {layer.writes for layer in hosts} | {read.map for layer in hosts for read in layer.reads}
    made = {layer.writes: layer.index for layer in work.layers}
    reads = defaultdict(list)
    for layer in work.layers:
        for read in layer.reads:
            reads[read.map].append((layer.index, read_bytes(work.maps[read.map], read, machine)))
    found = []
    for m in work.maps:
        if m.index in made and reads[m.index] and not (m.is_input or m.is_output or m.index in outside):
            size, last = stored_bytes(m, machine), max(index for index, _ in reads[m.index])
            moved = size + sum(amount for _, amount in reads[m.index])
            found.append(Lifetime(m.index, size, made[m.index], last, len(reads[m.index]), moved))
    return found
