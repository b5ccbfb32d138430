"""Layers of a graph: renames and views resolved, functions and residual adds fused behind their producer.

Rules, all of them about any ONNX graph:

- Q, DQ, casts and BatchNormalization are no work; they set the stored width of a map or live in weights.
- Reshapes, channel Splits, channel Slices and Concats move nothing: a reader names the maps it reads. Nor do
  Transposes, which readers follow by their strides, unless one undoes a layout that was chosen (`layouts`).
- A chain of elementwise ops that depends on one map alone (SiLU = x * sigmoid(x), GELU, HardSwish) is one
  function of it, a table look-up, whatever its number of ops.
- A function, and then an elementwise op of several maps, is fused behind the layer that made the last operand
  when nothing else reads it.
- An Identity between two layouts is a conversion, and a layer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from y10c.cost.geometry import geometry_of, weight_elements_of, window_of
from y10c.cost.layouts import TO_FIRST, TO_LAST
from y10c.cost.op_kinds import CLAMPS, ELEMENTWISE, PARTS, RENAMES, SHAPE_ARITHMETIC, VIEWS, kind_of
from y10c.cost.view import GraphView, OpView, TensorView, view_of
from y10c.cost.workload import FeatureMap, Kind, Layer, Read, Workload
from y10c.ir.types import Layout

if TYPE_CHECKING:
    from y10c.ir import Graph

FUSABLE = frozenset({Kind.CONV, Kind.DEPTHWISE, Kind.MATMUL, Kind.ELEMENTWISE})


@dataclass(frozen=True, slots=True)
class Widths:
    """Stored widths in bits where the graph itself does not say (float graphs).

    `outputs` is the width of graph outputs that no QuantizeLinear narrows: accumulators or float32.
    """

    activations: int = 8
    weights: int = 8
    outputs: int = 32


def layers_of(graph: Graph, widths: Widths | None = None) -> Workload:
    """The workload of an IR graph: float, QDQ INT8 or a skeleton without weights.

    Raises:
        ModelError: A tensor that costs something has no static shape.
    """
    return layers_of_view(view_of(graph), widths)


def layers_of_view(graph: GraphView, widths: Widths | None = None) -> Workload:
    """The workload of a graph whose shapes are static.

    Raises:
        ModelError: A tensor that costs something has no static shape.
    """
    return _Extraction(graph, widths or Widths()).run()


@dataclass(frozen=True)
class Trace:
    """A workload, and where it comes from in the graph.

    Args:
        workload: The layers and maps.
        map_of: The map that holds a tensor, whole and in its own shape, by the tensor's key.
        operands: For a layer and a map that it reads as it stands: (key of the reading op's first result, key
            of the operand) of each read. A layer that also reads the map in part is not in it.
    """

    workload: Workload
    map_of: Mapping[str, int]
    operands: Mapping[tuple[int, int], tuple[tuple[str, str], ...]]


def trace_view(graph: GraphView, widths: Widths | None = None) -> Trace:
    """The workload of a graph and where its maps and reads come from.

    Raises:
        ModelError: A tensor that costs something has no static shape.
    """
    extraction = _Extraction(graph, widths or Widths())
    workload = extraction.run()
    keys = [t.key for t in graph.inputs] + [t.key for op in graph.ops for t in op.results]
    shapes = {t.key: t.shape for t in (*graph.inputs, *(t for op in graph.ops for t in op.results))}
    holders = {key: extraction.holder(key) for key in keys}
    operands = {
        place: tuple(p for p in taken if p is not None)
        for place, taken in extraction.taken.items()
        if None not in taken
    }
    map_of = {k: m for k, m in holders.items() if m is not None and shapes[k] == workload.maps[m].shape}
    return Trace(workload, map_of, operands)


class _Extraction:
    """State of one walk over the operations."""

    def __init__(self, graph: GraphView, widths: Widths) -> None:
        self.graph = graph
        self.widths = widths
        self.same: dict[str, str] = {}
        self.constant: set[str] = set()
        self.stored_bits: dict[str, int] = {}
        self.moved_bits: dict[str, int] = {}
        self.function_of: dict[str, str] = {}
        self.readers: dict[str, list[OpView]] = defaultdict(list)
        self.parts: dict[str, tuple[Read, ...]] = {}
        self.layers: list[Layer] = []
        self.maps: list[FeatureMap] = []
        self.maker: dict[int, int] = {}
        self.taken: dict[tuple[int, int], list[tuple[str, str] | None]] = defaultdict(list)
        self.outputs: set[str] = set()
        self.quantized = any(op.op == "QuantizeLinear" for op in graph.ops)

    def run(self) -> Workload:
        self._resolve()
        for tensor in self.graph.inputs:
            self._new_map(tensor, is_input=True)
        for op in self.graph.ops:
            if not self._is_free(op):
                self._emit(op)
        return Workload(self.graph.name, tuple(map(self._merge_reads, self.layers)), tuple(self.maps))

    # Names, constants, functions: what every tensor is, before any layer exists.

    def _resolve(self) -> None:
        for op in self.graph.ops:
            data = [t for t in op.operands if t is not None]
            names = {t.key for t in op.results}
            if op.op in SHAPE_ARITHMETIC or all(self._is_constant(t) for t in data):
                self.constant |= names
            if self._renames(op) and data:
                self._rename(op, data[0])
            elif op.op in ELEMENTWISE:
                self._note_function(op, data)
        for op in self.graph.ops:
            if not self._renames(op):
                for tensor in op.operands:
                    if tensor is not None:
                        self.readers[self._name(tensor)].append(op)
        self.outputs = {self._name(t) for t in self.graph.outputs}

    def _rename(self, op: OpView, source: TensorView) -> None:
        name = self._name(source)
        self.same[op.results[0].key] = name
        if op.op == "QuantizeLinear":
            self.stored_bits[name] = op.results[0].bits
        elif op.op == "DequantizeLinear" and self._is_constant(source):
            self.stored_bits.setdefault(name, source.bits)

    def _note_function(self, op: OpView, data: list[TensorView]) -> None:
        roots = {self._root(self._name(t)) for t in data if not self._is_constant(t)}
        if len(roots) == 1 and self._keeps_shape(op, data):
            self.function_of[op.results[0].key] = roots.pop()

    def _keeps_shape(self, op: OpView, data: list[TensorView]) -> bool:
        return all(t.shape == op.results[0].shape for t in data if not self._is_constant(t))

    def _name(self, tensor: TensorView) -> str:
        return self.same.get(tensor.key, tensor.key)

    def _root(self, name: str) -> str:
        return self.function_of.get(name, name)

    def _is_constant(self, tensor: TensorView) -> bool:
        return tensor.constant or tensor.key in self.constant or self._name(tensor) in self.constant

    def _is_free(self, op: OpView) -> bool:
        return self._renames(op) or op.results[0].key in self.constant

    def _renames(self, op: OpView) -> bool:
        """Whether the result is the operand under another name; an Identity may also convert a layout.

        A normalization of a constant by what is not constant is no name for the constant.
        """
        if op.op not in RENAMES or (op.op == "Identity" and _converts(op)):
            return False
        source = op.operands[0]
        constant = source is not None and self._is_constant(source)
        return not constant or op.results[0].key in self.constant

    def holder(self, key: str) -> int | None:
        """The map that holds exactly a tensor (or what a function is computed from), None where none does."""
        name = self.same.get(key, key)
        parts = self.parts.get(name) or self.parts.get(self._root(name), ())
        whole = len(parts) == 1 and parts[0].elements == self.maps[parts[0].map].elements
        return parts[0].map if whole else None

    def _take(self, layer: int, op: OpView, tensors: Iterable[TensorView]) -> None:
        """Note which operands a layer reads as they stand, and which only in part."""
        for tensor in tensors:
            whole = self.holder(tensor.key)
            for read in self._parts(tensor):
                place = (op.results[0].key, tensor.key) if read.map == whole else None
                self.taken[layer, read.map].append(place)

    # Layers, in the order of the operations.

    def _emit(self, op: OpView) -> None:
        result = op.results[0]
        data = [t for t in op.operands if t is not None and not self._is_constant(t)]
        if result.key in self.function_of:
            self._emit_function(op, result)
        elif op.op == "Concat":
            self.parts[result.key] = tuple(read for t in data for read in self._parts(t))
        elif op.op in VIEWS or (op.op == "Transpose" and _is_addressed(op)):
            self.parts[result.key] = self._parts(data[0])
            self.moved_bits[result.key] = self._bits_as_read(data[0])
            self._mark_output(result)
        elif op.op in PARTS and self._is_addressed_part(op, data[0]):
            self._take_parts(op, data[0])
        else:
            self._emit_work(op, data)

    def _emit_function(self, op: OpView, result: TensorView) -> None:
        """The function is one pass over its root; inner ops of the chain are part of it."""
        root = self.function_of[result.key]
        if result.key not in self.outputs and all(self._continues(r, root) for r in self.readers[result.key]):
            return
        maker = self._fusable_maker(self.parts[root], root)
        only_chain = all(self._continues(r, root) for r in self.readers[root])
        if _is_index_arithmetic(op):
            self._new_layer(op, Kind.HOST, self.parts[root])
        elif maker is not None and only_chain:
            self._fuse(maker, op, ())
        else:
            self._new_layer(op, Kind.ELEMENTWISE, self.parts[root])

    def _continues(self, reader: OpView, root: str) -> bool:
        return self.function_of.get(reader.results[0].key) == root

    def _emit_work(self, op: OpView, data: list[TensorView]) -> None:
        reads = tuple(read for t in data for read in self._parts(t))
        kind = Kind.HOST if _is_index_arithmetic(op) else kind_of(op.op)
        if op.op == "Identity":
            kind = Kind.CONVERT
        if kind is Kind.ELEMENTWISE:
            last = max(data, key=lambda t: max((r.map for r in self._parts(t)), default=-1))
            maker = self._fusable_maker(self._parts(last), self._name(last))
            if maker is not None and len(self.readers[self._name(last)]) == 1:
                others = tuple(r for t in data if t is not last for r in self._parts(t))
                self._fuse(maker, op, others)
                self._take(maker, op, (t for t in data if t is not last))
                return
        self._take(len(self.layers), op, data)
        self._new_layer(op, kind, reads)

    def _fusable_maker(self, parts: tuple[Read, ...], name: str) -> int | None:
        """The layer that made exactly this tensor, if work may be put behind it."""
        if len(parts) != 1 or name in self.outputs:
            return None
        maker = self.maker.get(parts[0].map)
        whole = self.maps[parts[0].map].elements == parts[0].elements
        fusable = maker is not None and whole and self.layers[maker].kind in FUSABLE
        return maker if fusable else None

    def _fuse(self, maker: int, op: OpView, others: tuple[Read, ...]) -> None:
        layer = self.layers[maker]
        elements = _elements(op.results[0])
        clamps = op.op in CLAMPS and layer.geometry is not None
        self.layers[maker] = replace(
            layer,
            reads=layer.reads + others,
            vector_elements=layer.vector_elements + (0 if clamps else elements),
            clamp_elements=layer.clamp_elements + (elements if clamps else 0),
            epilogue=(*layer.epilogue, op.op),
            origin=(*layer.origin, op.location),
        )
        self._bind(op.results[0], layer.writes)

    def _new_layer(self, op: OpView, kind: Kind, reads: tuple[Read, ...]) -> None:
        result = op.results[0]
        weights = [t for t in op.operands if t is not None and self._is_constant(t)]
        geometry = geometry_of(op)
        if geometry and geometry.groups > 1 and geometry.in_c == 1:
            kind = Kind.DEPTHWISE
        works_on_vector = kind in (Kind.ELEMENTWISE, Kind.SOFTMAX, Kind.NORM)
        index = len(self.layers)
        self.layers.append(
            Layer(
                index=index,
                name=op.location,
                kind=kind,
                reads=reads,
                writes=len(self.maps),
                geometry=geometry,
                activation_bits=self._activation_bits(op, reads),
                weight_bits=self._weight_bits(weights),
                weight_elements=weight_elements_of(op, weights),
                window=window_of(op),
                vector_elements=_elements(result) if works_on_vector else 0,
                epilogue=(op.op,) if works_on_vector else (),
                origin=(op.location,),
                perm=tuple(op.attrs.get("perm", ())) if op.op == "Transpose" else (),
            )
        )
        self.maker[len(self.maps)] = index
        self._new_map(result)
        for extra in op.results[1:]:
            if extra.key in self.readers or extra.key in self.outputs:
                self.parts[extra.key] = self.parts[result.key]

    def _activation_bits(self, op: OpView, reads: tuple[Read, ...]) -> int:
        """The widest operand; a function's inner operands are no maps, so it has the width of its root's."""
        data = [t for t in op.operands if t is not None and not self._is_constant(t)]
        if all(self._name(t) in self.parts for t in data):
            return min(max(map(self._bits_as_read, data), default=8), 16)
        return min(max((self.maps[read.map].bits for read in reads), default=8), 16)

    def _bits_as_read(self, tensor: TensorView) -> int:
        """Width in which an op reads a tensor: a Concat of 16-bit maps may be requantized to 8 bits."""
        name = self._name(tensor)
        known = self.stored_bits.get(name) or self.moved_bits.get(name)
        return known or max((self.maps[read.map].bits for read in self._parts(tensor)), default=8)

    def _weight_bits(self, weights: list[TensorView]) -> int:
        stored = [self.stored_bits.get(self._name(t)) for t in weights[:1]]
        return next((bits for bits in stored if bits), self.widths.weights)

    def _new_map(self, tensor: TensorView, is_input: bool = False) -> None:
        self.maps.append(FeatureMap(len(self.maps), tensor.name, _shape(tensor), 8, is_input))
        self._bind(tensor, len(self.maps) - 1)

    def _bind(self, tensor: TensorView, index: int) -> None:
        """The map now is `tensor`: its name, shape and stored width."""
        is_output = tensor.key in self.outputs
        bits = self.stored_bits.get(tensor.key) or self._default_bits(tensor, is_output)
        shape = _shape(tensor)
        old = self.maps[index]
        new = FeatureMap(index, tensor.name, shape, bits, old.is_input, is_output, tensor.layout)
        self.maps[index] = new
        self.parts[tensor.key] = (Read(index, new.elements),)

    def _default_bits(self, tensor: TensorView, is_output: bool) -> int:
        if is_output:
            return self.widths.outputs
        return tensor.bits if self.quantized else self.widths.activations

    def _mark_output(self, tensor: TensorView) -> None:
        if tensor.key in self.outputs:
            for read in self.parts[tensor.key]:
                old = self.maps[read.map]
                bits = self.stored_bits.get(tensor.key, self.widths.outputs)
                self.maps[read.map] = replace(old, is_output=True, bits=max(old.bits, bits))

    def _is_addressed_part(self, op: OpView, source: TensorView) -> bool:
        """True where channels or rows (or columns of a matrix) shrink: the part is addressed, not copied."""
        before, after = _shape(source), _shape(op.results[0])
        cut = [axis for axis, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
        return all(axis in (1, 2) or axis == len(before) - 1 != 3 for axis in cut)

    def _take_parts(self, op: OpView, source: TensorView) -> None:
        total = max(_elements(source), 1)
        for result in op.results:
            share = _elements(result) / total
            self.parts[result.key] = tuple(
                Read(read.map, round(read.elements * share)) for read in self._parts(source)
            )
            self.moved_bits[result.key] = self._bits_as_read(source)

    def _parts(self, tensor: TensorView) -> tuple[Read, ...]:
        return self.parts[self._name(tensor)]

    def _merge_reads(self, layer: Layer) -> Layer:
        return replace(layer, reads=_merged(layer.reads, self.maps))


def _converts(op: OpView) -> bool:
    source, result = op.operands[0], op.results[0]
    layouts = {result.layout, None if source is None else source.layout}
    return None not in layouts and len(layouts) == 2


def _is_addressed(op: OpView) -> bool:
    """Whether a Transpose moves nothing: readers follow other strides, and NHWC is NCHW's transpose."""
    source, perm = op.operands[0], tuple(op.attrs.get("perm", ()))
    sides = {TO_LAST: source, TO_FIRST: op.results[0]}
    first = sides.get(perm)
    return first is None or first.layout in (None, Layout.nhwc)


def _is_index_arithmetic(op: OpView) -> bool:
    """64-bit integers are positions in a tensor, which the elementwise units do not compute with."""
    return op.results[0].bits == 64 and kind_of(op.op) in (Kind.ELEMENTWISE, Kind.TRANSPOSE)


def _merged(reads: Iterable[Read], maps: list[FeatureMap]) -> tuple[Read, ...]:
    """One read a map: bytes of a map are fetched once a layer, even where two operands need them."""
    total: dict[int, int] = defaultdict(int)
    for read in reads:
        total[read.map] += read.elements
    return tuple(Read(index, min(count, maps[index].elements)) for index, count in total.items())


def _shape(tensor: TensorView) -> tuple[int, ...]:
    from y10c.errors import ModelError

    if tensor.shape is None or any(dim <= 0 for dim in tensor.shape):
        raise ModelError(
            f"the shape of {tensor.name!r} is not static, so its cost is not known",
            code="Y3004",
            help="give the input's shape with --shape NAME=1x3x640x640",
        )
    return tensor.shape


def _elements(tensor: TensorView) -> int:
    from math import prod

    return prod(_shape(tensor))
