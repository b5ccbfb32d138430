"""Rules that fire only where the target's operator list refuses an op and names them as its cure.

A rule of this folder is an exact rewrite and holds on any graph; which limits make it necessary stands in the
operator list (`y10c.check.table.OperatorTable`) alone, which a pipeline hands over in `PassContext.tables`.
Without one the rules fire wherever they match: that is how their derived tests run them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from y10c.check.node import name_of
from y10c.check.table import OperatorTable
from y10c.ir.graph import Graph
from y10c.ir.value import Op, Value
from y10c.quant.plan import Tail
from y10c.rewrite import Rewriter, Rule, decline
from y10c.rewrite.passes import PassContext, RulePass, apply_rules
from y10c.rewrite.rewriter import Listener
from y10c.rewrite.rule import Declined


@dataclass(frozen=True)
class LegalizePass(RulePass):
    """Base of the passes that rewrite what the chip refuses; the decode tail is left as it is."""

    def run(self, graph: Graph, context: PassContext) -> None:
        """Apply the rules where the operator list asks for them; everywhere where there is no list."""
        table = context.tables.get(OperatorTable)
        tail = context.tables.get(Tail, ())
        rules = self.rules if table is None else [guarded(rule, table, tail) for rule in self.rules]
        apply_rules(graph, rules, context)


def guarded(rule: Rule, table: OperatorTable, spared: Collection[Op] = ()) -> Rule:
    """A rule that fires where `table` names it as a cure, and keeps only what is then no worse.

    Args:
        rule: An exact rewrite.
        table: The operator list of the march.
        spared: Ops that are not touched.
    """

    def refused(match: Any) -> bool:
        """The chip runs it as it is, or refuses it for a reason that this rule does not cure."""
        return match.root not in spared and rule.name in table.cures(match.root)

    def build(rewriter: Rewriter, match: Any) -> Any:
        with _watched(rewriter) as made:
            built = rule.build(rewriter, match)
        if built is None or isinstance(built, Declined):
            return built
        _name_inner(made, [built] if isinstance(built, Value) else built, name_of(match.root))
        for op in made:
            verdict = table.place(op)
            if not verdict.on_chip and not table.cures(op):
                return decline(f"the chip would refuse the {op.name} that it makes: {verdict.reason}")
        return built

    return replace(rule, where=(*rule.where, refused), build=build)


class _Made(Listener):
    """Collects new ops."""

    def __init__(self) -> None:
        self.ops: list[Op] = []

    def inserted(self, op: Op) -> None:
        self.ops.append(op)


@contextmanager
def _watched(rewriter: Rewriter) -> Iterator[list[Op]]:
    listener = _Made()
    rewriter.listeners.append(listener)
    try:
        yield listener.ops
    finally:
        rewriter.listeners.remove(listener)


def _name_inner(made: Sequence[Op], results: Sequence[Value | None], place: str) -> None:
    """Name new ops after the node that they stand for; those that give its results inherit its own name."""
    last = {value.producer for value in results if value is not None}
    for number, op in enumerate(made, 1):
        if op not in last:
            op.location = op.location or f"{place}/{op.kind}_{number}"
