"""Addresses in the on-chip memory: greedy by size, and where that leaves a buffer out, exact.

A buffer is a rectangle: the layers during which it lives, times its bytes. Two that live together never share
a byte, and none reaches above the capacity. The exact search is CP-SAT (OR-Tools) on rectangles that do not
overlap; it runs on one thread with a limit counted in its own steps, so that equal input gives equal output.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

_LIMIT = 0.1
"""CP-SAT's deterministic seconds; about as many of wall time."""


@dataclass(frozen=True, slots=True)
class Buffer:
    """Bytes that map `map` needs from layer `first` to layer `last`, both included."""

    map: int
    bytes: int
    first: int
    last: int


def place(buffers: Sequence[Buffer], capacity: float) -> dict[int, int]:
    """Byte offsets by map; a buffer without one found no room."""
    found = place_by_size(buffers, capacity)
    if len(found) == len(buffers):
        return found
    exact = place_exactly(buffers, capacity)
    return exact if exact is not None else found


def place_by_size(buffers: Sequence[Buffer], capacity: float) -> dict[int, int]:
    """Large buffers first, each at the lowest gap that fits."""
    placed: dict[int, int] = {}
    taken: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for buffer in sorted(buffers, key=lambda b: (-b.bytes, b.first)):
        during = range(buffer.first, buffer.last + 1)
        offset = 0
        for start, end in sorted({place for layer in during for place in taken[layer]}):
            if offset + buffer.bytes <= start:
                break
            offset = max(offset, end)
        if offset + buffer.bytes <= capacity:
            placed[buffer.map] = offset
            for layer in during:
                taken[layer].append((offset, offset + buffer.bytes))
    return placed


def place_exactly(buffers: Sequence[Buffer], capacity: float) -> dict[int, int] | None:
    """Offsets for all buffers; None where there are none, or none were found within the limit."""
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    offsets, times, spaces = [], [], []
    for buffer in buffers:
        if buffer.bytes > capacity:
            return None
        offset = model.new_int_var(0, int(capacity) - buffer.bytes, "")
        offsets.append(offset)
        spaces.append(model.new_fixed_size_interval_var(offset, buffer.bytes, ""))
        times.append(model.new_fixed_size_interval_var(buffer.first, buffer.last - buffer.first + 1, ""))
    model.add_no_overlap_2d(times, spaces)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.max_deterministic_time = _LIMIT
    if solver.solve(model) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    return {buffer.map: solver.value(offset) for buffer, offset in zip(buffers, offsets, strict=True)}
