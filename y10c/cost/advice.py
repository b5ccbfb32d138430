"""What would make a network faster, each with the gain of estimating again with that one change made.

Only changes that the user can make are tried: narrower operands, channels that fill the array, a head cut
before the host's first op, a smaller input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from y10c.cost.machine import Machine
from y10c.cost.result import Advice
from y10c.cost.times import busy_ms
from y10c.cost.work import padded_macs, work_of
from y10c.cost.workload import FeatureMap, Geometry, Kind, Layer, Workload

_SMALLER = 0.8
_WORTH = 0.005


@dataclass(frozen=True, slots=True)
class _Change:
    layer: int | None
    sentence: str
    make: Callable[[], Workload]


def advise(workload: Workload, machine: Machine, limit: int = 8) -> tuple[Advice, ...]:
    """The best changes, the largest gain first; those under half a percent are left out."""
    before = busy_ms(work_of(workload, machine), machine)
    found = []
    for change in _changes(workload, machine):
        gain = before - busy_ms(work_of(change.make(), machine), machine)
        if gain > _WORTH * before:
            found.append(Advice(change.layer, f"{change.sentence}: {_saving(gain, before)}", gain * 1e3))
    return tuple(sorted(found, key=lambda advice: -advice.gain_us)[:limit])


def _saving(gain: float, before: float) -> str:
    return f"saves {gain:.3f} ms of {before:.3f} ({gain / before:.1%})"


def _changes(workload: Workload, machine: Machine) -> Iterator[_Change]:
    yield from _narrower(workload)
    yield from _without_host_tail(workload)
    yield from _smaller_input(workload)
    yield from _filled_channels(workload, machine)


def _narrower(workload: Workload) -> Iterator[_Change]:
    """Int16 to int8, all such layers together."""
    wide = [layer for layer in workload.layers if layer.macs and _is_wide(layer)]
    if wide:
        sentence = f"run {_counted(len(wide), 'layer')} of 16 bits at 8, if the accuracy allows"
        yield _Change(
            wide[0].index if len(wide) == 1 else None, sentence, lambda: _with_layers(workload, _at_8_bits)
        )


def _is_wide(layer: Layer) -> bool:
    return max(layer.activation_bits, layer.weight_bits) > 8


def _at_8_bits(layer: Layer) -> Layer:
    return replace(layer, activation_bits=8, weight_bits=min(layer.weight_bits, 8)) if layer.macs else layer


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
        yield _Change(None, sentence, lambda: _scaled(workload, factor))


def _filled_channels(workload: Workload, machine: Machine, tried: int = 5) -> Iterator[_Change]:
    """Layers whose output channels leave much of the array idle, cut back to what they fill."""
    align = int(machine.mac_array.out_channel_align.value)

    def idle(layer: Layer) -> float:
        return padded_macs(layer, machine.mac_array) - layer.macs

    worst = sorted((layer for layer in workload.layers if layer.kind is Kind.CONV), key=idle, reverse=True)
    for layer in worst[:tried]:
        g = layer.geometry
        if g is not None and g.out_c > align and g.out_c % align:
            fewer = g.out_c // align * align
            sentence = (
                f"give {layer.name!r} {fewer} output channels; its {g.out_c} are padded to {fewer + align}"
            )
            yield _Change(layer.index, sentence, _narrowed(workload, layer, fewer))


def _narrowed(workload: Workload, layer: Layer, channels: int) -> Callable[[], Workload]:
    """The workload with one layer of fewer output channels (its readers unchanged: a lower bound on gain)."""
    assert layer.geometry is not None
    share = channels / layer.geometry.out_c
    changed = replace(
        layer,
        geometry=replace(layer.geometry, out_c=channels),
        weight_elements=round(layer.weight_elements * share),
        vector_elements=round(layer.vector_elements * share),
    )
    return lambda: _with_layers(workload, lambda other: changed if other.index == layer.index else other)


def _with_layers(workload: Workload, change: Callable[[Layer], Layer]) -> Workload:
    return replace(workload, layers=tuple(map(change, workload.layers)))


def _scaled(workload: Workload, factor: float) -> Workload:
    """All maps with `factor` times the pixels; matrices have their rows scaled."""

    def smaller(layer: Layer) -> Layer:
        reads = tuple(replace(read, elements=round(read.elements * factor)) for read in layer.reads)
        return replace(
            layer,
            reads=reads,
            geometry=layer.geometry and _scaled_nest(layer.geometry, factor),
            vector_elements=round(layer.vector_elements * factor),
        )

    return replace(_with_layers(workload, smaller), maps=tuple(_scaled_map(m, factor) for m in workload.maps))


def _scaled_nest(g: Geometry, factor: float) -> Geometry:
    side = factor**0.5
    if g.out_w == 1:
        return replace(g, out_h=max(round(g.out_h * factor), 1), in_h=max(round(g.in_h * factor), 1))
    extents = {name: max(round(getattr(g, name) * side), 1) for name in ("in_h", "in_w", "out_h", "out_w")}
    return replace(g, **extents)


def _scaled_map(m: FeatureMap, factor: float) -> FeatureMap:
    """A map of the same bytes per pixel; its shape is only good for counting."""
    return replace(m, shape=(max(round(m.elements * factor), 1),))


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
