"""Looser forms of a pattern: each asks for one thing less."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from y10c.rewrite.pattern import AnyOf, OpPattern, Pattern, Var


def relaxed(pattern: Pattern) -> Iterator[Pattern]:
    """The pattern without one demand: a single use, an attribute's value, a type, a rank, one element."""
    yield from _looser(pattern)
    field = {OpPattern: "operands", AnyOf: "alternatives"}.get(type(pattern), "")
    parts: tuple[Pattern, ...] = getattr(pattern, field) if field else ()
    for index, part in enumerate(parts):
        for looser in relaxed(part):
            yield replace(pattern, **{field: (*parts[:index], looser, *parts[index + 1 :])})


def _looser(pattern: Pattern) -> Iterator[Pattern]:
    if isinstance(pattern, OpPattern):
        if pattern.single_use:
            yield replace(pattern, single_use=False)
        for index in range(len(pattern.attrs)):
            yield replace(pattern, attrs=pattern.attrs[:index] + pattern.attrs[index + 1 :])
    if isinstance(pattern, Var):
        if pattern.dtypes:
            yield replace(pattern, dtypes=frozenset())
        if pattern.ranks:
            yield replace(pattern, ranks=frozenset())
        if pattern.single:
            yield replace(pattern, single=False)
