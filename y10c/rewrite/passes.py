"""What a pass is: a frozen dataclass whose fields are its options."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from y10c.ir.graph import Graph
from y10c.rewrite.driver import rewrite
from y10c.rewrite.rewriter import Listener
from y10c.rewrite.rule import Rule


@dataclass
class PassContext:
    """What passes share while a pipeline runs.

    Args:
        facts: Invariants that hold now, established by passes (`Calibrated`, `Int8Legal` …).
        tables: Results that passes hand to later ones, by the type of the result.
        applied: How often each rule fired, over all passes.
        listeners: Hear of every change of the graph.
        limit: Rewrites that may still happen; None for no limit (for bisecting).
    """

    facts: set[str] = field(default_factory=set)
    tables: dict[type, Any] = field(default_factory=dict)
    applied: Counter[str] = field(default_factory=Counter)
    listeners: list[Listener] = field(default_factory=list)
    limit: int | None = None


@dataclass(frozen=True)
class Pass:
    """Base of all passes; subclasses are frozen dataclasses, their docstring is what users read."""

    name: ClassVar[str] = ""
    requires: ClassVar[frozenset[str]] = frozenset()
    establishes: ClassVar[frozenset[str]] = frozenset()
    exact: ClassVar[bool] = True
    """The graph computes the same afterwards, up to rounding; False for passes that quantize."""
    keeps_interface: ClassVar[bool] = True
    """Inputs and outputs stay as they are; False for passes that cut or replace outputs."""

    def run(self, graph: Graph, context: PassContext) -> None:
        """Change the graph in place."""
        raise NotImplementedError

    def options(self) -> dict[str, Any]:
        """The options that differ from their defaults."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}

    def __str__(self) -> str:
        options = " ".join(f"{k}={_text(v)}" for k, v in self.options().items())
        return f"{self.name}{{{options}}}" if options else self.name


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_text, value))
    return str(value).lower() if isinstance(value, bool | None) else str(value)


@dataclass(frozen=True)
class RulePass(Pass):
    """A pass that is a set of rules, run to their fixpoint."""

    rules: ClassVar[Sequence[Rule]] = ()

    def run(self, graph: Graph, context: PassContext) -> None:
        """Apply the rules until none fires."""
        apply_rules(graph, self.rules, context)


def apply_rules(graph: Graph, rules: Iterable[Rule], context: PassContext) -> None:
    """Run rules within a pass: counts, listeners and the limit of rewrites are the pipeline's."""
    stats = rewrite(graph, tuple(rules), listeners=context.listeners, limit=context.limit)
    context.applied.update(stats.applied)
    if context.limit is not None:
        context.limit -= stats.total


def rules_of(passes: Iterable[type[Pass]]) -> Iterator[tuple[type[Pass], Rule]]:
    """Every rule of rule passes, with its pass."""
    for kind in passes:
        for rule in getattr(kind, "rules", ()):
            yield kind, rule


def rule_pass(name: str, *rules: Rule, doc: str = "") -> type[RulePass]:
    """A pass that is some rules, run to their fixpoint.

    Args:
        name: Its name in pipelines.
        rules: In the order in which they are tried.
        doc: What it does; by default what its first rule does.

    Raises:
        ValueError: There is no rule.
    """
    if not rules:
        raise ValueError(f"pass {name!r} has no rules")

    @dataclass(frozen=True)
    class Made(RulePass):
        pass

    Made.name, Made.rules, Made.__doc__ = name, rules, doc or rules[0].doc
    Made.__name__ = Made.__qualname__ = name
    Made.__module__ = rules[0].build.__module__
    return Made
