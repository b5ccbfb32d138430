"""What would make a network faster, each with the gain of estimating again with that one change made.

Only changes that the user can make are tried: narrower operands and outputs, channels that fill the array,
fewer separate layers, other layouts, a head cut before the host's first op, a smaller input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from y10c.cost.changes import (
    at_8_bits,
    fused,
    in_native_layouts,
    scaled,
    with_channels,
    with_layers,
    with_outputs_at_8_bits,
)
from y10c.cost.machine import Machine
from y10c.cost.result import Advice
from y10c.cost.times import busy_ms, cycles_of
from y10c.cost.work import padded_macs, work_of
from y10c.cost.workload import Kind, Layer, Workload

_SMALLER = 0.8
_WORTH = 0.002
_TRIED = 5
"""Layers for which a change is tried, the most promising first."""

_GROWS = frozenset({Kind.CONV, Kind.DEPTHWISE, Kind.MATMUL, Kind.ELEMENTWISE, Kind.POOL, Kind.RESIZE})
"""Work that elementwise work can be put behind."""


@dataclass(frozen=True, slots=True)
class _Change:
    layer: int | None
    sentence: str
    make: Callable[[], Workload]


def advise(workload: Workload, machine: Machine, limit: int = 8) -> tuple[Advice, ...]:
    """The best changes, the largest gain first; those under 0.2 % are left out."""
    before = work_of(workload, machine)
    time = busy_ms(before, machine)
    longest = np.argsort(-cycles_of(before, machine).total(machine.phases), kind="stable")
    found = []
    for change in _changes(workload, machine, [workload.layers[i] for i in longest]):
        gain = time - busy_ms(work_of(change.make(), machine), machine)
        if gain > _WORTH * time:
            found.append(Advice(change.layer, f"{change.sentence}: {_saving(gain, time)}", gain * 1e3))
    return tuple(sorted(found, key=lambda advice: -advice.gain_us)[:limit])


def _saving(gain: float, before: float) -> str:
    return f"saves {gain:.3f} ms of {before:.3f} ({gain / before:.1%})"


def _changes(workload: Workload, machine: Machine, longest: list[Layer]) -> Iterator[_Change]:
    yield from _narrower(workload, longest)
    yield from _narrower_outputs(workload)
    yield from _without_host_tail(workload)
    yield from _smaller_input(workload)
    yield from _filled_channels(workload, machine)
    yield from _fused(workload, longest)
    yield from _other_layouts(workload)
    yield from _fewer_channels(workload, machine, longest)


def _narrower(workload: Workload, longest: list[Layer]) -> Iterator[_Change]:
    """Int16 to int8, all such layers together, then the longest of them alone."""
    wide = [layer for layer in longest if layer.macs and max(layer.activation_bits, layer.weight_bits) > 8]
    if len(wide) > 1:
        sentence = f"run {len(wide)} layers of 16 bits at 8, if the accuracy allows"
        yield _Change(None, sentence, lambda: with_layers(workload, at_8_bits))
    for layer in wide[:_TRIED]:
        sentence = f"run {layer.name!r} at 8 bits in place of 16, if the accuracy allows"
        yield _Change(layer.index, sentence, partial(_one_at_8_bits, workload, layer))


def _one_at_8_bits(workload: Workload, layer: Layer) -> Workload:
    return with_layers(workload, lambda other: at_8_bits(other) if other is layer else other)


def _narrower_outputs(workload: Workload) -> Iterator[_Change]:
    """Outputs that leave as accumulators or floats, as 8-bit integers with a scale."""
    wide = [m for m in workload.maps if m.is_output and m.bits > 8]
    if wide:
        shown = repr(wide[0].name) if len(wide) == 1 else f"the {len(wide)} outputs"
        sentence = (
            f"let {shown} leave at 8 bits in place of {max(m.bits for m in wide)}, if the accuracy allows"
        )
        yield _Change(None, sentence, partial(with_outputs_at_8_bits, workload))


def _without_host_tail(workload: Workload) -> Iterator[_Change]:
    """Everything from the host's first op on, once the heavy layers are done, belongs to the CPU anyway."""
    hosts = [layer.index for layer in workload.layers if layer.kind is Kind.HOST]
    if hosts:
        last_macs = max((layer.index for layer in workload.layers if layer.macs), default=-1)
        cut = max(min(hosts), last_macs + 1)
        sentence = f"cut the head before {workload.layers[min(cut, hosts[-1])].name!r} and decode on the CPU"
        yield _Change(cut, sentence, lambda: replace(workload, layers=workload.layers[:cut]))


