"""The choice of what stays on chip, as the one that saves most cycles and fits at every moment.

Each option keeps a map whole, or several maps striped in a cascade, one of them too large to stay whole (the
published rows speak against stripes where they are not needed). Where all maps fit whole, they stay. Else
CP-SAT (OR-Tools) packs the options, starting from a greedy choice by cycles saved for a byte held for one
layer. It runs on one thread with a limit counted in its own steps, so that equal input gives equal output.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np

from y10c.cost.lifetimes import Lifetime
from y10c.cost.machine import Machine
from y10c.cost.placement import Buffer
from y10c.cost.workload import FeatureMap, Kind, Layer, Workload

STRIPED = frozenset({Kind.CONV, Kind.DEPTHWISE, Kind.ELEMENTWISE, Kind.POOL, Kind.RESIZE})
"""Work whose rows need only neighbouring rows."""

_LONGEST = 6
"""Maps in one cascade, at most."""
_LIMIT = 0.3
"""CP-SAT's deterministic seconds; about as many of wall time."""


@dataclass(frozen=True, slots=True)
class Option:
    """Something that may stay on chip: its buffers, from layer `first` to `last`, and the cycles it saves.

    A cascade has several `stripes`; its buffers are a stripe of each map and, under a negative number, the
    weights of all its layers.
    """

    buffers: tuple[Buffer, ...]
    saves: float
    stripes: int = 1

    @property
    def first(self) -> int:
        """The first layer during which the buffers are held."""
        return self.buffers[0].first

    @property
    def last(self) -> int:
        """The last one."""
        return self.buffers[0].last

    @property
    def bytes(self) -> int:
        """Bytes held at a time."""
        return sum(buffer.bytes for buffer in self.buffers)


def options_of(work: Workload, spans: Sequence[Lifetime], machine: Machine) -> list[Option]:
    """Every map whole, and, where not all of them fit at once, every cascade that can run."""
    capacity = machine.memory.on_chip_bytes.value
    ddr = machine.memory.ddr_bytes_per_cycle.value
    whole = [Option((Buffer(s.map, s.bytes, s.first, s.last),), s.moved / ddr) for s in spans]
    whole = [option for option in whole if option.bytes <= capacity]
    if len(whole) == len(spans) and _fits(whole, len(work.layers), capacity):
        return whole
    cascades = [c for run in _runs(work, spans) for c in _cascades(work, run, machine)]
    return whole + [c for c in cascades if c.saves > 0 and c.bytes <= capacity]


def _fits(options: Sequence[Option], layers: int, capacity: float) -> bool:
    held = np.zeros(layers)
    for option in options:
        held[option.first : option.last + 1] += option.bytes
    return bool(held.max(initial=0) <= capacity)


# Cascades.


def _runs(work: Workload, spans: Sequence[Lifetime]) -> list[list[Lifetime]]:
    """Chains of images that only the next layer reads, layer by layer."""
    runs: list[list[Lifetime]] = []
    for span in sorted(spans, key=lambda s: s.first):
        if span.last != span.first + 1 or span.readers > 1 or not _is_striped(work, span):
            continue
        if runs and runs[-1][-1].last == span.first:
            runs[-1].append(span)
        else:
            runs.append([span])
    return runs


def _is_striped(work: Workload, span: Lifetime) -> bool:
    image = len(work.maps[span.map].shape) == 4
    return image and all(work.layers[i].kind in STRIPED for i in (span.first, span.last))


def _cascades(work: Workload, run: Sequence[Lifetime], machine: Machine) -> Iterator[Option]:
    """Cascades along a run, each with a map in it that cannot stay whole."""
    too_large = [span.bytes > machine.memory.on_chip_bytes.value for span in run]
    for start in range(len(run)):
        for end in range(start + 1, min(start + _LONGEST, len(run)) + 1):
            if not any(too_large[start:end]):
                continue
            stripes = 2
            while stripes <= machine.memory.stripes.value:
                yield _cascade(work, run[start:end], stripes, machine)
                stripes *= 2


