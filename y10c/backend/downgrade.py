"""From the IR's ops to those of an opset: our own ops written out, newer forms moved down again."""

from __future__ import annotations

from typing import Any

import numpy as np

from y10c.backend.opsets import listed_axes, name_at, oldest, rank_of
from y10c.backend.pinned import modernize
from y10c.errors import ModelError
from y10c.ir.attrs import Floats, Ints
from y10c.ir.collector import collector_paused
from y10c.ir.graph import Graph
from y10c.ir.tensor import Tensor
from y10c.ir.value import Op
from y10c.ops.onnx_schema import IR_OPSET, find_schema
from y10c.ops.registry import find_spec
from y10c.ops.versions import (
    CHANGED_DEFAULTS,
    NEGATIVE_AXES_SINCE,
    OPTIONAL_SINCE,
    RENAMED_VALUES,
    BecameOperand,
    is_current,
    moves_for,
)
from y10c.rewrite.rewriter import Rewriter


def lowered(graph: Graph) -> Graph:
    """A copy in which every op of our own is written in ONNX's (see `OpSpec.lower`)."""
    with collector_paused():
        copy = graph.clone()
    rewriter = Rewriter(copy, by="lower")
    for op in list(copy.walk()):
        spec = find_spec(op.name)
        if spec is not None and spec.lower is not None:
            with rewriter.before(op):
                rewriter.replace(op, list(spec.lower(rewriter.op, op)))
    return copy


def opset_for(graph: Graph, wanted: int | None) -> int:
    """The opset to write, after moving the graph's ops to it in place.

    Raises:
        ModelError: An op cannot be written in the opset asked for.
    """
    start = wanted or graph.info.opsets.get("", IR_OPSET)
    ops = [op for op in graph.walk() if not op.domain]
    opset = start
    for op in ops:
        needed = oldest(op, start)
        if wanted is not None and needed > wanted:
            raise ModelError(
                f"{op.name} as it is here needs opset {needed}, not {wanted}",
                where=f'node "{op.location}"',
                code="Y3003",
                help=f"write opset {needed} or newer",
            )
        opset = max(opset, needed)
    for op in ops:
        if op.version is not None:
            modernize(op, opset)
        elif not is_current(op.name, opset):
            _move_down(op, opset)
    return opset


# --- moving down ---


def _move_down(op: Op, opset: int) -> None:
    if op.name == "Resize" and opset < 10:
        op.attrs = op.attrs.updated(**{k: None for k in op.attrs if k != "mode"})
        op._set_operands((op.operands[0], op.operands[2]))
    if opset < NEGATIVE_AXES_SINCE or op.name in _FLATTENED_BEFORE_13:
        _count_axes_from_the_front(op, opset)
    elif opset < OPTIONAL_SINCE.get(op.name, 0):
        _fill_left_out(op)
    op.name = name_at(op, opset)
    _rename_values(op, opset)
    for move in sorted(moves_for(op.name, opset), key=lambda m: -m.index):
        _operand_to_attribute(op, move)
    schema = find_schema(op.name, opset)
    if schema is not None and not set(op.attrs) <= set(schema.attributes):
        op.attrs = op.attrs.updated(**{a: None for a in op.attrs if a not in schema.attributes})


def _fill_left_out(op: Op) -> None:
    assert op.graph is not None
    empty = op.graph.root.constant(Tensor.of(np.zeros(0, np.float32)))
    op._set_operands(tuple(empty if v is None else v for v in op.operands))


_FLATTENED_BEFORE_13 = ("Softmax", "LogSoftmax", "Hardmax")


def _count_axes_from_the_front(op: Op, opset: int) -> None:
    rank, axis = rank_of(op), op.attr("axis")
    if rank is None or opset >= 13:
        return
    if isinstance(axis, int) and (axis < 0 or op.name in _FLATTENED_BEFORE_13):
        op.attrs = op.attrs.updated(axis=axis % rank)
    listed = listed_axes(op, opset)
    if listed is not None and op.graph is not None:
        index, axes = listed
        op._set_operand(index, op.graph.root.constant(Tensor.of(axes.numpy() % rank)))


def _rename_values(op: Op, opset: int) -> None:
    for (name, attr), (since, default) in CHANGED_DEFAULTS.items():
        if name == op.name and opset < since and op.attrs.get(attr) == default:
            op.attrs = op.attrs.updated(**{attr: None})
    for (name, attr), (since, names) in RENAMED_VALUES.items():
        if name == op.name and opset < since and attr in op.attrs:
            old = {new: old for old, new in names.items()}
            value: Any = op.attrs[attr]
            op.attrs = op.attrs.updated(**{attr: old.get(value, value)})


def _operand_to_attribute(op: Op, move: BecameOperand) -> None:
    value = op.operand(move.index)
    if value is not None:
        items = value.numpy().reshape(-1).tolist()
        plain = _plain(items, move)
        op.attrs = op.attrs.updated(**{move.attr: plain})
    op._set_operands(op.operands[: move.index])


def _plain(items: list[Any], move: BecameOperand) -> Any:
    if move.scalar or move.attr == "k":
        return items[0] if move.attr == "k" else float(items[0])
    if all(isinstance(i, float) for i in items):
        return Floats(items) or None
    return Ints(items) or None
