"""Which rewrite broke it: a binary search over the numbered rewrites of a pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, log2

from y10c.errors import VisibleFailure
from y10c.ir.graph import Graph
from y10c.pipeline.checks import Oracle, Verdict
from y10c.pipeline.instruments import Recorder
from y10c.pipeline.manager import run_passes
from y10c.rewrite.journal import Application
from y10c.rewrite.passes import Pass, PassContext

Contexts = Callable[[Graph], PassContext]
"""Makes a fresh context for a run on a graph."""


def empty_context(graph: Graph) -> PassContext:
    """For passes that need no tables."""
    return PassContext()


@dataclass(frozen=True)
class Culprit:
    """The first rewrite after which the check fails.

    Args:
        application: The rewrite, or the pass where it has no rules; its number is that of `--rewrite-limit`.
        pass_name: The pass with its options.
        pass_index: Its place in the pipeline, from 0.
        applications: How many rewrites the whole pipeline does, or did before it broke off.
        runs: How often the pipeline ran.
        verdict: What the check says with the rewrite.
    """

    application: Application
    pass_name: str
    pass_index: int
    applications: int
    runs: int
    verdict: Verdict


class NothingBroken(VisibleFailure):
    """There is nothing to search for: the check holds with all rewrites, or fails without any."""


def bisect(
    oracle: Oracle,
    passes: Sequence[Pass],
    contexts: Contexts = empty_context,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Culprit:
    """Search for the rewrite that broke a check, in at most log2(rewrites) + 3 runs of the pipeline.

    Args:
        oracle: The check and the graph, which is not changed.
        passes: The pipeline; equal runs must do equal rewrites.
        contexts: Makes the context of each run.
        progress: Hears of runs done and runs expected.

    Raises:
        NothingBroken: The check does not change from good to broken.
    """
    search = _Search(oracle, passes, contexts, progress)
    whole = search.run(None)
    steps = search.steps
    if not whole.broken:
        raise NothingBroken(f"nothing is broken after {len(steps)} rewrites: {whole.why}")
    search.expected = 2 + ceil(log2(max(1, len(steps))))
    untouched = search.run(0)
    if untouched.broken or not steps:
        raise NothingBroken(f"it is broken before any rewrite: {untouched.why}")
    good, bad, verdict = 0, len(steps), whole
    while bad - good > 1:
        middle = (good + bad) // 2
        found = search.run(middle)
        if found.broken:
            bad, verdict = middle, found
        else:
            good = middle
    index, name, application = steps[bad - 1]
    return Culprit(application, name, index, len(steps), search.runs, verdict)


@dataclass
class _Search:
    oracle: Oracle
    passes: Sequence[Pass]
    contexts: Contexts
    progress: Callable[[int, int], object]
    runs: int = 0
    expected: int = 2

    def __post_init__(self) -> None:
        self.steps: list[tuple[int, str, Application]] = []

    def run(self, limit: int | None) -> Verdict:
        """Judge the pipeline stopped after `limit` rewrites; a run without limit also lists them."""
        context = self.contexts(self.oracle.graph)
        context.limit = limit
        recorder = Recorder(context)

        def change(graph: Graph) -> None:
            run_passes(graph, self.passes, context, instruments=[recorder])

        verdict = self.oracle.judge(change)
        self.runs += 1
        self.progress(self.runs, self.expected)
        if limit is None:
            self.steps = recorder.all_steps()
        return verdict