def _cascade(work: Workload, maps: Sequence[Lifetime], stripes: int, machine: Machine) -> Option:
    first, last = maps[0].first, maps[-1].last
    layers = work.layers[first : last + 1]
    sizes = [_stripe_bytes(work.maps[s.map], work.layers[s.last], s.bytes, stripes) for s in maps]
    buffers = [Buffer(s.map, size, first, last) for s, size in zip(maps, sizes, strict=True)]
    weights = sum(layer.weight_bytes for layer in layers)
    saved = sum(s.moved for s in maps) / machine.memory.ddr_bytes_per_cycle.value
    lost = sum(_launch(layer, stripes, machine) - _launch(layer, 1, machine) for layer in layers)
    return Option((*buffers, Buffer(-1 - first, weights, first, last)), saved - lost, stripes)


def _launch(layer: Layer, times: int, machine: Machine) -> float:
    """Cycles of a layer's launches, beside its weights where the machine does both at once."""
    launch = machine.overheads.launch_cycles.value * times
    beside = any("launch" in names and "weights" in names for names in machine.phases)
    return max(launch, layer.weight_bytes / machine.memory.ddr_bytes_per_cycle.value) if beside else launch


def _stripe_bytes(m: FeatureMap, reader: Layer, size: int, stripes: int) -> int:
    """Bytes of the rows that a stripe of the reader needs: its share, and those that its kernel overlaps."""
    kernel = reader.geometry.kernel_h if reader.geometry else round(sqrt(reader.window))
    rows = min(ceil(m.shape[2] / stripes) + kernel - 1, m.shape[2])
    return ceil(size * rows / m.shape[2])


# The choice.


def choose(options: Sequence[Option], layers: int, capacity: float) -> list[Option]:
    """Options that fit together and save most; each map stays once, no layer works in two cascades."""
    if all(option.stripes == 1 for option in options) and _fits(options, layers, capacity):
        return list(options)
    return _packed(options, layers, capacity, _greedy(options, layers, capacity))


def _greedy(options: Sequence[Option], layers: int, capacity: float) -> set[int]:
    """Whole maps by cycles saved for a byte held for one layer."""
    held, chosen = np.zeros(layers), set[int]()

    def worth(i: int) -> float:
        return options[i].saves / max(options[i].bytes * (options[i].last - options[i].first + 1), 1)

    whole = [i for i, option in enumerate(options) if option.stripes == 1]
    for i in sorted(whole, key=worth, reverse=True):
        during = held[options[i].first : options[i].last + 1]
        if during.max() + options[i].bytes <= capacity:
            during += options[i].bytes
            chosen.add(i)
    return chosen


def _packed(options: Sequence[Option], layers: int, capacity: float, start: set[int]) -> list[Option]:
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    chosen = [model.new_bool_var("") for _ in options]
    for i, literal in enumerate(chosen):
        model.add_hint(literal, i in start)
    for group in _exclusive(options):
        model.add_at_most_one(chosen[i] for i in group)
    for group in _alive(options, layers):
        if sum(options[i].bytes for i in group) > capacity:
            model.add(sum(options[i].bytes * chosen[i] for i in group) <= int(capacity))
    saved = [round(option.saves) * literal for option, literal in zip(options, chosen, strict=True)]
    model.maximize(cp_model.LinearExpr.sum(saved))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.max_deterministic_time = _LIMIT
    if solver.solve(model) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return [options[i] for i in sorted(start)]
    return [option for option, literal in zip(options, chosen, strict=True) if solver.boolean_value(literal)]


def _exclusive(options: Sequence[Option]) -> list[list[int]]:
    """Options of which only one can be taken: those that keep one map, and cascades through one layer."""
    groups = defaultdict(list)
    for i, option in enumerate(options):
        for buffer in option.buffers:
            if buffer.map >= 0:
                groups["map", buffer.map].append(i)
        if option.stripes > 1:
            for layer in range(option.first, option.last + 1):
                groups["layer", layer].append(i)
    return [group for group in groups.values() if len(group) > 1]


def _alive(options: Sequence[Option], layers: int) -> list[list[int]]:
    """The options held during each layer, layers with the same ones once."""
    groups: list[list[int]] = [[] for _ in range(layers)]
    for i, option in enumerate(options):
        for layer in range(option.first, option.last + 1):
            groups[layer].append(i)
    return [list(group) for group in dict.fromkeys(map(tuple, groups))]
