"""Which of the two last convolutions of a scale gives class logits."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from y10c.ir.value import Op, Value

PLAIN = frozenset(("Identity", "Cast", "Reshape", "Transpose", "QuantizeLinear", "DequantizeLinear"))
"""Ops that only move values or change how they are written."""

CLASS_READERS = ("Sigmoid", "ReduceMax", "ArgMax")
"""Ops that read class logits and never box logits: probabilities are made, or the best class is sought."""

USUAL_BOX_CHANNELS = 64
"""Four sides of 16 bins (arXiv 2006.04388), in every published network of this family."""


def class_convs(pairs: Sequence[Sequence[Op]], tail: Sequence[Op]) -> tuple[set[Op], bool]:
    """The convolution of each pair whose result is class logits, and whether more than their order tells so.

    Args:
        pairs: Two convolutions a scale, in the order of the outputs.
        tail: The ops behind them, in the order of the graph.
    """
    convs = {conv for pair in pairs for conv in pair}
    for name in CLASS_READERS:
        values = [op.operands[0] for op in tail if op.name == name and op.operands[0] is not None]
        entries = [(value, _reached(value, convs)) for value in values]
        found = [_read_by(pair, entries, tail) for pair in pairs]
        if None not in found:
            return {conv for conv in found if conv is not None}, True
    told = [_by_branch(pair, tail) for pair in pairs]
    return {found or pair[0] for found, pair in zip(told, pairs, strict=True)}, None not in told


def _read_by(pair: Sequence[Op], entries: Sequence[tuple[Value, set[Op]]], tail: Collection[Op]) -> Op | None:
    """The convolution of a pair that one of some values comes from; None where none comes from the pair."""
    for value, reached in entries:
        here = reached & set(pair)
        if len(here) == 1:
            return here.pop()
        if here:
            return _joined(pair, tail, value)
    return None


def _reached(value: Value, convs: Collection[Op]) -> set[Op]:
    found: set[Op] = set()
    seen: set[Value] = set()
    todo = [value]
    while todo:
        one = todo.pop()
        if one in seen or one.producer is None:
            continue
        seen.add(one)
        if one.producer in convs:
            found.add(one.producer)
        else:
            todo.extend(v for v in one.producer.operands if v is not None)
    return found


def _joined(pair: Sequence[Op], tail: Collection[Op], entry: Value) -> Op:
    """Both logits are concatenated first and split later: the split says which part is which."""
    ordered = _concatenated(pair, tail) or list(pair)
    return ordered[0] if _part(entry) == 0 else ordered[-1]


def _concatenated(pair: Sequence[Op], tail: Collection[Op]) -> list[Op] | None:
    for op in tail:
        if op.name == "Concat" and len(op.operands) == 2:
            sides = [_reached(v, pair) for v in op.operands if v is not None]
            if all(len(side) == 1 for side in sides) and sides[0] != sides[1]:
                return [next(iter(side)) for side in sides]
    return None


def _part(value: Value) -> int:
    """Which part of a split channel axis a value is; 1 stands for any but the first."""
    while value.producer is not None:
        op = value.producer
        if op.name == "Split":
            return min(1, value.index)
        if op.name == "Slice":
            start = op.operand(1)
            return int(bool(start is not None and start.is_constant and start.numpy().ravel()[0] != 0))
        if op.name not in PLAIN or op.operands[0] is None:
            break
        value = op.operands[0]
    return 1


def _by_branch(pair: Sequence[Op], tail: Collection[Op]) -> Op | None:
    """Bare logits: the branches in front of them differ.

    Class branches are depthwise-separable from YOLOv10 on; before that, box branches are the narrower ones.
    Logits that are concatenated have the box first. None where none of it tells.
    """
    first, second = pair
    depthwise = [_has_depthwise(conv) for conv in pair]
    if depthwise[0] != depthwise[1]:
        return first if depthwise[0] else second
    widths = [_width(conv, 0) for conv in pair]
    fits = [width % 4 == 0 for width in widths]
    if fits[0] != fits[1]:
        return second if fits[0] else first
    inputs = [_width(conv, 1) for conv in pair]
    if inputs[0] != inputs[1]:
        return second if inputs[0] < inputs[1] else first
    usual = [width == USUAL_BOX_CHANNELS for width in widths]
    if usual[0] != usual[1]:
        return second if usual[0] else first
    joined = _concatenated(pair, tail)
    return None if joined is None else joined[1]


def _width(conv: Op, axis: int) -> int:
    weight = conv.operands[1]
    shape = None if weight is None else weight.shape
    extent = shape[axis] if shape else 0
    return extent if isinstance(extent, int) else 0


def _has_depthwise(conv: Op) -> bool:
    """Whether one of the two convolutions before this one is grouped."""
    for _ in range(2):
        before = _previous(conv)
        if before is None:
            return False
        if before.attr("group", 1) > 1:
            return True
        conv = before
    return False


def _previous(conv: Op) -> Op | None:
    value = conv.operands[0]
    while value is not None and value.producer is not None:
        if value.producer.name == "Conv":
            return value.producer
        value = value.producer.operand(0)
    return None
