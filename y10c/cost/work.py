"""Work of each layer on a machine, in the machine's own units: padded MACs, vector passes, bytes moved.

All arrays have one entry a layer. Rates are not needed yet, so a fit computes this once for each discrete
choice (capacity, passes) and then only divides.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, prod, sqrt

import numpy as np
import numpy.typing as npt

from y10c.cost.layouts import bearing, converted_elements, read_bytes, stored_bytes, stored_elements
from y10c.cost.machine import MacArray, Machine
from y10c.cost.residency import Residency, plan_residency
from y10c.cost.workload import Geometry, Kind, Layer, Workload

Array = npt.NDArray[np.float64]

POOLING = frozenset({Kind.POOL, Kind.RESIZE, Kind.REDUCE})


@dataclass(frozen=True, slots=True)
class Work:
    """What the units have to do: `launches` of layers, `macs` padded, `vector` element passes, DDR bytes,
    and `layout`, the elements whose order changes.

    A layer of the host is nothing here: what it reads was stored, what it writes will be loaded.
    """

    launches: Array
    macs: Array
    vector: Array
    weights: Array
    loads: Array
    stores: Array
    layout: Array
    residency: Residency


def work_of(work: Workload, machine: Machine, residency: Residency | None = None) -> Work:
    """Padded MACs, element passes and DDR bytes of every layer; `residency` where it is planned already."""
    residency = residency or plan_residency(work, machine)
    layers = work.layers
    array = machine.mac_array
    bears = bearing(work)
    ours = np.array([layer.kind is not Kind.HOST for layer in layers], float)
    core = ours / np.array([_cores_at_work(work, layer, machine) for layer in layers], float)
    layout = np.array([converted_elements(work, layer, bears, machine) for layer in layers], float)
    return Work(
        launches=ours * residency.rounds(len(layers)),
        macs=core * np.array([padded_macs(layer, array) for layer in layers], float),
        vector=core * np.array([vector_passes(work, layer, machine) for layer in layers], float),
        weights=ours * np.array([_weight_bytes(layer, array) for layer in layers], float),
        loads=ours * np.array([_loaded(work, layer, residency, machine) for layer in layers], float),
        stores=ours * np.array([_stored(work, layer, residency, machine) for layer in layers], float),
        layout=core * layout,
        residency=residency,
    )


def _cores_at_work(work: Workload, layer: Layer, machine: Machine) -> float:
    """How many times faster all cores do the rows of a layer: 3 rows on 2 cores take 2 of 3 turns."""
    shape = work.maps[layer.writes].shape
    rows = shape[2] if len(shape) == 4 else prod(shape[:-1])
    return rows / ceil(rows / machine.cores.value)


def padded_macs(layer: Layer, array: MacArray) -> float:
    """Multiply-accumulates with channels rounded up to the array, wide operands slowed down.

    Few input channels (a first layer) are packed together with the kernel's taps. A depthwise convolution
    leaves the channel reduction idle but is spread over the array by channels.
    """
    geometry = layer.geometry
    if geometry is None:
        return 0.0
    wide = array.wide_slowdown.value if max(layer.activation_bits, layer.weight_bits) > 8 else 1.0
    return wide * _array_macs(geometry, layer.kind, array)


def _array_macs(g: Geometry, kind: Kind, array: MacArray) -> float:
    if kind is Kind.DEPTHWISE:
        return float(g.macs) * array.depthwise_slowdown.value
    outputs = g.batch * g.groups * g.out_h * g.out_w * _up(g.out_c, array.out_channel_align.value)
    if _is_winograd(g, array):
        assert array.winograd_channels is not None
        return outputs * 4 * _up(g.in_c, array.winograd_channels.value)
    align = array.in_channel_align.value
    reduction = g.in_c * g.taps
    packed = (
        _up(reduction, align) if g.in_c <= 4 and g.taps > 1 and align > 8 else g.taps * _up(g.in_c, align)
    )
    return outputs * packed


def _is_winograd(g: Geometry, array: MacArray) -> bool:
    square = (g.kernel_h, g.kernel_w, g.stride_h, g.stride_w) == (3, 3, 1, 1)
    return array.winograd_channels is not None and square and g.groups == 1


def _up(value: float, align: float) -> float:
    return float(-(-value // align) * align)


def vector_passes(work: Workload, layer: Layer, machine: Machine) -> float:
    """Elements that pass through the elementwise units for a layer, padding of its result included."""
    passes = machine.vector.passes.get(layer.kind)
    count = passes.value if passes else 1.0
    if layer.kind is Kind.POOL:
        # A square window is separable: two one-dimensional passes of window - 1 comparisons each.
        return count * work.maps[layer.writes].elements * max(2.0 * (sqrt(layer.window) - 1), 1.0)
    if layer.kind is Kind.REDUCE:
        return count * sum(read.elements for read in layer.reads)
    if layer.kind in (Kind.RESIZE, Kind.COPY):
        return count * work.maps[layer.writes].elements
    if layer.kind in (Kind.HOST, Kind.TRANSPOSE, Kind.CONVERT):
        return 0.0
    m = work.maps[layer.writes]
    padding = stored_elements(m, m.layout, machine) / max(m.elements, 1)
    clamped = machine.vector.clamp_passes.value * layer.clamp_elements
    return (count * layer.vector_elements + clamped) * padding


def _weight_bytes(layer: Layer, array: MacArray) -> float:
    """Bytes of constants as the array stores them."""
    g = layer.geometry
    if g is None:
        return layer.weight_bytes
    if _is_winograd(g, array):
        return layer.weight_bytes * 16 / 9
    if array.fold_stride and g.stride_h * g.stride_w > 1:
        rows, columns = -(-g.kernel_h // g.stride_h), -(-g.kernel_w // g.stride_w)
        channels = _up(g.in_c * g.stride_h * g.stride_w, array.map_channel_align.value)
        return g.groups * g.out_c * channels * rows * columns * layer.weight_bits / 8
    return layer.weight_bytes


def _loaded(work: Workload, layer: Layer, residency: Residency, machine: Machine) -> float:
    array = machine.mac_array
    missing = [
        read_bytes(work.maps[read.map], read, machine) * _folded_padding(layer, array)
        for read in layer.reads
        if read.map not in residency.on_chip
    ]
    if layer.geometry is None or not missing:
        return sum(missing)
    return missing[0] * _refetches(missing[0], _weight_bytes(layer, array), array) + sum(missing[1:])


def _folded_padding(layer: Layer, array: MacArray) -> float:
    """How much larger a map is with its channels padded, after a strided convolution's folding."""
    g = layer.geometry
    if g is None or not array.fold_stride:
        return 1.0
    factor = g.stride_h * g.stride_w
    return _up(g.in_c * factor, array.map_channel_align.value) / (g.in_c * factor)


def _refetches(input_bytes: float, weight_bytes: float, array: MacArray) -> int:
    """How often the input streams by: once if it or the weights fit the buffer, else once for each group.

    A group of weights leaves one line of the buffer to the input, so weights as large as the buffer are two.
    """
    if array.weight_buffer_bytes is None:
        return 1
    buffer = array.weight_buffer_bytes.value
    return 1 if input_bytes <= buffer else int(weight_bytes // buffer) + 1


def _stored(work: Workload, layer: Layer, residency: Residency, machine: Machine) -> float:
    return 0.0 if layer.writes in residency.on_chip else float(stored_bytes(work.maps[layer.writes], machine))
