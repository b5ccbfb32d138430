"""At what precision a graph's multiply-accumulates run, and where floats still enter or leave ops.

Read off the graph itself, so that it tells the truth about any quantized model, of any maker: an operand has
the bits of the integers that it is, or that its DequantizeLinear reads, through ops that only move data;
everything else is float.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from y10c.cost.geometry import geometry_of
from y10c.cost.view import OpView, view_of
from y10c.errors import ModelError
from y10c.ir.graph import Graph
from y10c.ir.types import TensorType
from y10c.ir.value import Op, Value


class Operands(NamedTuple):
    """Where a product finds its factors, and which float op has its loop nest."""

    like: str
    first: int
    second: int


INTEGER_PRODUCTS = {
    "QLinearConv": Operands("Conv", 0, 3),
    "ConvInteger": Operands("Conv", 0, 1),
    "QLinearMatMul": Operands("MatMul", 0, 3),
    "MatMulInteger": Operands("MatMul", 0, 1),
    "com.microsoft::QGemm": Operands("Gemm", 0, 3),
}
"""Products on integers, as onnxruntime's operator-oriented and dynamic quantizers write them."""

PRODUCTS = frozenset({"Conv", "ConvTranspose", "MatMul", "Gemm", *INTEGER_PRODUCTS})
QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
"""Of ONNX's own domain or of onnxruntime's."""

