"""The estimate: a workload on a machine, with floors, bands and a timeline."""

from __future__ import annotations

from math import ceil

import numpy as np

from y10c.cost.advice import advise
from y10c.cost.layouts import bearing
from y10c.cost.machine import Machine
from y10c.cost.result import (
    Band,
    Bound,
    CostResult,
    Interval,
    LayerCost,
    MemorySample,
    Summary,
    Unit,
)
from y10c.cost.schedule import Timeline, timeline_of, vector_unit
from y10c.cost.tiles import best_tile
from y10c.cost.times import Cycles, cycles_of
from y10c.cost.work import Array, Work, work_of
from y10c.cost.workload import Kind, Layer, Workload

_BOUND_OF_UNIT = {
    Unit.TAE: Bound.COMPUTE,
    Unit.VPU: Bound.VECTOR,
    Unit.AAE: Bound.POOLING,
    Unit.TRANS: Bound.LAYOUT,
    Unit.LOAD: Bound.LOAD,
    Unit.STORE: Bound.STORE,
}


def estimate(workload: Workload, machine: Machine) -> CostResult:
    """Cycles, bytes and times of one inference of a workload on a march.

    `fps` counts frames in flight on two threads, the core never idle: 1000 / `bpu_busy_ms`. `latency_ms` is
    one frame alone: busy time and the host's work around it. Ops of the host are counted, their time is not.
    """
    work = work_of(workload, machine)
    cycles = cycles_of(work, machine)
    us_per_cycle = 1e-3 / machine.clock_ghz.value
    timeline = timeline_of(
        workload.layers, cycles, machine.phases, us_per_cycle, machine.overheads.inference_us.value
    )
    layers = _layers(workload, work, cycles, timeline, machine)
    gigahertz = machine.clock_ghz.value * 1e9
    return CostResult(
        model=workload.name,
        target=machine.target,
        march=machine.name,
        clock_ghz=machine.clock_ghz.value,
        summary=_summary(workload, work, layers, timeline, machine),
        layers=layers,
        timeline=timeline.intervals,
        memory=_memory(work, timeline),
        placements=work.residency.placements,
        advice=advise(workload, machine),
        peak_macs_per_s=_peak(machine) * gigahertz,
        ddr_bytes_per_s=machine.memory.ddr_bytes_per_cycle.value * gigahertz,
        assumed=machine.assumed(),
        fitted=machine.fitted(),
        error_note=machine.accuracy.note
        if machine.accuracy
        else "the error of this march was never measured",
        cores=int(machine.cores.value),
    )


def _peak(machine: Machine) -> float:
    """Multiply-accumulates a cycle of all cores."""
    return machine.mac_array.macs_per_cycle.value * machine.cores.value


def _layers(
    workload: Workload, work: Work, cycles: Cycles, timeline: Timeline, machine: Machine
) -> tuple[LayerCost, ...]:
    us = 1e-3 / machine.clock_ghz.value
    total = cycles.total(machine.phases)
    floors = _floor_bytes(workload)
    floor_us = _floor_us(workload, floors, machine)
    rate = _peak(machine)
    bears = bearing(workload)
    return tuple(
        LayerCost(
            index=layer.index,
            name=layer.name,
            kind=layer.kind.value,
            origin=layer.origin,
            output_shape=workload.maps[layer.writes].shape,
            activation_bits=layer.activation_bits,
            weight_bits=layer.weight_bits,
            macs=layer.macs,
            cycles=float(total[i]),
            time_us=float(total[i]) * us,
            floor_us=float(floor_us[i]),
            start_us=float(timeline.starts[i]),
            end_us=float(timeline.ends[i]),
            busy_us=_busy(layer, cycles, us),
            utilization=min(layer.macs / (float(total[i]) * rate), 1.0) if total[i] else 0.0,
            load_bytes=round(work.weights[i] + work.loads[i]),
            store_bytes=round(work.stores[i]),
            weight_bytes=round(work.weights[i]),
            floor_bytes=round(floors[i]),
            on_chip=layer.writes in work.residency.on_chip,
            layout=_layout(workload, layer, bears),
            bound_by=_bound(layer, cycles, float(total[i])),
            tile=_tile(layer, work, machine),
        )
        for i, layer in enumerate(workload.layers)
    )


def _layout(workload: Workload, layer: Layer, bears: frozenset[int]) -> str:
    layout = workload.maps[layer.writes].layout
    return layout.value if layout is not None and layer.writes in bears else ""


def _tile(layer: Layer, work: Work, machine: Machine) -> str:
    """How the layer is cut for what the maps that stay leave free; empty for layers without MACs."""
    if layer.geometry is None:
        return ""
    buffer = machine.mac_array.weight_buffer_bytes
    free = machine.memory.on_chip_bytes.value - float(work.residency.held[layer.index])
    tile = best_tile(
        layer.geometry, max(buffer.value if buffer else 0.0, free), layer.activation_bits, layer.weight_bits
    )
    return str(tile) if tile else ""


def _busy(layer: Layer, cycles: Cycles, us: float) -> dict[Unit, float]:
    i = layer.index
    every = [
        (Unit.LOAD, cycles.weights[i] + cycles.loads[i]),
        (Unit.TRANS, cycles.layout[i]),
        (Unit.TAE, cycles.tae[i]),
        (vector_unit(layer), cycles.vector[i]),
        (Unit.STORE, cycles.stores[i]),
    ]
    busy: dict[Unit, float] = {}
    for unit, value in every:
        if value > 0:
            busy[unit] = busy.get(unit, 0.0) + float(value) * us
    return busy


