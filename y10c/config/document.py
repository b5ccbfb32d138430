"""YAML, and JSON with comments, as a tree that remembers where everything stands.

JSON without its comments is YAML in flow style, so one reader gives the positions of both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from y10c.config.problems import Findings, Place
from y10c.errors import ConfigError

Scalar = str | int | float | bool | None

NEWLINE = "\n"
DEEPEST = 60
"""Levels of nesting; the deepest that any key has is 6."""


@dataclass(frozen=True)
class Item:
    """A value of the file.

    Args:
        value: A scalar, a mapping of entries, or a list of items.
        place: Where it begins.
        text: A scalar as it is written, without quotes.
        quoted: Whether the scalar stands in quotes.
    """

    value: Scalar | Mapping[str, Entry] | list[Item]
    place: Place
    text: str = ""
    quoted: bool = False

    @property
    def entries(self) -> Mapping[str, Entry] | None:
        """The entries of a mapping; None for anything else."""
        return self.value if isinstance(self.value, Mapping) else None

    @property
    def is_scalar(self) -> bool:
        """True for a single value."""
        return not isinstance(self.value, Mapping | list)

    @property
    def is_empty(self) -> bool:
        """True for null and for empty text, which the vendor's templates write for "not given"."""
        return self.value is None or (isinstance(self.value, str) and self.text.strip() in ("", "None"))

    def parts(self, separator: str) -> Iterator[Item]:
        """The elements of a list that is written as text, each with its own place."""
        offset = 1 if self.quoted else 0
        for part in self.text.split(separator):
            shift = offset + len(part) - len(part.lstrip())
            yield Item(part.strip(), self.place.shifted(shift), part.strip())
            offset += len(part) + len(separator)

    def plain(self) -> Any:
        """The value as plain dicts, lists and scalars."""
        if isinstance(self.value, Mapping):
            return {key: entry.item.plain() for key, entry in self.value.items()}
        return [one.plain() for one in self.value] if isinstance(self.value, list) else self.value


@dataclass(frozen=True)
class Entry:
    """A key of a mapping, where the key stands, and its value."""

    key: str
    place: Place
    item: Item


def read_yaml(text: str, path: str, findings: Findings) -> Item:
    """The tree of a YAML text.

    Args:
        text: The file's content.
        path: What errors call the file.
        findings: Takes duplicate keys.

    Raises:
        ConfigError: The text is not YAML.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.reader import ReaderError

    try:
        node = YAML(typ="rt").compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark is not None else path
        problem = error.problem or ""
        reason = f"{error.context}, {problem}" if problem.startswith("but ") else problem
        raise ConfigError(f"the config is not YAML: {reason}", where=place, help=_hint(text)) from None
    except ReaderError as error:
        before = text[: error.position]
        place = f"{path}:{before.count(NEWLINE) + 1}:{len(before) - before.rfind(NEWLINE)}"
        raise ConfigError(f"the config is not YAML: {error.reason}", where=place) from None
    except RecursionError:
        raise ConfigError(f"nested deeper than {DEEPEST} levels", where=path) from None
    except (YAMLError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"the config is not YAML: {reason}", where=path) from None
    if node is None:
        return Item(None, Place(1, 1, path))
    return _Reader(path, findings).item(node, 0)


def _hint(text: str) -> str | None:
    return "indent with spaces, YAML forbids tabs" if "\t" in text else None


class _Reader:
    def __init__(self, path: str, findings: Findings) -> None:
        self.path = path
        self.findings = findings
        self.known: dict[int, Item] = {}

    def place(self, node: Any) -> Place:
        return Place(node.start_mark.line + 1, node.start_mark.column + 1, self.path)

    def item(self, node: Any, depth: int) -> Item:
        if depth > DEEPEST:
            raise ConfigError(f"nested deeper than {DEEPEST} levels", where=str(self.place(node)))
        if id(node) not in self.known:
            self.known[id(node)] = self.read(node, depth)
        return self.known[id(node)]

    def read(self, node: Any, depth: int) -> Item:
        from ruamel.yaml.nodes import MappingNode, SequenceNode

        if isinstance(node, MappingNode):
            return Item(self.entries(node, depth), self.place(node))
        if isinstance(node, SequenceNode):
            return Item([self.item(one, depth + 1) for one in node.value], self.place(node))
        text = str(node.value)
        return Item(_scalar(str(node.tag), text), self.place(node), text, node.style in ("'", '"'))

    def entries(self, node: Any, depth: int) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for key, value in node.value:
            if not isinstance(key.value, str):
                self.findings.wrong(self.place(key), "", "a key is a word, not a list or a group")
                continue
            name = key.value
            if name in found:
                first = found[name].place.line
                self.findings.wrong(
                    self.place(key), name, f"the key stands twice, first in line {first}", "keep one of them"
                )
                continue
            found[name] = Entry(name, self.place(key), self.item(value, depth + 1))
        return found


def _scalar(tag: str, text: str) -> Scalar:
    kind = tag.rsplit(":", 1)[-1]
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    try:
        if kind == "int":
            return int(text.replace("_", ""), 0)
        if kind == "float":
            return float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        return text
    return text


_COMMENT = re.compile(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)


def without_comments(text: str) -> str:
    """JSON text with `//` and `/* */` comments blanked out; everything else keeps its place."""

    def blank(match: re.Match[str]) -> str:
        found = match.group()
        return found if found.startswith('"') else re.sub(r"[^\n]", " ", found)

    return _COMMENT.sub(blank, text)


def read_json(text: str, path: str, findings: Findings) -> Item:
    """The tree of a JSON text that may hold comments.

    Raises:
        ConfigError: The text is not JSON.
    """
    bare = without_comments(text).replace("\t", " ")
    try:
        json.loads(bare)
    except json.JSONDecodeError as error:
        place = f"{path}:{error.lineno}:{error.colno}"
        raise ConfigError(f"the file is not JSON: {error.msg}", where=place) from None
    return read_yaml(bare, path, findings)


def read_text(path: Path) -> str:
    """A config file's text.

    Raises:
        ConfigError: The file is missing or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"the config cannot be read: {error.strerror}", where=str(path)) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"the config is not YAML: {error.reason} in UTF-8", where=str(path)) from None
