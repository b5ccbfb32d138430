"""What a key may hold: one class a kind of value, which reads an item and says what is allowed."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from y10c.config.document import Item
from y10c.config.problems import Findings, Place, suggestion


class Name(str):
    """Text that knows where in the file it stands.

    Args:
        text: The text.
        place: Where it begins; None where it stands in no file.
    """

    place: Place | None

    def __new__(cls, text: str, place: Place | None = None) -> Name:
        """The text, with its place beside it."""
        made = super().__new__(cls, text)
        made.place = place
        return made


class Kind(Protocol):
    """A kind of value."""

    @property
    def allowed(self) -> str:
        """What is allowed, as a phrase."""

    def read(self, item: Item, key: str, findings: Findings) -> Any:
        """The value; None where it is wrong, which `findings` then tells."""

    def schema(self) -> dict[str, Any]:
        """The JSON schema of the value."""


def refused(item: Item, key: str, findings: Findings, allowed: str) -> None:
    """Note that a value is of the wrong kind."""
    shown = repr(item.text) if item.is_scalar else "a mapping" if item.entries is not None else "a list"
    findings.wrong(item.place, key, f"{shown} is not {allowed}", _list_help(item))


def _list_help(item: Item) -> str | None:
    if not isinstance(item.value, list):
        return None
    parts = [one.text for one in item.value if one.is_scalar]
    return f"write one text with ';' between the elements: '{';'.join(parts)}'"


@dataclass(frozen=True)
class Text:
    """Text, free or one of some words.

    Args:
        choices: The words; empty where any text goes.
        what: What the text is, as a phrase.
        ending: What it must end with.
        aliases: Other words for some of the choices, which are refused with a hint.
    """

    choices: tuple[str, ...] = ()
    what: str = "text"
    ending: str = ""
    aliases: tuple[tuple[str, str], ...] = ()

    @property
    def allowed(self) -> str:
        """The words, or what the text is."""
        return "one of " + ", ".join(self.choices) if self.choices else self.what

    def read(self, item: Item, key: str, findings: Findings) -> Name | None:
        """The text."""
        if not item.is_scalar:
            refused(item, key, findings, self.allowed)
            return None
        if self.choices and item.text not in self.choices:
            listed = [*self.choices]
            message = f"the specified {key.rpartition('.')[2]} {item.text!r} is invalid"
            alias = dict(self.aliases).get(item.text.lower())
            help = f"{item.text} is {alias!r} here" if alias else suggestion(item.text, listed) or None
            findings.wrong(
                item.place, key, f"{message}, it can only be specified as values in {listed}", help
            )
            return None
        if not item.text.endswith(self.ending):
            refused(item, key, findings, self.allowed)
            return None
        return Name(item.text, item.place)

    def schema(self) -> dict[str, Any]:
        """A string, with its words where there are some."""
        return {"enum": ["", *self.choices]} if self.choices else {"type": "string"}


@dataclass(frozen=True)
class Flag:
    """True or False; also yes/no and on/off, which readers of YAML 1.1 take for the same."""

    @property
    def allowed(self) -> str:
        """The two words."""
        return "True or False"

    def read(self, item: Item, key: str, findings: Findings) -> bool | None:
        """The truth value."""
        word = item.text.lower()
        if item.is_scalar and word in ("true", "yes", "on", "1"):
            return True
        if item.is_scalar and word in ("false", "no", "off", "0"):
            return False
        refused(item, key, findings, self.allowed)
        return None

    def schema(self) -> dict[str, Any]:
        """A boolean, or its name."""
        return {"enum": [True, False, "True", "False"]}


@dataclass(frozen=True)
class Whole:
    """A whole number, written as a number or as text.

    Args:
        low: Least.
        high: Greatest.
        also: A number outside that range which is allowed too.
    """

    low: int
    high: int | None = None
    also: int | None = None

    @property
    def allowed(self) -> str:
        """The range."""
        upper = f"from {self.low} to {self.high}" if self.high is not None else f"of at least {self.low}"
        return f"a whole number {upper}" + (f", or {self.also}" if self.also is not None else "")

    def read(self, item: Item, key: str, findings: Findings) -> int | None:
        """The number."""
        if item.is_scalar and re.fullmatch(r"[+-]?\d{1,18}", item.text.strip()):
            number = int(item.text)
            if number == self.also or (number >= self.low and (self.high is None or number <= self.high)):
                return number
        refused(item, key, findings, self.allowed)
        return None

    def schema(self) -> dict[str, Any]:
        """An integer in its range."""
        upper = {"maximum": self.high} if self.high is not None else {}
        span: dict[str, Any] = {"type": "integer", "minimum": self.low, **upper}
        return span if self.also is None else {"anyOf": [span, {"const": self.also}]}


@dataclass(frozen=True)
class Real:
    """A finite number.

    Args:
        low: Least; None for none.
    """

    low: float | None = None

    @property
    def allowed(self) -> str:
        """A number, and its least."""
        return "a number" if self.low is None else f"a number of at least {self.low:g}"

    def read(self, item: Item, key: str, findings: Findings) -> float | None:
        """The number."""
        number = as_float(item.text) if item.is_scalar else None
        if number is None or (self.low is not None and number < self.low):
            refused(item, key, findings, self.allowed)
            return None
        return number

    def schema(self) -> dict[str, Any]:
        """A number."""
        return {"type": "number", **({} if self.low is None else {"minimum": self.low})}


def as_float(text: str) -> float | None:
    """A finite number; None for anything else."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


