"""What the order of a map in memory costs: padding, and elements that pass through the layout unit.

- NCHW pads every row to the machine's row alignment, `blocked` fills up the last block of channels, NHWC pads
  nothing. A map whose layout nobody chose lies as the machine likes it.
- The MAC array, pooling and resizing read and write the layouts that the machine's data lists as accepted; a
  map in another one passes through the layout unit, each time it is read and when it is written.
- Elementwise work takes any layout, if its operands lie like its result; others pass through that unit.
- A Transpose between NCHW and NHWC moves nothing where the map on its channels-first side lies NHWC.
- Maps that no spatial op touches, or that have one channel or one pixel, are the same in every layout.
- A part of the channels is fetched in runs, each rounded up to whole bursts of DDR.
"""

from __future__ import annotations

from collections.abc import Iterator

from y10c.cost.machine import Machine
from y10c.cost.workload import FeatureMap, Kind, Layer, Read, Workload
from y10c.ir.types import Layout

SPATIAL = frozenset({Kind.CONV, Kind.DEPTHWISE, Kind.POOL, Kind.RESIZE})
POINTWISE = frozenset({Kind.ELEMENTWISE, Kind.NORM, Kind.SOFTMAX, Kind.COPY})
TO_LAST: tuple[int, ...] = (0, 2, 3, 1)
TO_FIRST: tuple[int, ...] = (0, 3, 1, 2)


def bearing(work: Workload) -> frozenset[int]:
    """The maps whose layout means something: images of several channels that spatial ops touch.

    What pointwise work connects to such a map is one as well.
    """
    found = {m for layer in work.layers if layer.kind in SPATIAL for m in _images(work, layer)}
    joined = [_images(work, layer) for layer in work.layers if layer.kind in (*POINTWISE, Kind.CONVERT)]
    grown = True
    while grown:
        before = len(found)
        for group in joined:
            if found & group:
                found |= group
        grown = len(found) > before
    return frozenset(found)


def _images(work: Workload, layer: Layer) -> set[int]:
    """The maps of a layer that have several channels and pixels, in the layer's own shape."""
    shapes = [m for m in (*(read.map for read in layer.reads), layer.writes) if _is_image(work.maps[m])]
    g = layer.geometry
    if g is None:
        return set(shapes)
    sides = {(g.in_h, g.in_w), (g.out_h, g.out_w)}
    return {m for m in shapes if work.maps[m].shape[2:] in sides}


def _is_image(m: FeatureMap) -> bool:
    return len(m.shape) == 4 and m.shape[1] > 1 and m.shape[2] * m.shape[3] > 1


def stored_bytes(m: FeatureMap, machine: Machine) -> int:
    """Bytes of a map with the padding of its layout."""
    return -(-stored_elements(m, m.layout, machine) * m.bits // 8)


def stored_elements(m: FeatureMap, layout: Layout | None, machine: Machine) -> int:
    """Elements of a map with the padding that it would have in a layout."""
    if layout is None or layout is Layout.nhwc or not _is_image(m):
        return m.elements
    batch, channels, height, width = m.shape
    if layout is Layout.blocked:
        block = int(machine.layouts.block_channels.value)
        return batch * height * width * _up(channels, block)
    row = max(int(machine.layouts.row_align_bytes.value) * 8 // m.bits, 1)
    return batch * channels * height * _up(width, row)


def read_bytes(m: FeatureMap, read: Read, machine: Machine) -> float:
    """Bytes that cross DDR for a read of a map, whole or in part, in whole bursts."""
    whole = stored_elements(m, m.layout, machine) * m.bits / 8
    burst = machine.memory.burst_bytes.value
    share = read.elements / m.elements if m.elements else 0.0
    if share >= 1 or len(m.shape) != 4 or burst <= 0:
        return whole * share
    run = m.shape[1] * share * m.bits / 8
    if m.layout is Layout.nchw or run <= 0:
        return whole * share
    if m.layout is Layout.blocked:
        return min(whole * share * _up(run, machine.layouts.block_channels.value * m.bits / 8) / run, whole)
    return min(whole * share * _up(run, burst) / run, whole)


def converted_elements(work: Workload, layer: Layer, bears: frozenset[int], machine: Machine) -> float:
    """Elements of a layer's maps that pass through the layout unit."""
    return float(sum(_converted(work, layer, bears, machine)))


def _converted(work: Workload, layer: Layer, bears: frozenset[int], machine: Machine) -> Iterator[int]:
    result = work.maps[layer.writes]
    if layer.kind is Kind.CONVERT:
        yield result.elements
    elif layer.kind is Kind.TRANSPOSE:
        yield from _transposed(work, layer, bears, machine)
    elif layer.kind in SPATIAL:
        sides = [(read.map, read.elements) for read in layer.reads]
        for index, elements in [*sides, (layer.writes, result.elements)]:
            if index in bears and lies(work.maps[index], machine) not in machine.layouts.accepted:
                yield elements
    elif layer.kind in POINTWISE and layer.writes in bears:
        wanted = lies(result, machine)
        yield from (
            read.elements
            for read in layer.reads
            if read.map in bears and lies(work.maps[read.map], machine) is not wanted
        )


def _transposed(work: Workload, layer: Layer, bears: frozenset[int], machine: Machine) -> Iterator[int]:
    first = {TO_LAST: layer.reads[0].map, TO_FIRST: layer.writes}.get(layer.perm)
    if first is not None and first in bears and lies(work.maps[first], machine) is not Layout.nhwc:
        yield work.maps[layer.writes].elements


def lies(m: FeatureMap, machine: Machine) -> Layout:
    """The layout of a map: the chosen one, else the machine's own."""
    return m.layout or machine.layouts.native


def _up(value: float, align: float) -> int:
    return int(-(-value // align) * align)
