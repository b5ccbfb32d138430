"""Instruments that look on while passes run: printing the IR, and the rewrites one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from y10c.ir.graph import Graph
from y10c.ir.printer import print_graph
from y10c.pipeline.manager import Instrument, PassRun
from y10c.rewrite.journal import Application, Journal
from y10c.rewrite.passes import Pass, PassContext, RulePass


@dataclass
class PrintIR(Instrument):
    """Prints the IR after passes.

    Args:
        write: Takes the text.
        changed_only: Be silent, but for one line, where a pass changed nothing.
    """

    write: Callable[[str], object]
    changed_only: bool = False
    _last: str = field(default="", repr=False)

    def before(self, each: Pass, graph: Graph) -> None:
        """Remember the text where changes are asked for."""
        if self.changed_only and not self._last:
            self._last = print_graph(graph)

    def after(self, each: Pass, graph: Graph, run: PassRun) -> None:
        """Print."""
        text = print_graph(graph)
        if self.changed_only and text == self._last:
            self.write(f"# after {run.name}: no change")
        else:
            self.write(f"# after {run.name}\n{text.rstrip()}")
        self._last = text


@dataclass
class Recorder(Instrument):
    """Counts what `--rewrite-limit` counts: rewrites of rules, and each run of a pass without rules as one.

    Args:
        context: Its listeners get the journal.
    """

    context: PassContext
    journal: Journal = field(default_factory=Journal)
    steps: list[tuple[int, str, Application]] = field(default_factory=list)
    """Of every application the index of its pass, the pass as text, and what it did."""
    running: tuple[int, str] = (-1, "")
    finished: bool = True

    def __post_init__(self) -> None:
        self.context.listeners.append(self.journal)

    def before(self, each: Pass, graph: Graph) -> None:
        """A pass begins."""
        self.running = (self.running[0] + 1, str(each))
        self.finished = False

    def after(self, each: Pass, graph: Graph, run: PassRun) -> None:
        """Number what the pass did."""
        if len(self.journal.applications) == len(self.steps) and not isinstance(each, RulePass):
            self.journal.close(each.name)
        self.collect()
        self.finished = True

    def collect(self) -> None:
        """Assign the applications since the last pass to the running one."""
        for one in self.journal.applications[len(self.steps) :]:
            self.steps.append((*self.running, one))

    def all_steps(self) -> list[tuple[int, str, Application]]:
        """Every application, that at which the run broke off included."""
        self.collect()
        if not self.finished:
            index, name = self.running
            broken = self.journal.broken or Application(len(self.steps) + 1, name, "", (), ())
            return [*self.steps, (index, name, broken)]
        return self.steps
