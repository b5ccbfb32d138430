"""The text form: one op a line, small constants inline, large ones by digest beside a side file.

`parse(print(g)) == g` (see `y10c.ir.parser`). A graph begins with one line of JSON about its model, where
there is something to say. `%name` is a value that bears the name, `%7` one without a name, `%name~2` another
value of the same name; `of [...]` is a lineage that is not just the name, `note {...}` what the model says of
something to people; behind `#` stand the ONNX node and the rule that an op comes from.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from y10c.ir.attrs import Floats, Graphs, Ints, SparseTensor, SparseTensors, Strings, Tensors, Types
from y10c.ir.facts import model_facts
from y10c.ir.notes import Notes
from y10c.ir.tensor import Tensor
from y10c.ir.types import (
    DType,
    MapType,
    OptionalType,
    QuantParams,
    SequenceType,
    SparseTensorType,
    TensorType,
    Type,
)

if TYPE_CHECKING:
    from y10c.ir.graph import Graph
    from y10c.ir.value import Op, Value

INLINE_ELEMENTS = 8
"""Constants of up to this many elements are printed in full."""


def format_type(type: Type | None) -> str:
    """`f32[1,3,640,640]`, with layout and quantization in braces where they are known; `?` for nothing."""
    if type is None:
        return "?"
    if isinstance(type, TensorType):
        return f"{type.dtype.name}{_shape(type.shape)}{_braces(type)}"
    if isinstance(type, SparseTensorType):
        return f"sparse<{type.dtype.name}{_shape(type.shape)}>"
    if isinstance(type, SequenceType):
        return f"seq<{format_type(type.element)}>"
    if isinstance(type, OptionalType):
        return f"optional<{format_type(type.element)}>"
    assert isinstance(type, MapType)
    return f"map<{type.key.name},{format_type(type.element)}>"


def _shape(shape: tuple[Any, ...] | None) -> str:
    return "[*]" if shape is None else f"[{','.join(_dim(d) for d in shape)}]"


def _dim(dim: int | str | None) -> str:
    if dim is None:
        return "?"
    return str(dim) if isinstance(dim, int) else _word(dim)


def _braces(type: TensorType) -> str:
    parts = [f"layout={type.layout.value}"] if type.layout is not None else []
    if type.quant is not None:
        parts.append(format_quant(type.quant))
    return f"{{{','.join(parts)}}}" if parts else ""


def format_quant(quant: QuantParams) -> str:
    """`s=0.031,z=0`, for several scales `s=[...],z=[...],axis=0`."""
    if quant.axis is None:
        text = f"s={quant.scale[0]!r},z={quant.zero_point[0]}"
    else:
        scales = ",".join(map(repr, quant.scale))
        text = f"s=[{scales}],z=[{','.join(map(str, quant.zero_point))}],axis={quant.axis}"
    return text + (",narrow" if quant.narrow else "")


class Printer:
    """Prints graphs with one numbering of values throughout.

    Args:
        side: Collects the constants that are too large to be printed, by digest; None drops them.
    """

    def __init__(self, side: dict[str, Tensor] | None = None) -> None:
        self.side = side
        self._names: dict[Value, str] = {}
        self._clashes: dict[str, int] = {}

    def graph(self, graph: Graph, indent: str = "") -> Iterator[str]:
        """The lines of a graph, all constants first where it is the outermost."""
        if graph.parent is None and (about := model_facts(graph.info)):
            yield f"model {json.dumps(about)}"
        inputs = ", ".join(self.input(v, graph) for v in graph.inputs)
        yield f"{indent}graph {json.dumps(graph.name)}({inputs}){_notes(graph.notes)} {{"
        if graph.parent is None:
            for value in _constants_read(graph):
                yield f"{indent}  {self.constant(value)}"
        for op in graph.ops:
            yield from self.op(op, indent + "  ")
        outputs = ", ".join(
            f"{json.dumps(n)}: {self.name(v)}" for n, v in zip(graph.output_names, graph.outputs, strict=True)
        )
        yield f"{indent}  return {outputs}".rstrip()
        yield f"{indent}}}"

    def input(self, value: Value, graph: Graph) -> str:
        """As `typed`, with the default behind `=` where there is one."""
        default = graph.defaults.get(value)
        return self.typed(value) + (f" = {self.tensor(default)}" if default is not None else "")

    def typed(self, value: Value) -> str:
        """`%x: f32[2]`, with the lineage where it is not just the name."""
        return f"{self.name(value)}: {format_type(value.type)}{_lineage(value)}{_notes(value.notes)}"

    def constant(self, value: Value) -> str:
        """`%w = const f32[2] [1.0,2.0]`, or the digest in place of the data."""
        assert value.tensor is not None
        return f"{self.name(value)} = const {self.tensor(value.tensor)}{_lineage(value)}{_notes(value.notes)}"

    def tensor(self, tensor: Tensor) -> str:
        """A tensor as type and data."""
        if int(np.prod(tensor.shape)) <= INLINE_ELEMENTS:
            return f"{format_type(tensor.type)} {_items(tensor)}"
        if self.side is not None:
            self.side[tensor.digest] = tensor
        return f"{format_type(tensor.type)} @{tensor.digest}"

    def op(self, op: Op, indent: str = "") -> Iterator[str]:
        """The line of an op; nested graphs take further lines."""
        left = ", ".join(map(self.typed, op.results)) + (" = " if op.results else "")
        operands = ", ".join("_" if v is None else self.name(v) for v in op.operands)
        version = f"#{op.version}" if op.version is not None else ""
        head = f"{indent}{left}{_op_name(op.name)}{version}({operands})"
        plain = {k: v for k, v in op.attrs.items() if not _graphs_of(v)}
        if plain:
            head += " {" + ", ".join(f"{_word(k)}={self.attr(v)}" for k, v in plain.items()) + "}"
        yield head + _notes(op.notes) + _origin(op)
        for name, value in op.attrs.items():
            for number, graph in enumerate(_graphs_of(value)):
                label = f"{_word(name)}[{number}]" if isinstance(value, Graphs) else _word(name)
                lines = list(self.graph(graph, indent + "  "))
                lines[0] = f"{indent}  .{label} = {lines[0].lstrip()}"
                yield from lines

    def attr(self, value: Any) -> str:
        """An attribute's value; the kind of an empty list is written out."""
        if isinstance(value, tuple):
            return self._list(value)
        if isinstance(value, Tensor):
            return f"<{self.tensor(value)}>"
        if isinstance(value, int | float | str | bytes):
            return _scalar(value)
        if isinstance(value, SparseTensor):
            extents = ",".join(map(str, value.shape))
            return f"sparse<{self.tensor(value.values)}, {self.tensor(value.indices)}, [{extents}]>"
        return f"type {format_type(value)}"

    def _list(self, value: tuple[Any, ...]) -> str:
        if not value:
            return f"[]:{KINDS[type(value)]}"
        return f"[{','.join(map(self.attr, value))}]"

    def name(self, value: Value) -> str:
        """The value's name in this text, unique; `%` and a number where it has none."""
        if value not in self._names:
            base = _value_name(value.name) if value.name else str(len(self._names))
            again = self._clashes[base] = self._clashes.get(base, 0) + 1
            self._names[value] = base if again == 1 else f"{base}~{again}"
        return f"%{self._names[value]}"


