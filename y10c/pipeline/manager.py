"""Runs passes in order, checks that the order makes sense, and verifies the graph after each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from time import perf_counter

from y10c.errors import PipelineError, VerifyError
from y10c.ir.graph import Graph
from y10c.ir.verify import verify
from y10c.rewrite.passes import Pass, PassContext


@dataclass(frozen=True)
class PassRun:
    """What a pass did.

    Args:
        name: The pass with its options.
        seconds: Wall time, verification not counted.
        ops: Number of ops afterwards.
        rules: How often each of its rules fired.
    """

    name: str
    seconds: float
    ops: int
    rules: Mapping[str, int]


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


def run_passes(graph: Graph, passes: Iterable[Pass], context: PassContext) -> list[PassRun]:
    """Run passes on a graph in place.

    Raises:
        PipelineError: A pass's requirement does not hold.
        VerifyError: A pass left an invalid graph; the error names it.
    """
    runs = []
    for each in passes:
        check_order([each], context.facts)
        before = Counter(context.applied)
        started = perf_counter()
        each.run(graph, context)
        seconds = perf_counter() - started
        runs.append(PassRun(str(each), seconds, len(graph), context.applied - before))
        context.facts |= each.establishes
        _verify(graph, each)
    return runs


def _verify(graph: Graph, after: Pass) -> None:
    try:
        verify(graph)
    except VerifyError as error:
        raise VerifyError(error.problems, where=f"after pass {after.name}") from error
