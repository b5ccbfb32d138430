"""`@rule`: a pattern and a function that builds the replacement, in one object that can be tested as such."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from y10c.ir.types import NotKnown
from y10c.ir.value import Op, Value
from y10c.rewrite.match import Attempt, Match, match_op
from y10c.rewrite.pattern import AnyOf, AnyOp, OpPattern, Pattern
from y10c.rewrite.rewriter import Rewriter

Replacement = Value | Sequence[Value | None] | None
Build = Callable[[Rewriter, Any], "Replacement | Declined"]


@dataclass(frozen=True)
class Declined:
    """A match that the rule's own code turns down, with the reason."""

    reason: str


def decline(reason: str) -> Declined:
    """What the code of a rule returns to turn a match down, with the reason."""
    return Declined(reason)


@dataclass(frozen=True)
class Rule:
    """A rewrite rule.

    Args:
        name: Its name in lists, options and provenance.
        pattern: What it looks for.
        build: Builds the replacement of the root's results, or declines.
        where: Conditions on the match; the docstring of one that fails is the reason shown.
        doc: What it does, one sentence.
        source: File and line of its code.
        dearer: It takes another form at a price in multiplications, as legalization does.
    """

    name: str
    pattern: Pattern
    build: Build
    where: tuple[Callable[[Any], bool], ...] = ()
    doc: str = ""
    source: str = ""
    dearer: bool = False

    @property
    def roots(self) -> tuple[str, ...] | None:
        """Names of the ops that can be its root; None means every op."""
        if isinstance(self.pattern, AnyOp):
            return None
        tops = self.pattern.alternatives if isinstance(self.pattern, AnyOf) else (self.pattern,)
        return tuple(n for top in tops if isinstance(top, OpPattern) for n in top.names)

    def match(self, op: Op, attempt: Attempt | None = None) -> Match | None:
        """The match at `op`, its conditions checked, or None."""
        found = match_op(self.pattern, op, attempt)
        if found is None:
            return None
        for condition in self.where:
            problem = _problem(condition, found)
            if problem is not None:
                if attempt is not None:
                    attempt.steps += 1
                    attempt.fail(problem, op)
                return None
        return found

    def apply(self, rewriter: Rewriter, op: Op, attempt: Attempt | None = None) -> bool:
        """Rewrite at `op` where the rule matches there; everything or nothing happens.

        Returns:
            Whether the graph changed.
        """
        found = self.match(op, attempt)
        if found is None:
            return False
        try:
            with rewriter.transaction(), rewriter.before(op):
                self._replace(rewriter, op, self.build(rewriter, found))
        except (_TurnedDown, NotKnown) as turned:
            if attempt is not None:
                attempt.steps += 1
                attempt.fail(str(turned), op)
            return False
        return True

    def _replace(self, rewriter: Rewriter, op: Op, built: Replacement | Declined) -> None:
        if built is None or isinstance(built, Declined):
            raise _TurnedDown(built.reason if built is not None else "the rule's code declined")
        new = [built] if isinstance(built, Value) else list(built)
        left = op.results[len(new) :]
        if any(result.uses for result in left):
            raise _TurnedDown(f"result {len(new)} is read too")
        new += [None] * len(left)
        _locate(new, op)
        rewriter.replace(op, new)


def _problem(condition: Callable[[Any], bool], found: Match) -> str | None:
    """Why a condition does not hold, or None."""
    try:
        return None if condition(found) else reason_of(condition)
    except NotKnown as unknown:
        return str(unknown)


class _TurnedDown(Exception):  # control flow, not an error
    """Carries a reason out of a transaction, so that what was built until then is rolled back."""


def _locate(values: Sequence[Value | None], op: Op) -> None:
    for value in values:
        producer = value.producer if value is not None else None
        if producer is not None and not producer.location:
            producer.location = op.location


def reason_of(condition: Callable[[Any], bool]) -> str:
    """The sentence that a failed condition shows: its docstring, else its name in words."""
    return (inspect.getdoc(condition) or condition.__name__.replace("_", " ")).strip()


def rule(
    match: Pattern,
    *,
    where: Callable[[Any], bool] | Sequence[Callable[[Any], bool]] = (),
    name: str = "",
    dearer: bool = False,
) -> Callable[[Build], Rule]:
    """Make a rule of a function `build(rw, m)` that gives the replacement of the root's results.

    The function reads the match `m`, makes ops with `rw.op.Name(...)` and constants with `rw.const(...)`,
    and returns one value a result of the root (further ones may then not be read), or `decline(reason)`.
    Where it asks for a type or an extent that is not known (`NotKnown`), the rule does not fire.
    """
    conditions = (where,) if callable(where) else tuple(where)

    def make(build: Build) -> Rule:
        code = build.__code__
        return Rule(
            name=name or build.__name__.replace("_", "-"),
            pattern=match,
            build=build,
            where=conditions,
            doc=(inspect.getdoc(build) or "").strip(),
            source=f"{Path(code.co_filename).name}:{code.co_firstlineno}",
            dearer=dearer,
        )

    return make
