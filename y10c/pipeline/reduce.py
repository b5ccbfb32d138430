"""The smallest graph, found by delta debugging, on which a pipeline still breaks a check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from y10c.errors import Y10cError
from y10c.ir.graph import Graph, ModelInfo
from y10c.pipeline.bisect import Contexts, NothingBroken, empty_context
from y10c.pipeline.checks import Check, Oracle, Verdict
from y10c.pipeline.manager import run_passes
from y10c.pipeline.shrink import fewer_ops, fewer_outputs, plainer_numbers, smaller_extents
from y10c.rewrite.passes import Pass

STEPS = (fewer_ops, fewer_outputs, fewer_ops, smaller_extents, plainer_numbers)


@dataclass(frozen=True)
class Reduction:
    """What is left.

    Args:
        graph: The smaller graph, before any pass.
        verdict: What the check says to it.
        ops_before: Number of ops of the original.
        runs: How often the pipeline ran.
    """

    graph: Graph
    verdict: Verdict
    ops_before: int
    runs: int


def reduce(
    oracle: Oracle,
    passes: Sequence[Pass],
    contexts: Contexts = empty_context,
    progress: Callable[[int, int], object] = lambda runs, ops: None,
) -> Reduction:
    """Reduce a graph: structure first, then extents, then numbers.

    Args:
        oracle: The check and the graph, which is not changed. Feeds are drawn anew for every candidate.
        passes: The pipeline.
        contexts: Makes the context of each run.
        progress: Hears of the number of runs and the ops of the smallest graph so far.

    Raises:
        NothingBroken: The check holds on the whole graph.
    """
    trial = _Trial(oracle.check, passes, contexts, progress)
    whole = trial.judge(oracle)
    if not whole.broken:
        raise NothingBroken(f"nothing to reduce: {whole.why}")
    trial.wanted, graph = whole, oracle.graph
    for step in STEPS:
        graph = step(graph, trial.holds)
    graph.info = ModelInfo(opsets=dict(graph.info.opsets), ir_version=graph.info.ir_version)
    verdict = trial.judge(Oracle(oracle.check, graph))
    return Reduction(graph, verdict, len(oracle.graph), trial.runs)


@dataclass
class _Trial:
    check: Check
    passes: Sequence[Pass]
    contexts: Contexts
    progress: Callable[[int, int], object]
    wanted: Verdict | None = None
    runs: int = 0
    smallest: int = 1 << 30

    def judge(self, oracle: Oracle) -> Verdict:
        self.runs += 1
        context = self.contexts(oracle.graph)
        return oracle.judge(lambda graph: run_passes(graph, self.passes, context))

    def holds(self, graph: Graph) -> bool:
        """True where the graph breaks the check in the way in which the whole did."""
        assert self.wanted is not None
        try:
            verdict = self.judge(Oracle(self.check, graph))
        except (Y10cError, ValueError):  # an input whose type or shape is not known cannot be fed
            return False
        same = verdict.broken and verdict.signature == self.wanted.signature
        if same:
            self.smallest = min(self.smallest, len(graph))
        self.progress(self.runs, self.smallest)
        return same
