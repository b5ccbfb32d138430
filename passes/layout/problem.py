"""The choice of layouts as costs: one variable a map, its states where it lies and which copies are made.

A state is the layout in which a map is written and the set of others into which it is copied; a copy is made
once, however many layers read it. Costs are cycles of the cost model that depend on layouts: what
passes through the layout unit, padding that crosses DDR (of maps that do not stay on chip) or the vector
unit, and copies. Elementwise work ties its operands to its result, which are the only costs of pairs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from y10c.cost.extract import Trace
from y10c.cost.layouts import (
    POINTWISE,
    SPATIAL,
    TO_FIRST,
    TO_LAST,
    bearing,
    read_bytes,
    stored_bytes,
    stored_elements,
)
from y10c.cost.machine import Machine
from y10c.cost.residency import plan_residency
from y10c.cost.work import padded_macs, vector_passes
from y10c.cost.workload import FeatureMap, Kind, Layer, Read
from y10c.ir.types import Layout
from y10c.passes.layout.solve import Problem


@dataclass(frozen=True)
class State:
    """Where a map lies, and the layouts that it is copied into."""

    home: Layout
    copies: tuple[Layout, ...] = ()

    @property
    def ways(self) -> tuple[Layout, ...]:
        """The layouts in which the map can be read."""
        return (self.home, *self.copies)


Plan = Mapping[int, State]
"""A state for every map that has a layout."""


def states_of(machine: Machine, copied: bool) -> tuple[State, ...]:
    """The states of a map, the machine's own layout first; `copied` allows copies."""
    homes = sorted(Layout, key=lambda layout: layout is not machine.layouts.native)
    found = [State(home) for home in homes]
    if copied:
        for home in homes:
            others = [layout for layout in homes if layout is not home]
            found += [State(home, c) for n in (1, 2) for c in combinations(others, n)]
    return tuple(found)


