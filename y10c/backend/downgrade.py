"""From the IR's ops to those of an opset: our own ops written out, newer forms moved down again."""

from __future__ import annotations

from typing import Any

from y10c.errors import ModelError
from y10c.ir.attrs import Ints
from y10c.ir.graph import Graph
from y10c.ir.value import Op, Value
from y10c.ops.onnx_schema import IR_OPSET, find_schema
from y10c.ops.registry import find_spec
from y10c.ops.versions import ADDED_ATTRS, BecameOperand, moves_for
from y10c.rewrite.rewriter import Rewriter


def lowered(graph: Graph) -> Graph:
    """A copy in which every op of our own is written in ONNX's (see `OpSpec.lower`)."""
    copy = graph.clone()
    rewriter = Rewriter(copy, by="lower")
    for op in list(copy.walk()):
        spec = find_spec(op.name)
        if spec is not None and spec.lower is not None:
            with rewriter.before(op):
                rewriter.replace(op, list(spec.lower(rewriter.op, op)))
    return copy


def opset_for(graph: Graph, wanted: int | None) -> int:
    """The opset to write, after moving the graph's ops down to it in place.

    Raises:
        ModelError: An op cannot be written in the opset asked for.
    """
    opset = wanted or graph.info.opsets.get("", IR_OPSET)
    ops = [op for op in graph.walk() if not op.domain]
    needed = max((_oldest(op) for op in ops), default=opset)
    if wanted is not None and needed > wanted:
        name = next(op for op in ops if _oldest(op) == needed)
        raise ModelError(
            f"{name.name} does not exist in opset {wanted}", where=f'node "{name.location}"', code="Y3003"
        )
    opset = max(opset, needed)
    for op in ops:
        _move_down(op, opset)
    return opset


def _oldest(op: Op) -> int:
    """The oldest opset in which the op can be written; 0 where nothing forbids any."""
    schema = find_schema(op.name)
    if schema is None:
        return 0
    first = _first_opset(op.name)
    added = (since for (name, attr), since in ADDED_ATTRS.items() if name == op.name and _says_more(op, attr))
    moved = (m.since for m in moves_for(op.name, 0) if _must_be_operand(op, m))
    return max((first, *added, *moved))


def _first_opset(name: str) -> int:
    for version in range(1, IR_OPSET + 1):
        if find_schema(name, version) is not None:
            return version
    return IR_OPSET


def _says_more(op: Op, attr: str) -> bool:
    if attr not in op.attrs:
        return False
    spec = find_spec(op.name)
    return spec is None or op.attrs[attr] != spec.attr_default(attr)


def _must_be_operand(op: Op, move: BecameOperand) -> bool:
    value = op.operand(move.index)
    return value is not None and value.tensor is None


def _move_down(op: Op, opset: int) -> None:
    if op.version is not None:
        _check_pinned(op, opset)
        return
    dropped: dict[str, Any] = {
        attr: None
        for (name, attr), since in ADDED_ATTRS.items()
        if name == op.name and since > opset and attr in op.attrs
    }
    op.attrs = op.attrs.updated(**dropped)
    for move in sorted(moves_for(op.name, opset), key=lambda m: -m.index):
        _operand_to_attribute(op, move)


def _check_pinned(op: Op, opset: int) -> None:
    schema = find_schema(op.name, opset)
    if schema is None or schema.since_version != op.version:
        raise ModelError(
            f"{op.name} has the meaning of opset {op.version}, which opset {opset} does not have any more",
            code="Y3003",
            where=f'node "{op.location}"',
            help="export the model again with opset 13 or newer",
        )


def _operand_to_attribute(op: Op, move: BecameOperand) -> None:
    value: Value | None = op.operand(move.index)
    if value is not None:
        array = value.numpy()
        plain: Any = (
            array.reshape(()).item() if move.scalar or move.attr == "k" else Ints(array.reshape(-1).tolist())
        )
        op.attrs = op.attrs.updated(**{move.attr: plain})
    op._set_operands(op.operands[: move.index])
