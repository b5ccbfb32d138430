"""Every rule that is registered: those of rule passes, and those of the group `y10c.rules`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from y10c import plugins
from y10c.errors import UnknownNameError
from y10c.rewrite.passes import RulePass, rules_of
from y10c.rewrite.rule import Rule


class Registered(NamedTuple):
    """A rule, the pass that it belongs to (empty for none), and the distribution that brought it."""

    rule: Rule
    pass_name: str
    distribution: str


def registered_rules() -> tuple[Registered, ...]:
    """Every registered rule once, by the name of the rule."""
    found: dict[str, Registered] = {}
    for one in (*_of_passes(), *_of_rules()):
        found.setdefault(one.rule.name, one)
    return tuple(found[name] for name in sorted(found))


def registered_rule(name: str) -> Registered:
    """The registered rule of a name.

    Raises:
        UnknownNameError: There is none.
    """
    known = {one.rule.name: one for one in registered_rules()}
    if name not in known:
        raise UnknownNameError("rule", name, list(known))
    return known[name]


def _of_passes() -> Iterator[Registered]:
    for name, loaded in plugins.load_all("y10c.passes").items():
        kind = loaded if isinstance(loaded, type) else type(loaded)
        if issubclass(kind, RulePass):
            for _, rule in rules_of([kind]):
                yield Registered(rule, kind.name, plugins.entries("y10c.passes")[name].distribution)


def _of_rules() -> Iterator[Registered]:
    for name, loaded in plugins.load_all("y10c.rules").items():
        rules = [loaded] if isinstance(loaded, Rule) else loaded if isinstance(loaded, Iterable) else []
        for rule in rules:
            if isinstance(rule, Rule):
                yield Registered(rule, "", plugins.entries("y10c.rules")[name].distribution)