@dataclass(frozen=True)
class AnyScalar:
    """True, False, a number or text."""

    allowed: str = "True, False, a number or text"

    def read(self, item: Item, key: str, findings: Findings) -> Any:
        """The scalar."""
        if item.is_scalar:
            return item.value
        refused(item, key, findings, self.allowed)
        return None

    def schema(self) -> dict[str, Any]:
        """Three types."""
        return {"type": ["boolean", "integer", "number", "string"]}


@dataclass(frozen=True)
class Anything:
    """Whatever stands there: values that nothing reads."""

    allowed: str = "anything"

    def read(self, item: Item, key: str, findings: Findings) -> Any:
        """The value as plain dicts, lists and scalars."""
        return item.plain()

    def schema(self) -> dict[str, Any]:
        """No constraint."""
        return {}


@dataclass(frozen=True)
class Mapping:
    """A mapping that is handed on as it is."""

    allowed: str = "a mapping"

    def read(self, item: Item, key: str, findings: Findings) -> dict[str, Any] | None:
        """Plain dicts, lists and scalars."""
        if item.entries is None:
            refused(item, key, findings, self.allowed)
            return None
        plain: dict[str, Any] = item.plain()
        return plain

    def schema(self) -> dict[str, Any]:
        """An object."""
        return {"type": "object"}


@dataclass(frozen=True)
class Listed:
    """Text that lists elements, one an input or one a name.

    Args:
        element: Kind of each element.
        separator: Between the elements.
        what: What the elements are.
        unique: Whether an element may stand only once.
        blank: Whether an element may be empty, as for an input that takes no value.
    """

    element: Kind
    separator: str = ";"
    what: str = ""
    unique: bool = False
    blank: bool = False

    @property
    def allowed(self) -> str:
        """The separator, and what stands between."""
        return self.what or f"a list with '{self.separator}' between, each {self.element.allowed}"

    def read(self, item: Item, key: str, findings: Findings) -> tuple[Any, ...] | None:
        """The elements; those that are wrong are left out and told."""
        if not item.is_scalar:
            refused(item, key, findings, self.allowed)
            return None
        parts = list(item.parts(self.separator))
        if len(parts) > 1 and not parts[-1].text and not self.blank:
            parts.pop()  # a separator at the end, as the vendor's own examples have it
        values = [self._one(part, key, findings) for part in parts]
        if self.unique:
            _require_unique(values, key, findings)
        return tuple(values)

    def _one(self, part: Item, key: str, findings: Findings) -> Any:
        if part.text:
            return self.element.read(part, key, findings)
        if not self.blank:
            findings.wrong(
                part.place, key, f"an element between two '{self.separator}' is empty", "leave it out"
            )
        return None

    def schema(self) -> dict[str, Any]:
        """A string; numbers where one element may be one."""
        return {"type": ["string", "number"]}


def _require_unique(values: Sequence[Any], key: str, findings: Findings) -> None:
    for index, value in enumerate(values):
        if isinstance(value, Name) and value.place is not None and value in values[:index]:
            findings.wrong(value.place, key, f"{value!s} stands twice", "name it once")


@dataclass(frozen=True)
class Numbers:
    """A number a channel, with ',' or blanks between."""

    allowed: str = "numbers with ',' between, one or one a channel"

    def read(self, item: Item, key: str, findings: Findings) -> tuple[float, ...] | None:
        """The numbers."""
        numbers = [as_float(part) for part in re.split(r"[,\s]+", item.text.strip())]
        known = tuple(n for n in numbers if n is not None)
        if len(known) == len(numbers):
            return known
        refused(item, key, findings, self.allowed)
        return None

    def schema(self) -> dict[str, Any]:
        """Text, or one number."""
        return {"type": ["string", "number"]}


@dataclass(frozen=True)
class Shape:
    """Extents, as `1x3x640x640`."""

    allowed: str = "extents like 1x3x640x640"

    def read(self, item: Item, key: str, findings: Findings) -> tuple[int, ...] | None:
        """The extents."""
        parts = item.text.lower().split("x")
        if all(re.fullmatch(r"[1-9]\d{0,8}", part.strip()) for part in parts):
            return tuple(int(part) for part in parts)
        refused(item, key, findings, self.allowed)
        return None

    def schema(self) -> dict[str, Any]:
        """Text."""
        return {"type": "string"}