class LayoutCosts:
    """The costs of all layouts of a workload.

    Args:
        trace: A workload without layouts, extracted with every Transpose in it.
        machine: The chip.

    Attributes:
        order: The maps in the order of the problem's variables.
        states: The states of each map.
    """

    def __init__(self, trace: Trace, machine: Machine) -> None:
        self.trace = trace
        self.work = trace.workload
        self.machine = machine
        self.bears = bearing(self.work)
        self.residency = plan_residency(self.work, machine)
        self.maker = {layer.writes: layer for layer in self.work.layers}
        self.readers: dict[int, list[tuple[Layer, Read]]] = defaultdict(list)
        for layer in self.work.layers:
            for read in layer.reads:
                self.readers[read.map].append((layer, read))
        self.order = tuple(sorted(self.bears))
        self.states = {m: states_of(machine, self._is_copied(m)) for m in self.order}

    def problem(self) -> Problem:
        """The costs in cycles, a variable for each map of `order`."""
        single = [np.array([self._alone(m, s) for s in self.states[m]]) for m in self.order]
        problem = Problem(single)
        place = {m: i for i, m in enumerate(self.order)}
        for layer, read in self._ties():
            table = [
                [self._read(layer, read, s, t.home) for t in self.states[layer.writes]]
                for s in self.states[read.map]
            ]
            problem.add_pair(place[read.map], place[layer.writes], np.array(table))
        return problem

    def copied_reads(self, plan: Plan) -> dict[tuple[int, Layout], list[int]]:
        """For each copy of a plan, by map and layout, the layers that read it."""
        found: dict[tuple[int, Layout], list[int]] = defaultdict(list)
        for m, state in plan.items():
            for layer, read in self.readers[m]:
                way = self.way(layer, read, state, plan)
                if way is not state.home:
                    found[m, way].append(layer.index)
        return found

    def way(self, layer: Layer, read: Read, state: State, plan: Plan) -> Layout:
        """The layout in which a layer reads a map best, the map's own among equals."""
        result = plan[layer.writes].home if layer.writes in plan else state.home
        return min(
            self._ways(layer, read.map, state),
            key=lambda way: self._read_as(layer, read, state.home, way, result),
        )

    def _is_copied(self, m: int) -> bool:
        """A copy helps where two layers read the map as it stands."""
        taken = [self.trace.operands.get((layer.index, m), ()) for layer, _ in self.readers[m]]
        return sum(map(bool, taken)) > 1 and len({key for places in taken for _, key in places}) == 1

    def _ways(self, layer: Layer, m: int, state: State) -> tuple[Layout, ...]:
        """The layouts that a layer may read a map in: copies are only for those that read it as it stands."""
        return state.ways if (layer.index, m) in self.trace.operands else (state.home,)

    # What one map costs.

    def _alone(self, m: int, state: State) -> float:
        found = self._made(m, state.home) + sum(self._copied(m, state.home, copy) for copy in state.copies)
        free = [(layer, read) for layer, read in self.readers[m] if not self._is_tied(layer)]
        return found + sum(self._read(layer, read, state, state.home) for layer, read in free)

    def _made(self, m: int, home: Layout) -> float:
        layer = self.maker.get(m)
        if layer is None:
            return 0.0
        cycles = self._stored(m, home, home) + self._padded_work(layer, home)
        if layer.kind in SPATIAL:
            cycles += self._unless(home in self.machine.layouts.accepted, self.work.maps[m].elements)
        if layer.kind is Kind.TRANSPOSE and layer.perm == TO_FIRST:
            cycles += self._transposed(home is Layout.nhwc, m)
        return cycles

    def _read(self, layer: Layer, read: Read, state: State, result: Layout) -> float:
        ways = self._ways(layer, read.map, state)
        return min(self._read_as(layer, read, state.home, way, result) for way in ways)

    def _read_as(self, layer: Layer, read: Read, home: Layout, way: Layout, result: Layout) -> float:
        """Cycles of reading a map in one layout, where the layer's result lies in another."""
        if layer.kind is Kind.TRANSPOSE:
            return self._transposed(layer.perm != TO_LAST or way is Layout.nhwc, layer.writes)
        free = True
        if layer.kind in SPATIAL:
            free = way in self.machine.layouts.accepted
        elif self._is_tied(layer):
            free = way is result
        return self._loaded(read, home, way) + self._unless(free, read.elements)

    def _copied(self, m: int, home: Layout, copy: Layout) -> float:
        """A copy is a layer of its own: launched, read, converted, and written where maps do not stay."""
        cycles = self.machine.overheads.launch_cycles.value + self._converted(self.work.maps[m].elements)
        return cycles + self._stored(m, home, home) + self._stored(m, copy, home)

    def _padded_work(self, layer: Layer, home: Layout) -> float:
        """Cycles that padded elements add to a layer's compute."""
        m = self.work.maps[layer.writes]
        tae = padded_macs(layer, self.machine.mac_array) / self.machine.mac_array.macs_per_cycle.value
        vector = vector_passes(self.work, layer, self.machine) / self.machine.vector.elements_per_cycle.value
        padding = stored_elements(m, home, self.machine) / m.elements
        grows = layer.vector_elements > 0
        return max(tae, vector * padding) - max(tae, vector) if grows else 0.0

    # What two maps cost together.

    def _ties(self) -> Iterator[tuple[Layer, Read]]:
        for layer in self.work.layers:
            if self._is_tied(layer):
                yield from ((layer, read) for read in layer.reads if read.map in self.bears)

    def _is_tied(self, layer: Layer) -> bool:
        return layer.kind in POINTWISE and layer.writes in self.bears

    # Cycles.

    def _unless(self, free: bool, elements: int) -> float:
        return 0.0 if free else self._converted(elements)

    def _converted(self, elements: int) -> float:
        return elements / self.machine.layouts.convert_elements_per_cycle.value

    def _transposed(self, free: bool, m: int) -> float:
        """A Transpose that stays a layer: launched, its operand loaded and its result stored."""
        if free:
            return 0.0
        launch = self.machine.overheads.launch_cycles.value
        return launch + self._converted(self.work.maps[m].elements)

    def _map(self, m: int, layout: Layout) -> FeatureMap:
        return replace(self.work.maps[m], layout=layout)

    def _stays(self, m: int, layout: Layout, home: Layout) -> bool:
        """Whether a map, or a copy of it beside everything that is held, stays on chip."""
        if layout is home:
            return m in self.residency.on_chip
        first = self.maker[m].index if m in self.maker else 0
        last = max((layer.index for layer, _ in self.readers[m]), default=first)
        held = float(self.residency.held[first : last + 1].max())
        copy = stored_bytes(self._map(m, layout), self.machine)
        return held + copy <= self.machine.memory.on_chip_bytes.value

    def _stored(self, m: int, layout: Layout, home: Layout) -> float:
        """Cycles in which a whole map or copy crosses DDR."""
        if self._stays(m, layout, home):
            return 0.0
        return self._ddr(stored_bytes(self._map(m, layout), self.machine))

    def _loaded(self, read: Read, home: Layout, way: Layout) -> float:
        if self._stays(read.map, way, home):
            return 0.0
        return self._ddr(read_bytes(self._map(read.map, way), read, self.machine))

    def _ddr(self, amount: float) -> float:
        return amount / self.machine.memory.ddr_bytes_per_cycle.value