MOVES = frozenset(
    {
        *("Transpose", "Reshape", "Split", "Slice", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Concat"),
        *("MaxPool", "DepthToSpace", "SpaceToDepth", "Tile", "Expand", "Gather"),
    }
)
"""Ops whose results are elements of their operands, so that integers stay what they are."""

SHAPES = frozenset({"Shape", "Size"})
"""Ops that read no elements."""

FUSED = frozenset({"Relu", "Clip"})
"""Ops that a product runs on its accumulator, as one unit."""


@dataclass(frozen=True)
class FloatEdge:
    """A tensor that goes into or out of an op as floats.

    Args:
        node: The op.
        direction: `in` or `out`.
        tensor: The tensor's name.
        other: What makes or reads it: an op's name, `input`, `constant` or `output`.
        tail: Whether that is legal, since it is the decode tail or a graph output.
    """

    node: str
    direction: str
    tensor: str
    other: str
    tail: bool


def macs_of(graph: Graph) -> dict[Op, int]:
    """Multiply-accumulates of each product.

    Raises:
        ModelError: A product has operands of unknown shape.
    """
    views = zip(graph.ops, view_of(graph).ops, strict=True)
    shaped = ((op, geometry_of(_as_float(op, view))) for op, view in views if op.name in PRODUCTS)
    return {op: geometry.macs for op, geometry in shaped if geometry is not None}


def _as_float(op: Op, view: OpView) -> OpView:
    """The float product of the same loop nest."""
    found = INTEGER_PRODUCTS.get(op.name)
    if found is None:
        return view
    return replace(view, op=found.like, operands=(view.operands[found.first], view.operands[found.second]))


def factors(op: Op) -> tuple[Value | None, Value | None]:
    """The two operands that a product multiplies."""
    found = INTEGER_PRODUCTS.get(op.name, Operands(op.name, 0, 1))
    return op.operand(found.first), op.operand(found.second)


def is_quantized(graph: Graph) -> bool:
    """Whether a graph holds quantized tensors or products on integers."""
    return any(op.kind in (QUANTIZE, DEQUANTIZE) or op.name in INTEGER_PRODUCTS for op in graph.walk())


def mac_shares(graph: Graph, tail: Collection[Op] = ()) -> dict[tuple[int, int], float]:
    """Share of multiply-accumulates by (activation bits, weight bits); 32 stands for float.

    A product of two activations counts the wider one first. The decode tail does not count.

    Raises:
        ModelError: A product has operands of unknown shape.
    """
    found: Counter[tuple[int, int]] = Counter()
    for op, macs in macs_of(graph).items():
        if op not in tail:
            found[operand_bits(op)] += macs
    total = sum(found.values())
    return {bits: macs / total for bits, macs in sorted(found.items())} if total else {}


def known_macs(graph: Graph) -> int | None:
    """Multiply-accumulates of one inference; None where shapes are open."""
    try:
        return sum(macs_of(graph).values())
    except ModelError:
        return None


def operand_bits(op: Op) -> tuple[int, int]:
    """Bits of a product's activation and weight; 32 for floats."""
    first, second = (bits_of(v) for v in factors(op))
    both_computed = all(stored(v) is None for v in factors(op))
    return (max(first, second), min(first, second)) if both_computed else (first, second)


def bits_of(value: Value | None) -> int:
    """Bits of the integers that a value is or stands for; 32 where it is a float."""
    while value is not None:
        kind, op = value.type, value.producer
        if isinstance(kind, TensorType) and kind.dtype.is_integer:
            return kind.dtype.bits
        if op is None:
            return 32
        if op.kind == DEQUANTIZE:
            return _known_bits(op.operand(0), op.operand(2))
        if op.kind.startswith("QLinear"):  # onnxruntime's own end with the result's zero point
            return _known_bits(op.operands[-1])
        if not moves(op):
            return 32
        if op.name == "Concat":
            return max(bits_of(v) for v in op.operands)
        value = op.operand(0)
    return 32


def _known_bits(*values: Value | None) -> int:
    """Bits of the first of some values whose type is known: a zero point tells where inference does not."""
    kinds = (v.type for v in values if v is not None)
    return next((kind.dtype.bits for kind in kinds if isinstance(kind, TensorType)), 32)


def moves(op: Op) -> bool:
    """Whether an op only moves elements: its results have the integers of its first operand."""
    return op.name in MOVES or (op.name == "Resize" and op.attr("mode", "nearest") in ("nearest", b"nearest"))


def stored(value: Value | None) -> Value | None:
    """The constant that a value is, dequantized and moved or not; None where it is computed."""
    while value is not None and value.producer is not None:
        if value.producer.kind != DEQUANTIZE and value.producer.name not in MOVES:
            return None
        value = value.producer.operand(0)
    return value if value is not None and value.is_constant else None


def float_edges(graph: Graph, tail: Collection[Op] = ()) -> Iterator[FloatEdge]:
    """Every float tensor into or out of an op outside the decode tail.

    An op is a unit: what computes between a DequantizeLinear and a QuantizeLinear. Functions of several nodes
    (SiLU) are units only where the graph holds them as one op. A Relu or Clip right behind a product is part
    of it. Data movement is no unit, nor is what computes shapes.

    Args:
        graph: A quantized graph.
        tail: The decode tail.
    """
    for op in graph.ops:
        unit = op.kind not in (QUANTIZE, DEQUANTIZE) and op.name not in SHAPES and not moves(op)
        if unit and op not in tail:
            yield from _edges_in(op)
            yield from _edges_out(op, tail)


def _edges_in(op: Op) -> Iterator[FloatEdge]:
    read = factors(op) if op.name in PRODUCTS else op.operands
    for value in dict.fromkeys(read):
        if value is None or bits_of(value) != 32 or _is_fused(value, op):
            continue
        if op.name in PRODUCTS or (_is_float(value) and stored(value) is None):
            yield FloatEdge(_name(op), "in", value.name, _maker(value), False)


def _edges_out(op: Op, tail: Collection[Op]) -> Iterator[FloatEdge]:
    for value in op.results:
        if not _is_float(value):
            continue
        for reader in _readers(value):
            if reader.kind != QUANTIZE and reader.name not in SHAPES and not _is_fused(value, reader):
                legal = reader.is_terminator or reader in tail
                yield FloatEdge(
                    _name(op), "out", value.name, "output" if reader.is_terminator else reader.name, legal
                )


def _readers(value: Value) -> Iterator[Op]:
    """Who reads a value, itself or moved: the first op on each way that computes, quantizes or returns."""
    for reader in value.users:
        if moves(reader) and reader.name != "Concat":
            for result in reader.results:
                yield from _readers(result)
        else:
            yield reader


def _is_fused(value: Value, reader: Op) -> bool:
    """Whether a value never leaves the unit of the product that makes it."""
    maker = value.producer
    return reader.name in FUSED and maker is not None and maker.name in PRODUCTS and value.has_single_use


def _is_float(value: Value) -> bool:
    return isinstance(value.type, TensorType) and value.type.dtype.is_float


def _name(op: Op) -> str:
    return op.location or op.results[0].name


def _maker(value: Value) -> str:
    if value.producer is not None:
        return value.producer.name
    return "constant" if value.is_constant else "input"
