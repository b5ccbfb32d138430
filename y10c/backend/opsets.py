"""In which opsets an op can be written, asked of ONNX's schemas and of the declared changes of meaning."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from y10c.ir.tensor import Tensor
from y10c.ir.types import MapType, OptionalType, SequenceType, TensorType, Type
from y10c.ir.value import Op, Value
from y10c.ops.onnx_schema import IR_OPSET, find_schema
from y10c.ops.registry import find_spec
from y10c.ops.versions import (
    NEGATIVE_AXES_SINCE,
    OPTIONAL_SINCE,
    PINNED_BEFORE,
    RENAMED_OPS,
    is_current,
    moves_for,
)


def oldest(op: Op, start: int) -> int:
    """The first opset from `start` on in which the op can be written; 0 where none helps."""
    if op.version is not None or is_current(op.name, start) or find_schema(op.name) is None:
        return 0
    return next((v for v in range(start, IR_OPSET + 1) if _fits(op, v)), 0)


def name_at(op: Op, opset: int) -> str:
    """The name that the op has in an opset."""
    if op.name == "Resize" and opset < 10:
        return "Upsample"
    for old, (new, since) in RENAMED_OPS.items():
        if op.name == new and opset < since:
            return old
    return op.name


def says_nothing(op: Op, attr: str) -> bool:
    """True where an attribute can be left out below the opset that brought it."""
    if op.name == "Split" and attr == "num_outputs":
        return _splits_evenly(op)
    spec = find_spec(op.name)
    return spec is not None and op.attrs[attr] == spec.attr_default(attr)


def rank_of(op: Op) -> int | None:
    """The rank that the op's axes count in."""
    first = op.operand(0)
    rank = first.type.rank if first is not None and isinstance(first.type, TensorType) else None
    if op.name == "OneHot" and rank is not None:
        return rank + 1
    axes = op.operand(1)
    if op.name != "Unsqueeze" or rank is None:
        return rank
    return rank + axes.tensor.shape[0] if axes is not None and axes.tensor is not None else None


def listed_axes(op: Op, opset: int) -> tuple[int, Tensor] | None:
    """The operand of axes that is an attribute in the opset, with its index."""
    for move in moves_for(op.name, opset):
        value = op.operand(move.index)
        if move.attr == "axes" and value is not None and value.tensor is not None:
            return move.index, value.tensor
    return None


def _fits(op: Op, opset: int) -> bool:
    if opset < PINNED_BEFORE.get(op.name, 0):
        old = _IN_OLD_WORDS.get(op.name)
        if old is None or not old(op):
            return False
        if op.name == "Resize":
            return opset < 10  # as Upsample; opset 10 left open which pixels a Resize takes
    return _operands_fit(op, opset) and _attributes_fit(op, opset)


def _operands_fit(op: Op, opset: int) -> bool:
    name = name_at(op, opset)
    schema = find_schema(name, opset)
    if schema is None or schema.deprecated or len(op.results) > schema.max_output:
        return False
    moved = {m.index for m in moves_for(op.name, opset)}
    if not all(_is_constant_or_absent(op.operand(i)) for i in moved):
        return False
    kept = [i for i, v in enumerate(op.operands) if v is not None and i not in moved]
    needed = set() if opset < OPTIONAL_SINCE.get(op.name, 0) else set(range(schema.min_input))
    if (kept and kept[-1] >= schema.max_input) or not needed <= set(kept):
        return False
    return all(_takes(name, opset, i, op.operands[i]) for i in kept)


def _attributes_fit(op: Op, opset: int) -> bool:
    schema = find_schema(name_at(op, opset), opset)
    assert schema is not None
    if not all(a in schema.attributes or says_nothing(op, a) for a in op.attrs):
        return False
    if op.name == "Mod" and not op.attr("fmod") and _is_float(op.operand(0)):
        return opset >= (_newest_version(op.name) or 0)
    return opset >= NEGATIVE_AXES_SINCE or rank_of(op) is not None or not _counts_from_the_end(op)


def _counts_from_the_end(op: Op) -> bool:
    axis, listed = op.attr("axis"), listed_axes(op, NEGATIVE_AXES_SINCE - 1)
    return (isinstance(axis, int) and axis < 0) or (
        listed is not None and bool((listed[1].numpy() < 0).any())
    )


def _is_float(value: Value | None) -> bool:
    return value is not None and isinstance(value.type, TensorType) and value.type.dtype.is_float


def _newest_version(name: str) -> int | None:
    schema = find_schema(name)
    return None if schema is None else schema.since_version


def _is_constant_or_absent(value: Value | None) -> bool:
    return value is None or value.tensor is not None


def _splits_evenly(op: Op) -> bool:
    """Before opset 18 a Split without lengths was even; that of an older file is, whatever the extent."""
    first = op.operand(0)
    axis = op.attr("axis", 0)
    shape = first.shape if first is not None else None
    extent = shape[axis] if shape and -len(shape) <= axis < len(shape) else None
    if isinstance(extent, int):
        return extent % len(op.results) == 0
    return op.graph is not None and op.graph.info.opsets.get("", IR_OPSET) < 18


# --- element types ---


def _takes(name: str, opset: int, index: int, value: Value | None) -> bool:
    """True where the opset's op takes an operand of the type."""
    text = _type_text(value.type) if value is not None else None
    allowed = _types(name, opset, index)
    return text is None or allowed is None or text in allowed


def _type_text(type: Type | None) -> str | None:
    """A type as ONNX's schemas write it; None where it is not known to the end."""
    if isinstance(type, TensorType):
        return f"tensor({_element_name(type.dtype.value)})"
    if isinstance(type, SequenceType | OptionalType):
        inner = _type_text(type.element)
        kind = "seq" if isinstance(type, SequenceType) else "optional"
        return inner and f"{kind}({inner})"
    if isinstance(type, MapType):
        inner = _type_text(type.element)
        return inner and f"map({_element_name(type.key.value)}, {inner})"
    return None


@lru_cache
def _element_name(number: int) -> str:
    from onnx import TensorProto

    return str(TensorProto.DataType.Name(number)).lower()


@lru_cache(maxsize=4096)
def _types(name: str, opset: int, index: int) -> frozenset[str] | None:
    """The types that an operand may have; None where the schema does not say."""
    schema = find_schema(name, opset)
    if schema is None or not schema.inputs:
        return None
    return frozenset(schema.inputs[min(index, len(schema.inputs) - 1)].types)


# --- older meanings that can say today's ---


def _softmax(op: Op) -> bool:
    rank, axis = rank_of(op), op.attr("axis")
    return bool(rank) and isinstance(axis, int) and axis % (rank or 1) == (rank or 1) - 1


def _inference_only(op: Op) -> bool:
    return len(op.results) == 1 and not op.attr("training_mode", 0)


def _without_mask(op: Op) -> bool:
    return len(op.results) == 1 and op.operand(2) is None


def _enlarging(op: Op) -> bool:
    """True for a Resize that Upsample can say."""
    scales = op.operand(2)
    if scales is None or scales.tensor is None or op.operand(1) or op.operand(3):
        return False
    attrs = {k: v for k, v in op.attrs.items() if k != "mode" and not says_nothing(op, k)}
    said = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return attrs == said and bool((scales.numpy() >= 1).all()) and op.attr("mode") in ("nearest", "linear")


_IN_OLD_WORDS: dict[str, Callable[[Op], bool]] = {
    "Softmax": _softmax,
    "LogSoftmax": _softmax,
    "Hardmax": _softmax,
    "BatchNormalization": _inference_only,
    "Dropout": _without_mask,
    "Resize": _enlarging,
}
