"""Adversarial contexts: what authors of rules forget about the graph around a match."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from y10c.ir.types import DType, TensorType
from y10c.ir.value import Op, Value
from y10c.ops.sample import Draw
from y10c.rewrite.rewriter import Rewriter
from y10c.testing.invert import Example


@dataclass(frozen=True)
class Hazard:
    """A context that examples are put into.

    Args:
        name: As reports show it.
        apply: Changes the example; returns whether it could.
        rarity: One example in so many is put into it.
    """

    name: str
    apply: Callable[[Draw, Example], bool]
    rarity: int = 4


def add_hazards(draw: Draw, example: Example) -> None:
    """Put an example into none, one or several of the contexts; none is the simplest."""
    for hazard in HAZARDS:
        last = hazard.rarity - 1
        if draw.integer(0, last, hazard.name) == last and hazard.apply(draw, example):
            example.contexts.append(hazard.name)


def _inner_value(draw: Draw, example: Example) -> Value | None:
    inner = [r for op in example.inner for r in op.results]
    return draw.choice(inner, "inner value") if inner else None


def _inner_is_read(draw: Draw, example: Example) -> bool:
    value = _inner_value(draw, example)
    return value is not None and _read_elsewhere(example, value)


def _inner_is_output(draw: Draw, example: Example) -> bool:
    value = _inner_value(draw, example)
    if value is not None:
        _output(example, value)
    return value is not None


def _root_is_read(draw: Draw, example: Example) -> bool:
    return _read_elsewhere(example, example.root.results[0])


def _root_is_read_only(draw: Draw, example: Example) -> bool:
    graph, root = example.graph, example.root
    reader = _reader(example, root.results[0])
    if reader is None:
        return False
    values = [reader if v is root.results[0] else v for v in graph.outputs]
    graph.set_outputs(values, graph.output_names)
    return True


def _root_is_output_twice(draw: Draw, example: Example) -> bool:
    _output(example, example.root.results[0])
    return True


def _input_is_output(draw: Draw, example: Example) -> bool:
    if example.graph.inputs:
        _output(example, draw.choice(example.graph.inputs, "input"))
    return bool(example.graph.inputs)


def _operand_is_shared(draw: Draw, example: Example) -> bool:
    ops = (example.root, *example.inner)
    values = [v for op in ops for v in op.operands if v is not None and v.producer not in ops]
    values = [v for v in values if _reading_op(v) is not None]
    return bool(values) and _read_elsewhere(example, draw.choice(values, "shared operand"))


def _twin(draw: Draw, example: Example) -> bool:
    """The root a second time, on the same operands."""
    root = example.root
    rewriter = Rewriter(example.graph)
    copy = Op(root.name, root.operands, root.attrs, [r.type for r in root.results], location="twin")
    rewriter.insert(copy)
    for result in copy.results:
        _output(example, result)
    return True


def _extent_is_unknown(draw: Draw, example: Example) -> bool:
    """An extent of an input becomes a symbol, or nothing is said of it."""
    ranked = [v for v in example.graph.inputs if example.static(v).rank]
    if not ranked:
        return False
    value = draw.choice(ranked, "input")
    dims: list[int | str | None] = list(example.static(value).static_shape)
    dims[draw.integer(0, len(dims) - 1, "axis")] = draw.choice(("N", None), "extent")
    return _retyped(example, value, example.static(value).with_(shape=tuple(dims)))


def _rank_is_unknown(draw: Draw, example: Example) -> bool:
    """Not even the rank of an input is known."""
    if not example.graph.inputs:
        return False
    value = draw.choice(example.graph.inputs, "input")
    return _retyped(example, value, TensorType(example.static(value).dtype, None))


def _type_is_unknown(draw: Draw, example: Example) -> bool:
    """What an op reads comes from another op, of whose result nothing is known."""
    ops = (example.root, *example.inner)
    places = [(op, i) for op in ops for i, v in enumerate(op.operands) if v in example.graph.inputs]
    if not places:
        return False
    op, index = draw.choice(places, "operand")
    rewriter = Rewriter(example.graph)
    with rewriter.before(example.graph._first):
        unknown = rewriter.op["Identity"](op.operands[index], _types=(None,), _location="unknown")
    for other, place in places:
        if other.operands[place] is op.operands[index] and other is not op:
            rewriter.set_operand(other, place, unknown)
    rewriter.set_operand(op, index, unknown)
    example.infer_again()
    return True


def _retyped(example: Example, value: Value, type: TensorType) -> bool:
    example.types.setdefault(value, value.tensor_type)
    value.type = type
    example.infer_again()
    return True


HAZARDS = (
    Hazard("an inner value is read elsewhere", _inner_is_read),
    Hazard("an inner value is a graph output", _inner_is_output),
    Hazard("the result is read and an output", _root_is_read),
    Hazard("the result is no output", _root_is_read_only),
    Hazard("the result is an output twice", _root_is_output_twice),
    Hazard("an input is an output", _input_is_output),
    Hazard("an operand is shared", _operand_is_shared),
    Hazard("the root has a twin", _twin),
    Hazard("an extent is not known", _extent_is_unknown, 8),
    Hazard("a rank is not known", _rank_is_unknown, 16),
    Hazard("a type is not known", _type_is_unknown, 16),
)
"""Every context, in the order in which they are applied."""


def _output(example: Example, value: Value) -> None:
    graph = example.graph
    free = next(n for n in count(len(graph.output_names)) if f"out{n}" not in graph.output_names)
    names = [*graph.output_names, f"out{free}"]
    graph.set_outputs([*graph.outputs, value], names)


def _reading_op(value: Value) -> str | None:
    if not isinstance(value.type, TensorType):
        return None
    if value.type.dtype is DType.bool:
        return "Not"
    return "Abs" if value.type.dtype in _MEASURED else None


def _reader(example: Example, value: Value) -> Value | None:
    name = _reading_op(value)
    if name is None:
        return None
    read: Value = Rewriter(example.graph).op[name](value, _location="reader")
    return read


def _read_elsewhere(example: Example, value: Value) -> bool:
    reader = _reader(example, value)
    if reader is not None:
        _output(example, reader)
    return reader is not None


_MEASURED = frozenset({DType.f32, DType.f64, DType.i32, DType.i64, DType.i8, DType.u8})
