"""At what precision a graph's multiply-accumulates run, and where floats still enter or leave them.

Read off the graph itself, so that it tells the truth about any QDQ model: an operand has the bits of the
integers that its DequantizeLinear reads, through ops that only move data; everything else is float.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from y10c.cost.geometry import geometry_of
from y10c.cost.view import view_of
from y10c.errors import ModelError
from y10c.ir.graph import Graph
from y10c.ir.types import TensorType
from y10c.ir.value import Op, Value

PRODUCTS = frozenset({"Conv", "ConvTranspose", "MatMul", "Gemm"})
MOVES = frozenset(
    {"Transpose", "Reshape", "Split", "Slice", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Concat"}
)


@dataclass(frozen=True)
class FloatEdge:
    """A tensor that goes into or out of a product as floats.

    Args:
        node: The product.
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
    shaped = ((op, geometry_of(view)) for op, view in views if op.name in PRODUCTS)
    return {op: geometry.macs for op, geometry in shaped if geometry is not None}


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
    first, second = (bits_of(v) for v in op.operands[:2])
    both_computed = all(stored(v) is None for v in op.operands[:2])
    return (max(first, second), min(first, second)) if both_computed else (first, second)


def bits_of(value: Value | None) -> int:
    """Bits of the integers that a value stands for; 32 where it is a float."""
    while value is not None and value.producer is not None:
        op = value.producer
        if op.name == "DequantizeLinear":
            source = op.operands[0]
            kind = None if source is None else source.type
            return kind.dtype.bits if isinstance(kind, TensorType) else 32
        if op.name not in MOVES:
            return 32
        if op.name == "Concat":
            return max(bits_of(v) for v in op.operands)
        value = op.operand(0)
    return 32


def stored(value: Value | None) -> Value | None:
    """The constant that a value is, dequantized and moved or not; None where it is computed."""
    while value is not None and value.producer is not None:
        if value.producer.name not in ("DequantizeLinear", *MOVES):
            return None
        value = value.producer.operand(0)
    return value if value is not None and value.is_constant else None


def float_edges(graph: Graph, tail: Collection[Op] = ()) -> Iterator[FloatEdge]:
    """Every float tensor into or out of a product outside the decode tail.

    Args:
        graph: A QDQ graph.
        tail: The decode tail.
    """
    for op in graph.ops:
        if op.name in PRODUCTS and op not in tail:
            name = op.location or op.results[0].name
            for value in op.operands[:2]:
                if value is not None and bits_of(value) == 32:
                    yield FloatEdge(name, "in", value.name, _maker(value), False)
            for reader in op.results[0].users:
                if reader.name != "QuantizeLinear":
                    legal = reader.is_terminator or reader in tail
                    other = "output" if reader.is_terminator else reader.name
                    yield FloatEdge(name, "out", op.results[0].name, other, legal)


def _maker(value: Value) -> str:
    if value.producer is not None:
        return value.producer.name
    return "constant" if value.is_constant else "input"
