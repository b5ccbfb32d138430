"""Runs passes in order, checks that the order makes sense, and verifies the graph after each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

from y10c.errors import PipelineError, VerifyError
from y10c.ir.collector import collector_paused
from y10c.ir.graph import Graph
from y10c.ir.value import Op
from y10c.ir.verify import verify
from y10c.rewrite.passes import Pass, PassContext, RulePass
from y10c.rewrite.rewriter import Listener


@dataclass(frozen=True)
class PassRun:
    """What a pass did.

    Args:
        name: The pass with its options.
        seconds: Wall time, verification not counted.
        ops: Number of ops afterwards.
        rules: How often each of its rules fired.
        verify_seconds: Wall time of the verification afterwards.
    """

    name: str
    seconds: float
    ops: int
    rules: Mapping[str, int]
    verify_seconds: float = 0.0


class Instrument:
    """Looks on while passes run; subclasses override what they care about."""

    def before(self, each: Pass, graph: Graph) -> None:
        """The pass is about to run."""

    def after(self, each: Pass, graph: Graph, run: PassRun) -> None:
        """The pass has run, and the graph is verified where that is asked for.

        Raises:
            Y10cError: The instrument found something that must stop the pipeline.
        """


def check_order(passes: Iterable[Pass], facts: Iterable[str] = ()) -> None:
    """Whether every pass finds what it requires.

    Raises:
        PipelineError: A pass stands before the one that establishes what it needs.
    """
    known = set(facts)
    for each in passes:
        missing = sorted(each.requires - known)
        if missing:
            raise PipelineError(
                f"pass {each.name} needs {', '.join(missing)}, which no pass before it establishes",
                help="move it behind a pass that does, or add one",
            )
        known |= each.establishes


def run_passes(
    graph: Graph,
    passes: Iterable[Pass],
    context: PassContext,
    *,
    instruments: Sequence[Instrument] = (),
    verify_each: bool = True,
) -> list[PassRun]:
    """Run passes on a graph in place.

    Args:
        graph: Changed in place.
        passes: In order.
        context: What the passes share. Its `limit` counts rewrites of rules, and each run of a pass
            without rules as one; where it is used up, the pipeline ends.
        instruments: Hear of every pass.
        verify_each: Verify the graph after every pass.

    Raises:
        PipelineError: A pass's requirement does not hold.
        VerifyError: A pass left an invalid graph; the error names it.
    """
    runs: list[PassRun] = []
    for each in passes:
        if context.limit is not None and context.limit <= 0:
            break
        check_order([each], context.facts)
        for one in instruments:
            one.before(each, graph)
        with collector_paused():
            runs.append(_run(graph, each, context, verify_each=verify_each))
        for one in instruments:
            one.after(each, graph, runs[-1])
    return runs


def _run(graph: Graph, each: Pass, context: PassContext, *, verify_each: bool) -> PassRun:
    before, limit = Counter(context.applied), context.limit
    touched = _Touched()
    context.listeners.append(touched)
    started = perf_counter()
    try:
        each.run(graph, context)
    finally:
        context.listeners.remove(touched)
    ended = perf_counter()
    if limit is not None and context.limit == limit and not isinstance(each, RulePass):
        context.limit = limit - 1
    context.facts |= each.establishes
    if verify_each and (touched.anything or type(each).run is not RulePass.run):
        _verify(graph, each)
    return PassRun(str(each), ended - started, len(graph), context.applied - before, perf_counter() - ended)


class _Touched(Listener):
    """Whether anything changed: rules have no other way to a graph than the rewriter that tells this."""

    def __init__(self) -> None:
        self.anything = False

    def inserted(self, op: Op) -> None:
        self.anything = True

    def erased(self, op: Op) -> None:
        self.anything = True

    def modified(self, op: Op) -> None:
        self.anything = True


def _verify(graph: Graph, after: Pass) -> None:
    try:
        verify(graph)
    except VerifyError as error:
        raise VerifyError(error.problems, where=f"after pass {after.name}") from error
