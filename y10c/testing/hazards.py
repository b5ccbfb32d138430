"""Adversarial contexts: what authors of rules forget about the graph around a match."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
    """

    name: str
    apply: Callable[[Draw, Example], bool]


def add_hazards(draw: Draw, example: Example) -> None:
    """Put an example into none, one or several of the contexts; none is the simplest."""
    for hazard in HAZARDS:
        if draw.integer(0, 3, hazard.name) == 3 and hazard.apply(draw, example):
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


HAZARDS = (
    Hazard("an inner value is read elsewhere", _inner_is_read),
    Hazard("an inner value is a graph output", _inner_is_output),
    Hazard("the result is read and an output", _root_is_read),
    Hazard("the result is no output", _root_is_read_only),
    Hazard("the result is an output twice", _root_is_output_twice),
    Hazard("an input is an output", _input_is_output),
    Hazard("an operand is shared", _operand_is_shared),
    Hazard("the root has a twin", _twin),
)
"""Every context, in the order in which they are applied."""


def _output(example: Example, value: Value) -> None:
    graph = example.graph
    names = [*graph.output_names, f"out{len(graph.output_names)}"]
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
