"""Rules, passes, targets and ops by name, ours and those of other distributions, through entry points.

Built-ins stand in pyproject.toml like those of any plugin. Nothing is imported before it is asked for.
A plugin that does not load is a warning that names its distribution; a built-in that does not is a bug.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import NamedTuple

from y10c import distribution
from y10c.diagnostics import warn
from y10c.errors import UnknownNameError, UsageError

GROUPS = {"y10c.rules": "rule", "y10c.passes": "pass", "y10c.targets": "target", "y10c.ops": "op family"}
"""The entry-point groups, and what a person calls one member."""


class Entry(NamedTuple):
    """One registered name: where its object is and which distribution brought it."""

    name: str
    value: str
    distribution: str

    @property
    def builtin(self) -> bool:
        """Whether y10c itself brought it."""
        return self.distribution == distribution.NAME

    def resolve(self) -> object:
        """Import the module and return it, or the attribute named after the colon."""
        module, _, attribute = self.value.partition(":")
        found: object = import_module(module.strip())
        for part in attribute.strip().split(".") if attribute.strip() else []:
            found = getattr(found, part)
        return found


@cache
def entries(group: str) -> dict[str, Entry]:
    """What is registered in a group, by name: built-ins first, then plugins in the order of their names.

    A name that is taken stays with its first owner, with a warning.

    Raises:
        ValueError: No such group.
    """
    if group not in GROUPS:
        raise ValueError(f"no plugin group {group}; known: {', '.join(GROUPS)}")
    found = {
        name: Entry(name, value, distribution.NAME)
        for name, value in distribution.entry_points(group).items()
    }
    for entry in _foreign(group):
        first = found.setdefault(entry.name, entry)
        if first != entry:
            warn(
                "Y5102",
                f"the {GROUPS[group]} {entry.name!r} of the plugin {entry.distribution} is left out: "
                f"{first.distribution} has one of that name",
            )
    return found


def names(group: str) -> tuple[str, ...]:
    """The names registered in a group; raises ValueError for an unknown group."""
    return tuple(entries(group))


def load(group: str, name: str) -> object:
    """The object registered under a name, imported now.

    Raises:
        UnknownNameError: The group has no such name.
        UsageError: The plugin that brought it does not load.
    """
    known = entries(group)
    if name not in known:
        raise UnknownNameError(GROUPS[group], name, list(known))
    entry = known[name]
    try:
        return entry.resolve()
    except Exception as error:
        if entry.builtin:
            raise
        raise UsageError(_complaint(group, entry, error), help=_advice(entry)) from error


def load_all(group: str) -> dict[str, object]:
    """Every object of a group that loads, by name; each plugin that does not is a warning."""
    return dict(_loaded(group))


def _loaded(group: str) -> Iterator[tuple[str, object]]:
    for entry in entries(group).values():
        try:
            yield entry.name, entry.resolve()
        except Exception as error:
            if entry.builtin:
                raise
            warn("Y5101", _complaint(group, entry, error), help=_advice(entry))


def _foreign(group: str) -> list[Entry]:
    from importlib.metadata import entry_points

    found = {
        Entry(point.name, point.value, point.dist.name)
        for point in entry_points(group=group)
        if point.dist is not None and point.dist.name != distribution.NAME
    }
    return sorted(found, key=lambda entry: (entry.distribution, entry.name))


def _complaint(group: str, entry: Entry, error: Exception) -> str:
    return (
        f"the {GROUPS[group]} {entry.name!r} of the plugin {entry.distribution} does not load: "
        f"{type(error).__name__}: {error}"
    )


def _advice(entry: Entry) -> str:
    return f"update or uninstall {entry.distribution}"
