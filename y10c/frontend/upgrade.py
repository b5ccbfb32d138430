"""Ops of an older opset, moved up to the IR's by the declarations in `y10c.ops.versions`."""

from __future__ import annotations

from collections.abc import Callable, Container

from y10c.ir.attrs import Ints
from y10c.ir.graph import Graph
from y10c.ir.tensor import Tensor
from y10c.ir.types import DType, TensorType
from y10c.ir.value import Op, Value
from y10c.ops.onnx_schema import IR_OPSET, find_schema
from y10c.ops.versions import (
    CHANGED_DEFAULTS,
    OLDEST_OPSET,
    PINNED_BEFORE,
    RENAMED_OPS,
    RENAMED_VALUES,
    BecameOperand,
    is_current,
    moves_for,
)


def upgrade(graph: Graph, current: Container[Op] = ()) -> None:
    """Give every op of ONNX's own domain today's form, or pin it to its schema version.

    Args:
        graph: In the opset that its `info` says.
        current: Ops that have today's form already.
    """
    opset = graph.info.opsets.get("", IR_OPSET)
    if opset >= IR_OPSET:
        return
    for op in graph.walk():
        if not op.domain and op not in current and not is_current(op.name, opset):
            _upgrade_op(op, opset)


def _upgrade_op(op: Op, opset: int) -> None:
    if _is_older_meaning(op.name, opset) and not _made_same(op, opset):
        op.version = _version_at(op.name, opset)
        return
    op.name, _ = RENAMED_OPS.get(op.name, (op.name, 0))
    for move in moves_for(op.name, opset):
        _attribute_to_operand(op, move)
    _rename_values(op, opset)
    if op.name == "Split" and opset < 18 and op.operand(1) is None:
        op.attrs = op.attrs.updated(num_outputs=len(op.results))


def _is_older_meaning(name: str, opset: int) -> bool:
    return opset < PINNED_BEFORE.get(name, 0) or (
        opset < OLDEST_OPSET and _version_at(name, opset) != _version_at(name, OLDEST_OPSET)
    )


def _version_at(name: str, opset: int) -> int | None:
    schema = find_schema(name, opset)
    return None if schema is None else schema.since_version


def _rename_values(op: Op, opset: int) -> None:
    for (name, attr), (since, default) in CHANGED_DEFAULTS.items():
        if name == op.name and opset < since and attr not in op.attrs:
            op.attrs = op.attrs.updated(**{attr: default})
    for (name, attr), (since, names) in RENAMED_VALUES.items():
        value = op.attrs.get(attr)
        if name == op.name and opset < since and isinstance(value, str):
            op.attrs = op.attrs.updated(**{attr: names.get(value, value)})


# --- older meanings that can be said in today's words ---


def _made_same(op: Op, opset: int) -> bool:
    """True where an op whose meaning changed got today's form after all."""
    express = _SAME.get(op.name)
    return express is not None and opset >= OLDEST_OPSET and express(op, opset)


def _last_axis(op: Op, opset: int) -> bool:
    """Softmax and its kin before opset 13 flatten to two axes; on the last axis both meanings agree."""
    first = op.operand(0)
    rank = first.type.rank if first is not None and isinstance(first.type, TensorType) else None
    axis = op.attrs.get("axis", 1)
    if not rank or not isinstance(axis, int) or axis % rank != rank - 1:
        return False
    op.attrs = op.attrs.updated(axis=axis)
    return True


def _inference_only(op: Op, opset: int) -> bool:
    """With one result BatchNormalization never trained; `spatial` is dropped where it says what is usual."""
    if len(op.results) != 1 or op.attrs.get("spatial", 1) != 1:
        return False
    op.attrs = op.attrs.updated(spatial=None)
    return True


def _without_mask(op: Op, opset: int) -> bool:
    """Dropout's mask was of another type; one that nobody reads is left out."""
    if any(r.uses for r in op.results[1:]):
        return False
    op.results = op.results[:1]
    for move in moves_for(op.name, opset):
        _attribute_to_operand(op, move)
    return True


def _enlarging_resize(op: Op, opset: int) -> bool:
    """Upsample, and Resize of opset 10, where it only enlarges: the rest ONNX's text left open.

    Source: onnxruntime's kernels, which take `floor(x / scale)` for it.
    """
    scales = op.attrs.get("scales") if opset < 9 else op.operand(1)
    if isinstance(scales, Value):
        if scales.tensor is None or (scales.numpy() < 1).any():
            return False
    elif scales is not None:
        for move in moves_for("Upsample", opset):
            _attribute_to_operand(op, move)
        scales = op.operand(1)
    if not isinstance(scales, Value):
        return False
    op.name = "Resize"
    op.attrs = op.attrs.updated(coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    op._set_operands((op.operands[0], None, scales))
    return True


_SAME: dict[str, Callable[[Op, int], bool]] = {
    "Softmax": _last_axis,
    "LogSoftmax": _last_axis,
    "Hardmax": _last_axis,
    "BatchNormalization": _inference_only,
    "Dropout": _without_mask,
    "Upsample": _enlarging_resize,
    "Resize": _enlarging_resize,
}


def _attribute_to_operand(op: Op, move: BecameOperand) -> None:
    value = op.attrs.get(move.attr)
    op.attrs = op.attrs.updated(**{move.attr: None})
    if value is None or value == Ints():
        return
    first = op.operand(0)
    dtype = first.type.dtype if first is not None and isinstance(first.type, TensorType) else DType.f32
    assert op.graph is not None
    constant = op.graph.root.constant(Tensor.of(move.operand_array(value, dtype)))
    padding = (None,) * (move.index - len(op.operands))
    op._set_operands((*op.operands[: move.index], *padding, constant, *op.operands[move.index + 1 :]))
