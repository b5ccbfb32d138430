"""The driver: rules run over a worklist until none fires; rules that undo each other are named."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from y10c.errors import RewriteCycleError
from y10c.ir.graph import Graph
from y10c.ir.value import Op, Value
from y10c.rewrite.dispatch import NEAR, Dispatch
from y10c.rewrite.journal import label
from y10c.rewrite.rewriter import Listener, Rewriter, reads
from y10c.rewrite.rule import Rule

APPLICATIONS_PER_OP = 50
"""No sound set of rules rewrites more often than this for every op; beyond it a cycle is searched."""


@dataclass
class RewriteStats:
    """What a run did.

    Args:
        applied: How often each rule fired.
        erased: Ops that became dead and were erased.
    """

    applied: Counter[str] = field(default_factory=Counter)
    erased: int = 0

    @property
    def total(self) -> int:
        """Applications of all rules."""
        return sum(self.applied.values())


def rewrite(
    graph: Graph,
    rules: Sequence[Rule],
    *,
    listeners: Iterable[Listener] = (),
    limit: int | None = None,
) -> RewriteStats:
    """Apply rules until none fires, erasing what becomes dead.

    Args:
        graph: Changed in place, nested graphs included.
        rules: Tried in this order at each op.
        listeners: Hear of every change.
        limit: Stop after this many applications (for bisecting).

    Raises:
        RewriteCycleError: The rules keep undoing each other.
    """
    return _Driver(graph, rules, listeners, limit).run()


class _Driver(Listener):
    def __init__(
        self, graph: Graph, rules: Sequence[Rule], listeners: Iterable[Listener], limit: int | None
    ) -> None:
        self.rewriter = Rewriter(graph, [*listeners, self])
        self.stats = RewriteStats()
        self.limit = limit
        self.recent: deque[str] = deque(maxlen=1000)
        self.dispatch = Dispatch(rules)
        ops = list(graph.walk())
        self.queue: deque[Op] = deque(op for op in ops if self.dispatch.rules(op.name) or is_dead(op))
        self.queued = set(self.queue)
        self.cap = APPLICATIONS_PER_OP * (len(ops) + 20)

    def run(self) -> RewriteStats:
        while self.queue and (self.limit is None or self.stats.total < self.limit):
            op = self.queue.popleft()
            self.queued.discard(op)
            if op.graph is not None and not op.is_terminator:
                self.visit(op)
        return self.stats

    def visit(self, op: Op) -> None:
        if is_dead(op):
            self.stats.erased += self.rewriter.erase_dead([op])
            return
        for rule in self.dispatch.plausible(op):
            self.rewriter.by = rule.name
            if self.applied(rule, op):
                # The root is out of the graph, but what it read can still be seen in it.
                read = [v.producer for v in reads(op) if v.producer is not None]
                self.stats.erased += self.rewriter.erase_dead(read)
                for listener in self.rewriter.listeners:
                    listener.fired(rule, op)
                self.count(rule, op)
                return

    def applied(self, rule: Rule, op: Op) -> bool:
        try:
            return rule.apply(self.rewriter, op)
        except Exception as error:
            error.add_note(f"raised by the rule {rule.name} ({rule.source}) at {label(op)}")
            for listener in self.rewriter.listeners:
                listener.raised(rule, op)
            raise

    def count(self, rule: Rule, op: Op) -> None:
        self.stats.applied[rule.name] += 1
        self.recent.append(rule.name)
        if self.stats.total > self.cap:
            cycle = " -> ".join(_shortest_cycle(list(self.recent)))
            raise RewriteCycleError(
                f"rules undo each other: {cycle}",
                where=f'node "{op.location}"',
                help="give one of them a condition that the other's result does not meet",
            )

    def push(self, op: Op | None) -> None:
        if op is not None and op.graph is not None and op not in self.queued:
            self.queued.add(op)
            self.queue.append(op)

    def wake(self, op: Op) -> None:
        """Queue an op, and the readers behind it whose patterns look as far back as to it."""
        layer = {op: None}
        for roots in self.dispatch.behind(op.name):
            for one in layer:
                if one.name in roots or (roots is NEAR and self.dispatch.rules(one.name)):
                    self.push(one)
            layer = {user: None for one in layer for r in one.results for user in r.users}

    def inserted(self, op: Op) -> None:
        self.push(op)

    def modified(self, op: Op) -> None:
        self.wake(op)

    def replaced(self, old: Value, new: Value) -> None:
        # The readers that moved were modified, and are awake.
        for value in (old, new):
            if value.producer is not None:
                self.wake(value.producer)

    def erased(self, op: Op) -> None:
        # A producer that lost a reader may now have a single one: patterns through it can match.
        for value in reads(op):
            if value.producer is not None:
                self.push(value.producer)
            if len(value._uses) == 1:
                self.wake(value.producer or value.uses[0].op)


def is_dead(op: Op) -> bool:
    """True where nobody reads any result."""
    return not any(r._uses for r in op.results)


def _shortest_cycle(names: list[str]) -> list[str]:
    for length in range(1, len(names) // 2):
        if names[-length:] == names[-2 * length : -length]:
            return [*names[-length:], names[-length]]
    return names[-5:]
