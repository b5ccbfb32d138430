"""From work to cycles: rates divide, phases follow each other, units within a phase run side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from y10c.cost.machine import Machine
from y10c.cost.work import Array, Work


@dataclass(frozen=True, slots=True)
class Cycles:
    """Cycles that each layer needs of each resource; one array entry a layer."""

    launch: Array
    weights: Array
    loads: Array
    layout: Array
    tae: Array
    vector: Array
    stores: Array

    def phase(self, names: tuple[str, ...]) -> Array:
        """Length of one phase: its slowest resource. Transfers share DDR, so they add up."""
        transfers = [getattr(self, name) for name in ("weights", "loads", "stores") if name in names]
        lanes = [np.sum(transfers, axis=0)] if transfers else []
        lanes += [getattr(self, name) for name in ("launch", "layout") if name in names]
        lanes += [self.tae, self.vector] if "compute" in names else []
        return np.asarray(np.maximum.reduce(lanes), float)

    def total(self, phases: tuple[tuple[str, ...], ...]) -> Array:
        """Cycles of every layer."""
        return np.asarray(np.sum([self.phase(names) for names in phases], axis=0), float)


def cycles_of(work: Work, machine: Machine) -> Cycles:
    """Resource cycles of every layer on a machine with rates."""
    ddr = machine.memory.ddr_bytes_per_cycle.value
    return Cycles(
        launch=work.launches * machine.overheads.launch_cycles.value,
        weights=work.weights / ddr,
        loads=work.loads / ddr,
        layout=work.layout / machine.layouts.convert_elements_per_cycle.value,
        tae=work.macs / machine.mac_array.macs_per_cycle.value,
        vector=work.vector / machine.vector.elements_per_cycle.value,
        stores=work.stores / ddr,
    )


def busy_ms(work: Work, machine: Machine) -> float:
    """Time the core works on one inference."""
    cycles = float(cycles_of(work, machine).total(machine.phases).sum())
    return cycles / machine.clock_ghz.value / 1e6 + machine.overheads.inference_us.value / 1e3
