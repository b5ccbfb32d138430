"""Ops of an older opset, moved up to the IR's by the declarations in `y10c.ops.versions`."""

from __future__ import annotations

from y10c.ir.attrs import Ints
from y10c.ir.graph import Graph
from y10c.ir.tensor import Tensor
from y10c.ir.types import DType, TensorType
from y10c.ir.value import Op, Value
from y10c.ops.onnx_schema import IR_OPSET, find_schema
from y10c.ops.versions import OLDEST_OPSET, PINNED_BEFORE, BecameOperand, moves_for


def upgrade(graph: Graph) -> None:
    """Give every op of ONNX's own domain today's form, or pin it to its schema version."""
    opset = graph.info.opsets.get("", IR_OPSET)
    if opset >= IR_OPSET:
        return
    for op in graph.walk():
        if not op.domain:
            _upgrade_op(op, opset)


def _upgrade_op(op: Op, opset: int) -> None:
    if _is_older_meaning(op.name, opset) and not _same_meaning(op):
        op.version = _version_at(op.name, opset)
        return
    for move in moves_for(op.name, opset):
        _attribute_to_operand(op, move)


def _is_older_meaning(name: str, opset: int) -> bool:
    return opset < PINNED_BEFORE.get(name, 0) or (
        opset < OLDEST_OPSET and _version_at(name, opset) != _version_at(name, OLDEST_OPSET)
    )


def _version_at(name: str, opset: int) -> int | None:
    schema = find_schema(name, opset)
    return None if schema is None else schema.since_version


def _same_meaning(op: Op) -> bool:
    """Softmax and its kin before opset 13 flatten to two axes; on the last axis both meanings agree."""
    if op.name not in ("Softmax", "LogSoftmax", "Hardmax"):
        return False
    rank = op.operands[0].type.rank if op.operands and _is_tensor(op.operands[0]) else None  # type: ignore[union-attr]
    axis = op.attrs.get("axis", 1)
    if rank is None or not isinstance(axis, int) or axis % rank != rank - 1:
        return False
    op.attrs = op.attrs.updated(axis=axis)
    return True


def _is_tensor(value: Value | None) -> bool:
    return value is not None and isinstance(value.type, TensorType)


def _attribute_to_operand(op: Op, move: BecameOperand) -> None:
    value = op.attrs.get(move.attr)
    op.attrs = op.attrs.updated(**{move.attr: None})
    if value is None or value == Ints():
        return
    first = op.operands[0]
    dtype = first.type.dtype if first is not None and isinstance(first.type, TensorType) else DType.f32
    assert op.graph is not None
    constant = op.graph.root.constant(Tensor.of(move.operand_array(value, dtype)))
    padding = (None,) * (move.index - len(op.operands))
    op._set_operands((*op.operands[: move.index], *padding, constant, *op.operands[move.index + 1 :]))