def _bound(layer: Layer, cycles: Cycles, total: float) -> Bound:
    """The longest unit; the launch where it is longer than any."""
    if total == 0:
        return Bound.NOTHING
    busy = _busy(layer, cycles, 1.0)
    unit = max(busy, key=lambda u: busy[u], default=None)
    if unit is None or cycles.launch[layer.index] >= busy[unit]:
        return Bound.LAUNCH
    return _BOUND_OF_UNIT[unit]


def _floor_bytes(workload: Workload) -> Array:
    """Compulsory DDR bytes: constants once, inputs and outputs of the network once."""
    maps, seen = workload.maps, set[int]()
    floors = np.array([float(layer.weight_bytes) for layer in workload.layers])
    for layer in workload.layers:
        for read in layer.reads:
            if maps[read.map].is_input and read.map not in seen:
                seen.add(read.map)
                floors[layer.index] += maps[read.map].bytes
        if maps[layer.writes].is_output:
            floors[layer.index] += maps[layer.writes].bytes
    return floors


def _floor_us(workload: Workload, floor_bytes: Array, machine: Machine) -> Array:
    """The longer of compulsory bytes at DDR's rate and unpadded MACs at the array's rate."""
    macs = np.array([float(layer.macs) for layer in workload.layers])
    cycles = np.maximum(
        macs / _peak(machine),
        floor_bytes / machine.memory.ddr_bytes_per_cycle.value,
    )
    return cycles * 1e-3 / machine.clock_ghz.value


def _memory(work: Work, timeline: Timeline) -> tuple[MemorySample, ...]:
    held = work.residency.held
    samples = [MemorySample(float(t), int(b)) for t, b in zip(timeline.starts, held, strict=True)]
    end = [MemorySample(float(timeline.ends[-1]), 0)] if len(held) else []
    return tuple(samples + end)


def _summary(
    workload: Workload, work: Work, layers: tuple[LayerCost, ...], timeline: Timeline, machine: Machine
) -> Summary:
    overhead_ms = machine.overheads.inference_us.value / 1e3
    busy = float(timeline.ends[-1]) / 1e3 if len(layers) else overhead_ms
    outputs = sum(m.is_output for m in workload.maps)
    host_us = machine.overheads.host_us.value + outputs * machine.overheads.host_output_us.value
    latency = busy + host_us / 1e3
    read, written = float(work.weights.sum() + work.loads.sum()), float(work.stores.sum())
    macs = workload.macs
    wide = sum(layer.macs for layer in layers if max(layer.activation_bits, layer.weight_bits) > 8)
    peak_macs_per_ms = _peak(machine) * machine.clock_ghz.value * 1e6
    low, high = _ratios(machine)
    return Summary(
        bpu_busy_ms=busy,
        bpu_busy_ms_band=_band(busy, low, high),
        latency_ms=latency,
        latency_ms_band=_band(latency, low, high),
        fps=1e3 / busy if busy else 0.0,
        fps_band=_band(1e3 / busy, 1 / high, 1 / low) if busy else (0.0, 0.0),
        ddr_read_bytes=read,
        ddr_read_bytes_band=_band(read, low, high),
        ddr_write_bytes=written,
        ddr_write_bytes_band=_band(written, low, high),
        bpu_busy_ms_floor=sum(layer.floor_us for layer in layers) / 1e3,
        ddr_bytes_floor=float(_floor_bytes(workload).sum()),
        ddr_bytes_layer_by_layer=layer_by_layer_bytes(workload),
        inference_ms=overhead_ms,
        overhead_ms=latency - busy,
        peak_on_chip_bytes=int(work.residency.held.max(initial=0)),
        on_chip_capacity_bytes=int(machine.memory.on_chip_bytes.value),
        weight_bytes=workload.weight_bytes,
        macs=macs,
        int8_mac_share=1 - wide / macs if macs else 1.0,
        int16_mac_share=wide / macs if macs else 0.0,
        utilization=min(macs / (peak_macs_per_ms * busy), 1.0) if busy else 0.0,
        cpu_crossings=_crossings(workload),
        busy_ms=_busy_ms(timeline.intervals),
    )


def _busy_ms(intervals: tuple[Interval, ...]) -> dict[Unit, float]:
    total: dict[Unit, float] = {}
    for interval in intervals:
        total[interval.unit] = total.get(interval.unit, 0.0) + interval.duration_us / 1e3
    return total


def _ratios(machine: Machine) -> Band:
    if machine.accuracy is None:
        return 1.0, 1.0
    return machine.accuracy.ratio_p10.value, machine.accuracy.ratio_p90.value


def _band(value: float, low: float, high: float) -> Band:
    return value * low, value * high


def layer_by_layer_bytes(workload: Workload) -> float:
    """DDR bytes if every layer fetched its operands and stored its result."""
    maps = workload.maps
    reads = sum(
        ceil(read.elements * maps[read.map].bits / 8) for layer in workload.layers for read in layer.reads
    )
    return float(reads + sum(maps[layer.writes].bytes + layer.weight_bytes for layer in workload.layers))


def _crossings(workload: Workload) -> int:
    """Runs of host layers between layers of the core: each is a way to the CPU and back."""
    hosts = [layer.kind is Kind.HOST for layer in workload.layers]
    return sum(1 for before, now in zip([False, *hosts], hosts, strict=False) if now and not before)
