"""Workloads with one thing changed, for asking what the change is worth. The original is never modified."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from y10c.cost.workload import FeatureMap, Geometry, Kind, Layer, Read, Workload


def with_layers(workload: Workload, change: Callable[[Layer], Layer]) -> Workload:
    """Every layer replaced by what `change` makes of it."""
    return replace(workload, layers=tuple(map(change, workload.layers)))


def at_8_bits(layer: Layer) -> Layer:
    """The layer with 8-bit operands, if it multiplies."""
    return replace(layer, activation_bits=8, weight_bits=min(layer.weight_bits, 8)) if layer.macs else layer


def with_outputs_at_8_bits(workload: Workload) -> Workload:
    """Outputs stored as 8-bit integers."""
    maps = (replace(m, bits=min(m.bits, 8)) if m.is_output else m for m in workload.maps)
    return replace(workload, maps=tuple(maps))


def with_channels(workload: Workload, layer: Layer, channels: int) -> Workload:
    """One layer with another number of output channels; its readers stay, so a gain is a lower bound."""
    assert layer.geometry is not None
    share = channels / layer.geometry.out_c
    changed = replace(
        layer,
        geometry=replace(layer.geometry, out_c=channels),
        weight_elements=round(layer.weight_elements * share),
        vector_elements=round(layer.vector_elements * share),
        clamp_elements=round(layer.clamp_elements * share),
    )
    return with_layers(workload, lambda other: changed if other.index == layer.index else other)


def fused(workload: Workload, into: Layer, layer: Layer) -> Workload:
    """An elementwise layer done behind the one that makes its operand, which nobody else reads."""
    others = tuple(read for read in layer.reads if read.map != into.writes)
    both = replace(
        into,
        reads=into.reads + others,
        writes=layer.writes,
        vector_elements=into.vector_elements + layer.vector_elements,
        clamp_elements=into.clamp_elements + layer.clamp_elements,
        epilogue=into.epilogue + layer.epilogue,
        origin=into.origin + layer.origin,
    )
    at_place = [both if other is layer else other for other in workload.layers if other is not into]
    return replace(workload, layers=_numbered(at_place))


def in_native_layouts(workload: Workload) -> Workload:
    """All maps as the machine likes them, without the layers that only change layouts."""
    changes = [layer for layer in workload.layers if layer.kind in (Kind.CONVERT, Kind.TRANSPOSE)]
    maps = tuple(replace(m, layout=None) for m in workload.maps)
    return _bypassed(replace(workload, maps=maps), changes)


def _bypassed(workload: Workload, dropped: Collection[Layer]) -> Workload:
    """Without some layers that pass one map on; their readers read that map."""
    source: dict[int, int] = {}
    for layer in dropped:
        source[layer.writes] = source.get(layer.reads[0].map, layer.reads[0].map)
    maps = list(workload.maps)
    for result, origin in source.items():
        if maps[result].is_output:
            bits = max(maps[origin].bits, maps[result].bits)
            maps[origin] = replace(maps[origin], is_output=True, bits=bits)

    def redirected(layer: Layer) -> Layer:
        reads = (Read(source.get(read.map, read.map), read.elements) for read in layer.reads)
        return replace(layer, reads=tuple(reads))

    kept = [redirected(layer) for layer in workload.layers if layer not in dropped]
    return replace(workload, layers=_numbered(kept), maps=tuple(maps))


def _numbered(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    return tuple(replace(layer, index=i) for i, layer in enumerate(layers))


def scaled(workload: Workload, factor: float) -> Workload:
    """All maps with `factor` times the pixels; matrices have their rows scaled."""

    def smaller(layer: Layer) -> Layer:
        reads = tuple(replace(read, elements=round(read.elements * factor)) for read in layer.reads)
        return replace(
            layer,
            reads=reads,
            geometry=layer.geometry and _scaled_nest(layer.geometry, factor),
            vector_elements=round(layer.vector_elements * factor),
            clamp_elements=round(layer.clamp_elements * factor),
        )

    return replace(with_layers(workload, smaller), maps=tuple(_scaled_map(m, factor) for m in workload.maps))


def _scaled_nest(g: Geometry, factor: float) -> Geometry:
    side = factor**0.5
    if g.out_w == 1:
        return replace(g, out_h=max(round(g.out_h * factor), 1), in_h=max(round(g.in_h * factor), 1))
    extents = {name: max(round(getattr(g, name) * side), 1) for name in ("in_h", "in_w", "out_h", "out_w")}
    return replace(g, **extents)


def _scaled_map(m: FeatureMap, factor: float) -> FeatureMap:
    """A map of as many bytes a pixel; the sides of an image are scaled alike."""
    if len(m.shape) == 4:
        side = factor**0.5
        height, width = (max(round(extent * side), 1) for extent in m.shape[2:])
        return replace(m, shape=(*m.shape[:2], height, width))
    return replace(m, shape=(max(round(m.elements * factor), 1),))