def _smaller_input(workload: Workload) -> Iterator[_Change]:
    sizes = [m.shape for m in workload.maps if m.is_input and len(m.shape) == 4]
    if sizes and min(sizes[0][2:]) >= 64:
        height, width = (round(extent * _SMALLER / 32) * 32 for extent in sizes[0][2:])
        factor = height * width / (sizes[0][2] * sizes[0][3])
        sentence = f"take an input of {height}x{width} in place of {sizes[0][2]}x{sizes[0][3]}"
        yield _Change(None, sentence, lambda: scaled(workload, factor))


def _filled_channels(workload: Workload, machine: Machine) -> Iterator[_Change]:
    """Layers whose output channels leave much of the array idle, cut back to what they fill."""
    align = int(machine.mac_array.out_channel_align.value)

    def idle(layer: Layer) -> float:
        return padded_macs(layer, machine.mac_array) - layer.macs

    worst = sorted((layer for layer in workload.layers if layer.kind is Kind.CONV), key=idle, reverse=True)
    for layer in worst[:_TRIED]:
        g = layer.geometry
        if g is not None and g.out_c > align and g.out_c % align:
            fewer = g.out_c // align * align
            sentence = (
                f"give {layer.name!r} {fewer} output channels; its {g.out_c} are padded to {fewer + align}"
            )
            yield _Change(layer.index, sentence, partial(with_channels, workload, layer, fewer))


def _fused(workload: Workload, longest: list[Layer]) -> Iterator[_Change]:
    """Elementwise layers of their own whose operand nobody else reads, done where it is made."""
    readers: dict[int, int] = {}
    for layer in workload.layers:
        for read in layer.reads:
            readers[read.map] = readers.get(read.map, 0) + 1
    makers = {layer.writes: layer for layer in workload.layers if layer.kind in _GROWS}
    tried = 0
    for layer in longest:
        own = [
            read
            for read in layer.reads
            if read.map in makers and readers[read.map] == 1 and not workload.maps[read.map].is_output
        ]
        if layer.kind is Kind.ELEMENTWISE and own and tried < _TRIED:
            tried += 1
            into = makers[own[0].map]
            sentence = f"fuse {layer.name!r} into {into.name!r}, as one layer"
            yield _Change(layer.index, sentence, partial(fused, workload, into, layer))


def _other_layouts(workload: Workload) -> Iterator[_Change]:
    """The chip's own layouts, where another one was asked for."""
    if any(m.layout is not None for m in workload.maps):
        sentence = "let the tensors lie as the chip likes them (--layout auto)"
        yield _Change(None, sentence, lambda: in_native_layouts(workload))


def _fewer_channels(workload: Workload, machine: Machine, longest: list[Layer]) -> Iterator[_Change]:
    """The longest convolutions with a quarter fewer channels, in steps that the array fills."""
    align = int(machine.mac_array.out_channel_align.value)
    heavy = [layer for layer in longest if layer.kind is Kind.CONV and layer.geometry is not None]
    for layer in heavy[:_TRIED]:
        assert layer.geometry is not None
        channels = layer.geometry.out_c
        fewer = channels * 3 // 4 // align * align
        if channels % align == 0 and fewer >= align:
            sentence = (
                f"prune {layer.name!r} from {channels} to {fewer} output channels, if the accuracy allows"
            )
            yield _Change(layer.index, sentence, partial(with_channels, workload, layer, fewer))
