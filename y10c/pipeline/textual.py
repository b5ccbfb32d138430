"""Pipelines as text: `fold-bn,legalize{march=nash-e}` into passes, and back with `str`.

    pipeline = pass ("," pass)*        pass = NAME ["{" [option (" " option)*] "}"]
    option   = NAME "=" value          value = text without spaces or braces; lists have commas

Every pass that is registered in the entry-point group `y10c.passes` has its name here, plugins included;
`canonicalize` stands for all passes of `y10c.passes.pipelines.canonicalization`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from y10c import plugins
from y10c.errors import PipelineError, UnknownNameError, UsageError
from y10c.passes.pipelines import canonicalization
from y10c.rewrite.passes import Pass

GROUP = "y10c.passes"
ALIASES = {"canonicalize": canonicalization}
"""Names that stand for several passes."""

_TOKEN = re.compile(r"\s*(?:(?P<name>[^\s,{}=]+)|(?P<mark>[,{}=]))")
_VALUE = re.compile(r"[^\s{}]*")


def parse_pipeline(text: str) -> tuple[Pass, ...]:
    """The passes that a text names, in order.

    Raises:
        PipelineError: The text does not parse, or an option's value does not fit; with the column.
        UnknownNameError: There is no such pass or option; with the column and the nearest name.
    """
    return tuple(one for named in _Reader(text).passes() for one in named)


def format_pipeline(passes: Iterable[Pass]) -> str:
    """The inverse of `parse_pipeline`: names, and the options that differ from their defaults."""
    return ",".join(map(str, passes))


def registered_passes() -> dict[str, Pass]:
    """Every registered pass with its default options, by name; a plugin that does not load is a warning."""
    return {name: _instance(name, found) for name, found in plugins.load_all(GROUP).items()}


def _instance(name: str, found: object) -> Pass:
    made = found() if isinstance(found, type) and issubclass(found, Pass) else found
    if not isinstance(made, Pass):
        brought = plugins.entries(GROUP)[name].distribution
        raise UsageError(
            f"what {brought} registers as pass {name!r} is not one",
            help="it must subclass y10c.rewrite.passes.Pass",
        )
    return made


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def passes(self) -> Iterator[tuple[Pass, ...]]:
        if not self.text.strip():
            raise self.error("the pipeline is empty", help="name a pass: y10c opt --list-passes shows them")
        yield self.named()
        while self.peek():
            self.expect(",")
            yield self.named()

    def named(self) -> tuple[Pass, ...]:
        column, name = self.name("a pass")
        known = plugins.names(GROUP)
        if name in ALIASES and not self.peek("{"):
            return ALIASES[name]()
        if name not in known:
            raise UnknownNameError("pass", name, [*known, *ALIASES], where=self.place(column))
        made = _instance(name, plugins.load(GROUP, name))
        return (self.with_options(made) if self.peek("{") else made,)

    def with_options(self, made: Pass) -> Pass:
        self.expect("{")
        options: dict[str, Any] = {}
        while not self.peek("}"):
            column, name = self.name("an option")
            known = [f.name for f in fields(made)]
            if not known:
                raise self.error(f"{made.name} takes no options", column)
            if name not in known:
                raise UnknownNameError(f"option of {made.name}", name, known, where=self.place(column))
            self.expect("=")
            options[name] = self.value(made, name)
        self.expect("}")
        return replace(made, **options)

    def value(self, made: Pass, name: str) -> Any:
        column, found = self.at, _VALUE.match(self.text, self.at)
        assert found is not None
        self.at = found.end()
        try:
            return _converted(found.group(), get_type_hints(type(made))[name])
        except ValueError as error:
            raise self.error(f"option {name} of {made.name}: {error}", column) from None

    # --- tokens ---

    def peek(self, mark: str = "") -> bool:
        """True where `mark`, or anything at all, comes next."""
        rest = self.text[self.at :].lstrip()
        return rest.startswith(mark) if mark else bool(rest)

    def name(self, what: str) -> tuple[int, str]:
        found = _TOKEN.match(self.text, self.at)
        if found is None or found.group("name") is None:
            raise self.error(f"the name of {what} is missing")
        self.at = found.end()
        return found.start("name"), found.group("name")

    def expect(self, mark: str) -> None:
        found = _TOKEN.match(self.text, self.at)
        if found is None or found.group("mark") != mark:
            raise self.error(f"{mark!r} is missing", help="write NAME,NAME{option=value option=value}")
        self.at = found.end()

    def error(self, message: str, column: int | None = None, help: str | None = None) -> PipelineError:
        if column is None:
            rest = self.text[self.at :]
            column = self.at + len(rest) - len(rest.lstrip())
        return PipelineError(message, where=self.place(column), help=help)

    def place(self, column: int) -> str:
        return f"pipeline, column {column + 1}: {self.text}"


def _converted(text: str, kind: Any) -> Any:
    """A value of an option's declared type; raises ValueError with what was expected."""
    origin, inside = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return _either(text, inside)
    if origin is Literal:
        if text in map(str, inside):
            return next(item for item in inside if str(item) == text)
        raise ValueError(f"{text!r} is none of {', '.join(map(str, inside))}")
    if origin in (tuple, frozenset):
        return origin(_converted(item, inside[0]) for item in text.split(",") if item)
    if kind is bool:
        return _flag(text)
    if kind in (int, float, str, Path):
        return _plain(text, kind)
    raise ValueError(f"values of type {kind} cannot be written in a pipeline")


def _either(text: str, kinds: tuple[Any, ...]) -> Any:
    if NoneType in kinds and text == "none":
        return None
    return _converted(text, next(kind for kind in kinds if kind is not NoneType))


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"{text!r} is neither true nor false")
    return text == "true"


def _plain(text: str, kind: Any) -> Any:
    if not text:
        raise ValueError("the value is missing")
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"{text!r} is not {'a number' if kind is float else 'a whole number'}") from None
