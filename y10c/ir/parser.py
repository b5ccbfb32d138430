"""The text form back into a graph: `parse(print(g)) == g`.

Grammar, with `[]` for optional and `*` for repeated::

    text   = ["model" JSON] graph
    graph  = "graph" STRING "(" (typed ["=" tensor]),* ")" [notes] "{" const* op*
             "return" (STRING ":" VALUE),* "}"
    const  = VALUE "=" "const" tensor ["of" strings] [notes]
    op     = [typed,* "="] NAME ["#" INT] "(" (VALUE | "_"),* ")" ["{" (NAME "=" attr),* "}"]
             [notes] ["#" origin] body*
    body   = "." NAME ["[" INT "]"] "=" graph
    typed  = VALUE ":" type ["of" strings] [notes]
    notes  = "note" "{" (NAME "=" STRING),* "}"
    tensor = type (items | HEX | DIGEST)
    attr   = scalar | items [":" KIND] | "<" tensor ">" | "type" type
             | "sparse" "<" tensor "," tensor "," items ">"
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from y10c.ir.attrs import (
    Attrs,
    Floats,
    Graphs,
    Ints,
    SparseTensor,
    SparseTensors,
    Strings,
    Tensors,
    Types,
)
from y10c.ir.facts import model_info
from y10c.ir.graph import Graph, ModelInfo
from y10c.ir.lexer import Lexer, Token
from y10c.ir.notes import NO_NOTES, Notes
from y10c.ir.printer import KINDS
from y10c.ir.tensor import Tensor
from y10c.ir.textdata import tensor_of_bytes, tensor_of_items
from y10c.ir.types import (
    Dim,
    DType,
    Layout,
    MapType,
    OptionalType,
    QuantParams,
    SequenceType,
    SparseTensorType,
    TensorType,
    Type,
)
from y10c.ir.value import Op, Value

MAX_DEPTH = 50
"""Graphs and types nested deeper than this are refused instead of exhausting the stack."""

T = TypeVar("T")
_LISTS = {name: kind for kind, name in KINDS.items()}
_NO_SIDE: Mapping[str, Tensor] = {}


def parse_graph(text: str, side: Mapping[str, Tensor] = _NO_SIDE, *, source: str = "") -> Graph:
    """A graph from its text form.

    Args:
        text: As `y10c.ir.printer.print_graph` writes it.
        side: The constants that are not in the text, by digest.
        source: Name of the file, for messages.

    Raises:
        ParseError: With `line:column`, behind the name of the file where there is one.
    """
    return _Parser(Lexer(text, source), side).model()


class _Parser:
    def __init__(self, lexer: Lexer, side: Mapping[str, Tensor]) -> None:
        self.lexer = lexer
        self.side = side
        self.depth = 0

    def model(self) -> Graph:
        info = ModelInfo()
        if self.lexer.head.text == "model":
            info = self.info()
        graph = self.graph(None, info, {})
        self.lexer.expect("end")
        return graph

    def info(self) -> ModelInfo:
        lexer = self.lexer
        start = lexer.head.at + len("model")
        end = lexer.text.find("\n", start)
        try:
            facts = json.loads(lexer.text[start : end if end >= 0 else len(lexer.text)])
            info = model_info(facts)
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise lexer.error(f"the line about the model is not as it should be: {error}") from None
        lexer.position = end if end >= 0 else len(lexer.text)
        lexer.next()
        return info

    # --- graphs ---

    def graph(self, parent: Graph | None, info: ModelInfo, outer: Mapping[str, Value]) -> Graph:
        self.lexer.expect("graph")
        self.deeper()
        graph = Graph(self.string(), parent)
        graph.info = info
        scope = dict(outer)
        self.lexer.expect("(")
        self.separated(lambda: self.input(graph, scope), ")")
        graph.notes = self.notes()
        self.lexer.expect("{")
        while not self.lexer.accept("return"):
            self.statement(graph, scope)
        self.results(graph, scope)
        self.depth -= 1
        return graph

    def input(self, graph: Graph, scope: dict[str, Value]) -> None:
        typed = self.typed()
        value = graph.add_input(typed.type, value_name(typed.token.text))
        self.tell(value, typed, scope)
        if self.lexer.accept("="):
            graph.defaults[value] = self.tensor()

    def results(self, graph: Graph, scope: Mapping[str, Value]) -> None:
        def slot() -> tuple[str, Value]:
            name = self.string()
            self.lexer.expect(":")
            return name, self.read(scope)

        slots = self.separated(slot, "}")
        graph.set_outputs([v for _, v in slots], [n for n, _ in slots])

    def statement(self, graph: Graph, scope: dict[str, Value]) -> None:
        if self.lexer.head.kind != "value":
            self.op(graph, scope, [])
            return
        token = self.lexer.next()
        if not self.lexer.accept("="):
            self.op(graph, scope, self.left_side(token))
        elif self.lexer.accept("const"):
            self.constant(graph, scope, token)
        else:
            raise self.lexer.error("expected 'const': the result of an op has a type")

    def left_side(self, first: Token) -> list[Typed]:
        results = [self.typed(first)]
        while self.lexer.accept(","):
            results.append(self.typed())
        self.lexer.expect("=")
        return results

    def constant(self, graph: Graph, scope: dict[str, Value], token: Token) -> None:
        tensor = self.tensor()
        lineage = self.lineage()
        name = value_name(token.text)
        if name or lineage is not None:
            value = graph.root.named_constant(tensor, name, lineage)
        else:
            value = graph.root.constant(tensor)
        value.notes = self.notes()
        self.define(scope, token, value)

    def tell(self, value: Value, typed: Typed, scope: dict[str, Value]) -> None:
        """Give a new value what stands beside its name."""
        value.lineage = value.lineage if typed.lineage is None else typed.lineage
        value.notes = typed.notes
        self.define(scope, typed.token, value)

    def define(self, scope: dict[str, Value], token: Token, value: Value) -> None:
        if token.text in scope:
            raise self.lexer.error(f"{token.text} is defined twice", token.at)
        scope[token.text] = value

    def read(self, scope: Mapping[str, Value]) -> Value:
        token = self.lexer.expect("value")
        if token.text not in scope:
            raise self.lexer.error(f"{token.text} is not defined here", token.at)
        return scope[token.text]

    # --- ops ---

    def op(self, graph: Graph, scope: dict[str, Value], left: list[Typed]) -> None:
        lexer = self.lexer
        name = self.word()
        version = self.integer() if lexer.accept("#") else None
        lexer.expect("(")
        operands = self.separated(lambda: None if lexer.accept("_") else self.read(scope), ")")
        attrs = dict(self.separated(self.attribute, "}")) if lexer.accept("{") else {}
        notes = self.notes()
        location, by = self.origin() if lexer.accept("#") else ("", "")
        attrs.update(self.bodies(graph, scope))
        op = Op(
            name,
            operands,
            Attrs(attrs),
            [typed.type for typed in left],
            result_names=[value_name(typed.token.text) for typed in left],
            location=location,
            by=by,
            version=version,
        )
        op.notes = notes
        graph._insert_before(op, graph.terminator)
        for typed, value in zip(left, op.results, strict=True):
            self.tell(value, typed, scope)

    def attribute(self) -> tuple[str, Any]:
        name = self.word()
        self.lexer.expect("=")
        return name, self.attr()

    def origin(self) -> tuple[str, str]:
        location = self.string() if self.lexer.head.kind == "string" else ""
        if location and not self.lexer.accept(","):
            return location, ""
        self.lexer.expect("by")
        return location, self.word()

    def bodies(self, graph: Graph, scope: Mapping[str, Value]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self.lexer.accept("."):
            name = self.word()
            listed = self.lexer.accept("[")
            if listed:
                self.integer()
                self.lexer.expect("]")
            self.lexer.expect("=")
            inner = self.graph(graph, graph.info, scope)
            found[name] = Graphs((*found.get(name, ()), inner)) if listed else inner
        return found

    def typed(self, first: Token | None = None) -> Typed:
        token = first or self.lexer.expect("value")
        self.lexer.expect(":")
        return Typed(token, self.type(), self.lineage(), self.notes())

    def lineage(self) -> tuple[str, ...] | None:
        if not self.lexer.accept("of"):
            return None
        self.lexer.expect("[")
        return tuple(self.separated(self.string, "]"))

    def notes(self) -> Notes:
        if not self.lexer.accept("note"):
            return NO_NOTES
        self.lexer.expect("{")
        return dict(self.separated(self.note, "}"))

    def note(self) -> tuple[str, str]:
        name = self.word()
        self.lexer.expect("=")
        return name, self.string()

    # --- attributes and data ---

    def attr(self) -> Any:
        lexer = self.lexer
        if lexer.accept("["):
            return self.attr_list()
        if lexer.accept("<"):
            tensor = self.tensor()
            lexer.expect(">")
            return tensor
        if lexer.accept("sparse"):
            return self.sparse()
        return self.type() if lexer.accept("type") else self.scalar()

    def sparse(self) -> SparseTensor:
        self.lexer.expect("<")
        values = self.tensor()
        self.lexer.expect(",")
        indices = self.tensor()
        self.lexer.expect(",")
        self.lexer.expect("[")
        shape = tuple(self.separated(self.integer, "]"))
        self.lexer.expect(">")
        return SparseTensor(values, indices, shape)

    def attr_list(self) -> Any:
        at = self.lexer.head.at
        items = self.separated(self.attr, "]")
        if not items:
            self.lexer.expect(":")
            kind = self.word()
            if kind not in _LISTS:
                raise self.lexer.error(f"unknown kind of list {kind!r}")
            return _LISTS[kind]()
        for accepted, make in _LIST_OF:
            if all(isinstance(i, accepted) for i in items):
                return make(items)
        raise self.lexer.error("a list holds values of one kind", at)

    def scalar(self) -> int | float | str | bytes:
        token = self.lexer.head
        if token.kind == "string":
            return self.string()
        if token.kind == "bytes":
            return self.hex()
        return _number(self.lexer.expect("number").text)

    def tensor(self) -> Tensor:
        lexer, at = self.lexer, self.lexer.head.at
        type = self.type()
        if not isinstance(type, TensorType) or not type.is_static:
            raise lexer.error("a constant has a tensor type with fixed extents", at)
        token = lexer.head
        if token.kind == "digest":
            lexer.next()
            return self.from_side(token, type)
        try:
            if token.kind == "hex":
                return tensor_of_bytes(type.dtype, type.static_shape, self.hex())
            lexer.expect("[")
            return tensor_of_items(type.dtype, type.static_shape, self.separated(self.scalar, "]"))
        except (ValueError, TypeError, OverflowError) as error:
            raise lexer.error(f"the data does not fit its type: {error}", token.at) from None

    def from_side(self, token: Token, type: TensorType) -> Tensor:
        found = self.side.get(token.text[1:])
        if found is None:
            raise self.lexer.error(f"the data {token.text} is not in the side file", token.at)
        if found.type != type:
            raise self.lexer.error(f"the side file has {found.type} here", token.at)
        return found

    # --- types ---

    def type(self) -> Type | None:
        lexer = self.lexer
        if lexer.accept("?"):
            return None
        self.deeper()
        token = lexer.expect("word")
        maker = _CONTAINERS.get(token.text)
        type = maker(self) if maker is not None else self.tensor_type(token)
        self.depth -= 1
        return type

    def tensor_type(self, token: Token) -> TensorType:
        dtype, shape = self.dtype(token), self.shape()
        facts = dict(self.separated(self.type_fact, "}")) if self.lexer.accept("{") else {}
        try:
            layout = Layout(facts["layout"]) if "layout" in facts else None
            return TensorType(dtype, shape, layout, _quant(facts))
        except (ValueError, KeyError, TypeError) as error:
            raise self.lexer.error(f"this type cannot be: {error}", token.at) from None

    def dtype(self, token: Token) -> DType:
        if token.text not in DType.__members__:
            raise self.lexer.error(f"unknown element type {token.text!r}", token.at)
        return DType[token.text]

    def shape(self) -> tuple[Dim, ...] | None:
        self.lexer.expect("[")
        if self.lexer.accept("*"):
            self.lexer.expect("]")
            return None
        return tuple(self.separated(self.dim, "]"))

    def dim(self) -> Dim:
        if self.lexer.accept("?"):
            return None
        return self.integer() if self.lexer.head.kind == "number" else self.word()

    def type_fact(self) -> tuple[str, Any]:
        name = self.word()
        if not self.lexer.accept("="):
            return name, True
        if self.lexer.head.kind == "word":
            return name, self.word()
        return name, self.separated(self.scalar, "]") if self.lexer.accept("[") else self.scalar()

    # --- words ---

    def separated(self, item: Callable[[], T], end: str) -> list[T]:
        """Items between commas up to a closing mark."""
        items: list[T] = []
        if self.lexer.accept(end):
            return items
        while True:
            items.append(item())
            if self.lexer.accept(end):
                return items
            self.lexer.expect(",")

    def string(self) -> str:
        token = self.lexer.expect("string")
        try:
            return str(json.loads(token.text))
        except ValueError as error:
            raise self.lexer.error(f"not a string: {error}", token.at) from None

    def word(self) -> str:
        return self.string() if self.lexer.head.kind == "string" else self.lexer.expect("word").text

    def hex(self) -> bytes:
        token = self.lexer.next()
        try:
            return bytes.fromhex(token.text[2:-1])
        except ValueError as error:
            raise self.lexer.error(f"not hexadecimal: {error}", token.at) from None

    def integer(self) -> int:
        token = self.lexer.expect("number")
        value = _number(token.text)
        if not isinstance(value, int):
            raise self.lexer.error(f"{token.text} is not a whole number", token.at)
        return value

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.lexer.error(f"nested deeper than {MAX_DEPTH} levels")


class Typed(NamedTuple):
    """A value as it is defined: its token, type, lineage where that is said, and notes."""

    token: Token
    type: Type | None
    lineage: tuple[str, ...] | None
    notes: Notes


_LIST_OF: tuple[tuple[Any, Any], ...] = (
    (int, Ints),
    (float, Floats),
    (str | bytes, Strings),
    (Tensor, Tensors),
    (SparseTensor, SparseTensors),
    (TensorType | SequenceType | OptionalType | MapType | SparseTensorType | None, Types),
)


def value_name(text: str) -> str:
    """The name of the value that is written `%...`; empty where it has none."""
    name = text[1:]
    if name.startswith('"'):
        return str(json.loads(name[: name.rindex('"') + 1]))
    name = name.partition("~")[0]
    return "" if name.isdigit() else name


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _quant(facts: Mapping[str, Any]) -> QuantParams | None:
    if "s" not in facts:
        return None
    scales, zeros = facts["s"], facts["z"]
    many = isinstance(scales, list)
    return QuantParams(
        tuple(map(float, scales)) if many else (float(scales),),
        tuple(map(int, zeros)) if many else (int(zeros),),
        facts.get("axis"),
        bool(facts.get("narrow", False)),
    )


def _inside(parser: _Parser, make: Callable[[], T]) -> T:
    parser.lexer.expect("<")
    made = make()
    parser.lexer.expect(">")
    return made


def _map_type(parser: _Parser) -> MapType:
    key = parser.dtype(parser.lexer.expect("word"))
    parser.lexer.expect(",")
    return MapType(key, parser.type())


_CONTAINERS: dict[str, Callable[[_Parser], Type]] = {
    "seq": lambda p: SequenceType(_inside(p, p.type)),
    "optional": lambda p: OptionalType(_inside(p, p.type)),
    "map": lambda p: _inside(p, lambda: _map_type(p)),
    "sparse": lambda p: _inside(p, lambda: SparseTensorType(p.dtype(p.lexer.expect("word")), p.shape())),
}
