"""From the IR's ops to those of an opset: our own ops written out, newer forms moved down again."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from y10c.backend.pinned import modernize
from y10c.errors import ModelError
from y10c.ir.attrs import Floats, Ints
from y10c.ir.graph import Graph
from y10c.ir.types import TensorType
from y10c.ir.value import Op, Value
from y10c.ops.onnx_schema import IR_OPSET, find_schema
from y10c.ops.registry import find_spec
from y10c.ops.versions import CHANGED_DEFAULTS, RENAMED_OPS, RENAMED_VALUES, BecameOperand, moves_for
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
    """The opset to write, after moving the graph's ops to it in place.

    Raises:
        ModelError: An op cannot be written in the opset asked for.
    """
    start = wanted or graph.info.opsets.get("", IR_OPSET)
    ops = [op for op in graph.walk() if not op.domain]
    opset = start
    for op in ops:
        needed = _oldest(op, start)
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
        else:
            _move_down(op, opset)
    return opset


# --- which opset can say it ---


def _oldest(op: Op, start: int) -> int:
    """The first opset from `start` on in which the op can be written; 0 where none helps."""
    if op.version is not None or find_schema(op.name) is None:
        return 0
    return next((v for v in range(start, IR_OPSET + 1) if _fits(op, v)), 0)


def _fits(op: Op, opset: int) -> bool:
    name = _name_at(op, opset)
    schema = find_schema(name, opset)
    if schema is None or schema.deprecated or (name == "Resize" and opset < 11):
        return name == "Upsample" and schema is not None and _is_enlarging(op)
    moved = {m.index for m in moves_for(op.name, opset)}
    if not all(_is_constant_or_absent(op.operand(i)) for i in moved):
        return False
    kept = [i for i, v in enumerate(op.operands) if v is not None and i not in moved]
    if kept and kept[-1] >= schema.max_input:
        return False
    if not all(a in schema.attributes or _says_nothing(op, a) for a in op.attrs):
        return False
    return all(_takes(name, opset, i, op.operands[i]) for i in kept)


def _name_at(op: Op, opset: int) -> str:
    if op.name == "Resize" and opset < 10:
        return "Upsample"
    for old, (new, since) in RENAMED_OPS.items():
        if op.name == new and opset < since:
            return old
    return op.name


def _is_constant_or_absent(value: Value | None) -> bool:
    return value is None or value.tensor is not None


def _says_nothing(op: Op, attr: str) -> bool:
    """True where an attribute can be left out below the opset that brought it."""
    if op.name == "Split" and attr == "num_outputs":
        return _splits_evenly(op)
    spec = find_spec(op.name)
    return spec is not None and op.attrs[attr] == spec.attr_default(attr)


def _splits_evenly(op: Op) -> bool:
    """Before opset 18 a Split without lengths was even; that of an older file is, whatever the extent."""
    first = op.operand(0)
    axis = op.attr("axis", 0)
    shape = first.shape if first is not None else None
    extent = shape[axis] if shape and -len(shape) <= axis < len(shape) else None
    if isinstance(extent, int):
        return extent % len(op.results) == 0
    return op.graph is not None and op.graph.info.opsets.get("", IR_OPSET) < 18


def _takes(name: str, opset: int, index: int, value: Value | None) -> bool:
    """True where the opset's op takes the operand's element type."""
    if value is None or not isinstance(value.type, TensorType):
        return True
    allowed = _element_types(name, opset, index)
    return allowed is None or value.type.dtype.value in allowed


@lru_cache(maxsize=4096)
def _element_types(name: str, opset: int, index: int) -> frozenset[int] | None:
    """ONNX's numbers of the element types that an operand may have; None where the schema does not say."""
    from onnx import TensorProto

    schema = find_schema(name, opset)
    if schema is None or not schema.inputs:
        return None
    texts = schema.inputs[min(index, len(schema.inputs) - 1)].types
    names = [t[len("tensor(") : -1].upper() for t in texts if t.startswith("tensor(")]
    return frozenset(TensorProto.DataType.Value(n) for n in names)


def _is_enlarging(op: Op) -> bool:
    """True for a Resize that Upsample can say."""
    scales = op.operand(2)
    if scales is None or scales.tensor is None or op.operand(1) or op.operand(3):
        return False
    attrs = {k: v for k, v in op.attrs.items() if k != "mode" and not _says_nothing(op, k)}
    said = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return attrs == said and bool((scales.numpy() >= 1).all()) and op.attr("mode") in ("nearest", "linear")


# --- moving down ---


def _move_down(op: Op, opset: int) -> None:
    if op.name == "Resize" and opset < 10:
        op.attrs = op.attrs.updated(**{k: None for k in op.attrs if k != "mode"})
        op._set_operands((op.operands[0], op.operands[2]))
    op.name = _name_at(op, opset)
    _rename_values(op, opset)
    for move in sorted(moves_for(op.name, opset), key=lambda m: -m.index):
        _operand_to_attribute(op, move)
    schema = find_schema(op.name, opset)
    if schema is not None and not set(op.attrs) <= set(schema.attributes):
        op.attrs = op.attrs.updated(**{a: None for a in op.attrs if a not in schema.attributes})


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
