"""Ops of an older opset, moved up to the IR's by the declarations in `y10c.ops.versions`."""

from __future__ import annotations

from y10c.ir.attrs import Ints
from y10c.ir.graph import Graph
from y10c.ir.tensor import Tensor
from y10c.ir.types import DType, TensorType
from y10c.ir.value import Op, Value
from y10c.ops.onnx_schema import IR_OPSET, find_schema
from y10c.ops.versions import PINNED_BEFORE, BecameOperand, moves_for


def upgrade(graph: Graph) -> None:
    """Give every op of ONNX's own domain today's form, or pin it to its schema version."""
    opset = graph.info.opsets.get("", IR_OPSET)
    if opset >= IR_OPSET:
        return
    for op in graph.walk():
        if not op.domain:
            _upgrade_op(op, opset)


def _upgrade_op(op: Op, opset: int) -> None:
    if opset < PINNED_BEFORE.get(op.name, 0) and not _same_meaning(op):
        schema = find_schema(op.name, opset)
        op.version = schema.since_version if schema is not None else None
        return
    for move in moves_for(op.name, opset):
        _attribute_to_operand(op, move)


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
