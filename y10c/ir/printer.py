"""The text form: one op a line, small constants inline, large ones by digest beside a side file.

`parse(print(g)) == g` (see `y10c.ir.parser`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from y10c.ir.attrs import Floats, Graphs, Ints, Strings, Tensors, Types
from y10c.ir.tensor import Tensor
from y10c.ir.types import (
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
    return str(dim) if isinstance(dim, int) or dim.isidentifier() else json.dumps(dim)


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
        self._taken: set[str] = set()

    def graph(self, graph: Graph, indent: str = "") -> Iterator[str]:
        """The lines of a graph, its constants first where it is the outermost."""
        inputs = ", ".join(f"{self.name(v)}: {format_type(v.type)}" for v in graph.inputs)
        yield f"{indent}graph {json.dumps(graph.name)}({inputs}) {{"
        if graph.parent is None:
            for value in graph.constants:
                yield f"{indent}  {self.constant(value)}"
        for op in graph.ops:
            yield from self.op(op, indent + "  ")
        outputs = ", ".join(
            f"{json.dumps(n)}: {self.name(v)}" for n, v in zip(graph.output_names, graph.outputs, strict=True)
        )
        yield f"{indent}  return {outputs}".rstrip()
        yield f"{indent}}}"

    def constant(self, value: Value) -> str:
        """`%w = const f32[2] [1.0,2.0]`, or the digest in place of the data."""
        assert value.tensor is not None
        return f"{self.name(value)} = const {self.tensor(value.tensor)}{_comment(value.lineage, value.name)}"

    def tensor(self, tensor: Tensor) -> str:
        """A tensor as type and data."""
        if int(np.prod(tensor.shape)) <= INLINE_ELEMENTS:
            return f"{format_type(tensor.type)} {_items(tensor)}"
        if self.side is not None:
            self.side[tensor.digest] = tensor
        return f"{format_type(tensor.type)} @{tensor.digest}"

    def op(self, op: Op, indent: str = "") -> Iterator[str]:
        """The line of an op; nested graphs take further lines."""
        left = ", ".join(f"{self.name(r)}: {format_type(r.type)}" for r in op.results)
        operands = ", ".join("_" if v is None else self.name(v) for v in op.operands)
        version = f"#{op.version}" if op.version is not None else ""
        head = f"{indent}{left} = {op.name}{version}({operands})"
        plain = {k: v for k, v in op.attrs.items() if not _holds_graph(v)}
        if plain:
            head += " {" + ", ".join(f"{k}={self.attr(v)}" for k, v in plain.items()) + "}"
        yield head + _location(op)
        for name, value in op.attrs.items():
            for number, graph in enumerate(_graphs_of(value)):
                label = f"{name}[{number}]" if isinstance(value, Graphs) else name
                lines = list(self.graph(graph, indent + "  "))
                lines[0] = f"{indent}  .{label} = {lines[0].lstrip()}"
                yield from lines

    def attr(self, value: Any) -> str:
        """An attribute's value; the kind of an empty list is written out."""
        if isinstance(value, Ints | Floats | Strings):
            return f"[{','.join(_scalar(v) for v in value)}]" + (
                f":{_KINDS[type(value)]}" if not value else ""
            )
        if isinstance(value, Tensor):
            return f"<{self.tensor(value)}>"
        if isinstance(value, Tensors):
            return f"[{','.join(self.attr(t) for t in value)}]" + ("" if value else ":tensors")
        if isinstance(value, Types):
            return f"[{','.join('type ' + format_type(t) for t in value)}]" + ("" if value else ":types")
        return (
            _scalar(value) if isinstance(value, int | float | str | bytes) else f"type {format_type(value)}"
        )

    def name(self, value: Value) -> str:
        """The value's name in this text, unique; `%` and a number where it has none."""
        if value not in self._names:
            wish = value.name or str(len(self._names))
            name, number = wish, 1
            while name in self._taken:
                name, number = f"{wish}.{number}", number + 1
            self._taken.add(name)
            self._names[value] = name if _plain(name) else json.dumps(name)
        return f"%{self._names[value]}"


_KINDS: dict[type, str] = {Ints: "ints", Floats: "floats", Strings: "strings"}


def _plain(name: str) -> bool:
    return bool(name) and all(c.isalnum() or c in "_./:-" for c in name) and name.isascii()


def _scalar(value: int | float | str | bytes) -> str:
    if isinstance(value, bytes):
        return f"b{json.dumps(value.hex())}"
    if isinstance(value, str):
        return json.dumps(value)
    return repr(value)


def _items(tensor: Tensor) -> str:
    array = tensor.numpy().reshape(-1)
    if array.dtype == np.object_:
        return f"[{','.join(_scalar(i if isinstance(i, bytes) else str(i)) for i in array)}]"
    if array.dtype.kind in "iub":
        return f"[{','.join(str(int(i)) for i in array)}]"
    if array.dtype.kind == "V" and "int" in array.dtype.name:
        return f"[{','.join(str(int(i)) for i in array)}]"
    if array.dtype.kind == "c":
        return f"[{','.join(repr(complex(i)) for i in array)}]"
    return f"[{','.join(repr(float(i)) for i in array)}]"


def _holds_graph(value: Any) -> bool:
    return bool(_graphs_of(value))


def _graphs_of(value: Any) -> tuple[Graph, ...]:
    from y10c.ir.graph import Graph

    if isinstance(value, Graph):
        return (value,)
    return tuple(value) if isinstance(value, Graphs) else ()


def _location(op: Op) -> str:
    parts = [json.dumps(op.location)] if op.location else []
    parts += [f"by {op.by}"] if op.by else []
    return f"  # {', '.join(parts)}" if parts else ""


def _comment(lineage: Iterable[str], name: str) -> str:
    names = tuple(lineage)
    return "" if names in ((), (name,)) else f"  # {' '.join(map(json.dumps, names))}"


def format_op(op: Op) -> str:
    """One op as it stands, nested graphs included."""
    return "\n".join(Printer().op(op))


def print_graph(graph: Graph, side: dict[str, Tensor] | None = None) -> str:
    """A graph as text; `side` collects the large constants by digest."""
    return "\n".join(Printer(side).graph(graph)) + "\n"