KINDS: dict[type, str] = {
    Ints: "ints",
    Floats: "floats",
    Strings: "strings",
    Tensors: "tensors",
    Types: "types",
    Graphs: "graphs",
    SparseTensors: "sparse",
}
"""How the kind of an empty list is written."""

_PLAIN_VALUE = re.compile(r"(?!\d+$)[\w./-]+", re.ASCII)
_WORD = re.compile(r"(?!(?:inf|nan)\b)[A-Za-z_]\w*(?:(?:\.|::|/|-)\w+)*", re.ASCII)
_KEYWORDS = frozenset({"const", "note", "return"})


def _value_name(name: str) -> str:
    return name if _PLAIN_VALUE.fullmatch(name) else json.dumps(name)


def _word(text: str) -> str:
    return text if _WORD.fullmatch(text) else json.dumps(text)


def _op_name(name: str) -> str:
    return json.dumps(name) if name in _KEYWORDS else _word(name)


def _scalar(value: int | float | str | bytes) -> str:
    if isinstance(value, bytes):
        return f"b{json.dumps(value.hex())}"
    if isinstance(value, str):
        return json.dumps(value)
    return repr(value)


def _items(tensor: Tensor) -> str:
    """The elements; complex numbers and NaN, whose bits decimal numbers would lose, as little-endian hex."""
    array = tensor.numpy().reshape(-1)
    if tensor.dtype is DType.str:
        items = [_scalar(i if isinstance(i, bytes) else str(i)) for i in array]
    elif tensor.dtype.is_integer or tensor.dtype is DType.bool:
        items = [str(int(i)) for i in array]
    elif not tensor.dtype.is_float or any(math.isnan(float(i)) for i in array):
        return f'x"{np.ascontiguousarray(array).tobytes().hex()}"'
    else:
        items = [repr(float(i)) for i in array]
    return f"[{','.join(items)}]"


def _graphs_of(value: Any) -> tuple[Graph, ...]:
    from y10c.ir.graph import Graph

    if isinstance(value, Graph):
        return (value,)
    return tuple(value) if isinstance(value, Graphs) else ()


def _constants_read(graph: Graph) -> dict[Value, None]:
    """In the order of their first reading, so that equal graphs have equal text."""
    ops = (*graph.walk(), graph.terminator)
    ends = [g.terminator for op in ops for g in op.graphs]
    return {v: None for op in (*ops, *ends) for v in op.operands if v is not None and v.tensor is not None}


def _origin(op: Op) -> str:
    parts = [json.dumps(op.location)] if op.location else []
    parts += [f"by {_word(op.by)}"] if op.by else []
    return f"  # {', '.join(parts)}" if parts else ""


def _lineage(value: Value) -> str:
    if value.lineage == ((value.name,) if value.name else ()):
        return ""
    return f" of [{','.join(map(json.dumps, value.lineage))}]"


def _notes(notes: Notes) -> str:
    if not notes:
        return ""
    return f" note {{{', '.join(f'{_word(k)}={json.dumps(v)}' for k, v in sorted(notes.items()))}}}"


def format_op(op: Op) -> str:
    """One op as it stands, nested graphs included."""
    return "\n".join(Printer().op(op))


def print_graph(graph: Graph, side: dict[str, Tensor] | None = None) -> str:
    """A graph as text; `side` collects the large constants by digest."""
    return "\n".join(Printer(side).graph(graph)) + "\n"
