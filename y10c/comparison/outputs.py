"""What agreement of two models is measured on: their outputs, or what enters a tail that sorts."""

from __future__ import annotations

from collections.abc import Collection

from y10c.cost.precision import QUANTIZE, stored
from y10c.ir.graph import Graph
from y10c.ir.types import TensorType
from y10c.ir.value import Op, Value
from y10c.passes.head.recognize import decode_tail

RANKING = frozenset({"TopK", "NonMaxSuppression", "ArgMax", "ArgMin", "NonZero", "Unique"})
"""Ops whose results change places, or their number, by a trifle in what they read."""


def ranking_tail(graph: Graph) -> set[Op]:
    """The ops whose results cannot be compared element by element, because rows may change places.

    The decode tail of a detector that ranks its boxes; in other models a ranking op and all that follows.
    """
    tail = decode_tail(graph)
    if sorts(tail):
        return tail
    found: set[Op] = set()
    for op in graph.ops:
        read = (v.producer for v in op.operands if v is not None)
        if op.name in RANKING or any(producer in found for producer in read):
            found.add(op)
    return found


def compared_outputs(graph: Graph, tail: Collection[Op]) -> dict[str, str]:
    """What agreement is measured on: tensor by the name to show.

    The model's outputs; but where a tail sorts, whose rows may change places, what enters the tail.
    """
    if not sorts(tail):
        return {name: name for name in graph.output_names}
    behind = {v for op in tail for v in op.results}
    kept = {
        n: n
        for n, v in zip(graph.output_names, graph.outputs, strict=True)
        if v not in behind and _is_real(v)
    }
    entering = [v for op in graph.ops if op not in tail for v in op.results if _enters(v, tail)]
    return {v.producer.location or v.name: v.name for v in entering if v.producer is not None} | kept


def quantized_in_tail(graph: Graph) -> list[str]:
    """The tensors of a detector's decode tail that are integers: boxes and scores may share a scale there."""
    tail = decode_tail(graph)
    values = (op.operand(0) for op in graph.ops if op in tail and op.kind == QUANTIZE)
    return [value.name for value in values if value is not None]


def tail_warning(tensors: Collection[str]) -> str:
    """What it means that a detector's decode tail is quantized."""
    return (
        f"{len(tensors)} tensors of the decode tail are quantized: where boxes and scores share a scale, one "
        "step is more than a score, and every detection is lost"
    )


def sorts(tail: Collection[Op]) -> bool:
    """Whether a tail ranks, so that a trifle changes the order of its rows."""
    return any(op.name in RANKING for op in tail)


def _enters(value: Value, tail: Collection[Op]) -> bool:
    return stored(value) is None and _is_real(value) and any(user in tail for user in value.users)


def _is_real(value: Value) -> bool:
    return isinstance(value.type, TensorType) and value.type.dtype.is_float
