"""Which rules are worth trying at an op, and which ops a change elsewhere can have made match.

Both are answered from the patterns alone, before any matching: a rule is not tried where an op that its
pattern needs right behind the root is missing, and a change wakes the readers that can be the root of a
pattern with a place for the changed op.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from y10c.ir.value import Op
from y10c.rewrite.explain import levels
from y10c.rewrite.pattern import AnyOf, AnyOp, Literal, OpPattern, Pattern, Var
from y10c.rewrite.rule import Rule

NEAR: frozenset[str] = frozenset({"<any op with rules>"})
"""Stands for every op that some rule is for."""
NEARBY = 2
"""So far behind a change every op is tried again: the code of rules also looks beyond its pattern."""


class Need(NamedTuple):
    """What an op must have to match one alternative of a pattern at its root.

    Args:
        makers: Of every operand that an op must make, the names that this op may have.
        constants: So many operands are constants at least.
    """

    makers: tuple[frozenset[str], ...]
    constants: int


class Dispatch:
    """The rules of a run by the op that they start at.

    Args:
        rules: In the order in which they are tried.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._all = rules
        self._rules: dict[str, tuple[tuple[Rule, tuple[Need, ...]], ...]] = {}
        self._behind: dict[str, list[frozenset[str]]] = {}

    def rules(self, name: str) -> tuple[tuple[Rule, tuple[Need, ...]], ...]:
        """The rules that can start at an op of a name, with the needs of their alternatives."""
        found = self._rules.get(name)
        if found is None:
            found = tuple((r, tuple(needs(r.pattern, name))) for r in self._all if starts_at(r, name))
            self._rules[name] = found
        return found

    def plausible(self, op: Op) -> Iterator[Rule]:
        """The rules worth trying at an op."""
        candidates = self.rules(op.name)
        if not candidates:
            return
        makers = {v.producer.name for v in op.operands if v is not None and v.producer is not None}
        constants = sum(v is not None and v.tensor is not None for v in op.operands)
        for rule, alternatives in candidates:
            if any(
                need.constants <= constants and not any(names.isdisjoint(makers) for names in need.makers)
                for need in alternatives
            ):
                yield rule

    def behind(self, name: str) -> list[frozenset[str]]:
        """Names of the roots to try again after an op of a name changed: itself, its readers, theirs, ..."""
        found = self._behind.get(name)
        if found is None:
            found = self._behind[name] = list(self._roots_behind(name))
        return found

    def _roots_behind(self, name: str) -> Iterator[frozenset[str]]:
        places = [(rule.roots or (), levels(rule.pattern)) for rule in self._all]
        deepest = max((len(names) for _, names in places), default=0)
        yield from [NEAR] * NEARBY
        wanted = [
            frozenset(n for roots, names in places if len(names) > d and name in names[d] for n in roots)
            for d in range(NEARBY, deepest)
        ]
        while wanted and not wanted[-1]:
            wanted.pop()
        yield from wanted


def starts_at(rule: Rule, name: str) -> bool:
    """True where an op of a name can be the root of the rule."""
    if isinstance(rule.pattern, AnyOp):
        return rule.pattern.accepts(name)
    return rule.roots is not None and name in rule.roots


def needs(pattern: Pattern, name: str) -> Iterator[Need]:
    """The needs of every alternative of a pattern that starts at an op of a name."""
    if isinstance(pattern, AnyOf):
        for alternative in pattern.alternatives:
            yield from needs(alternative, name)
    elif not isinstance(pattern, OpPattern):
        yield Need((), 0)
    elif name in pattern.names:
        makers = tuple(names for part in pattern.operands if (names := _makers(part)))
        yield Need(makers, sum(map(_is_constant, pattern.operands)))


def _makers(pattern: Pattern) -> frozenset[str]:
    """The names that the maker of an operand must have; empty where anything goes."""
    if isinstance(pattern, OpPattern):
        return frozenset(pattern.names)
    if isinstance(pattern, AnyOf) and all(map(_makers, pattern.alternatives)):
        return frozenset().union(*map(_makers, pattern.alternatives))
    return frozenset()


def _is_constant(pattern: Pattern) -> bool:
    if isinstance(pattern, Var):
        return (pattern.constant or pattern.single) and not pattern.is_optional
    return isinstance(pattern, Literal)
