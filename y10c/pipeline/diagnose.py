"""What a failed validation starts by itself: bisect, reduce, and a reproducer in one file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from y10c.ir.graph import Graph
from y10c.ir.tensor import Array
from y10c.pipeline.bisect import Contexts, Culprit, NothingBroken, bisect
from y10c.pipeline.checks import DIFFERS, Check, Oracle
from y10c.pipeline.reduce import reduce
from y10c.pipeline.repro import reproducer, save_reproducer
from y10c.rewrite.passes import Pass


@dataclass(frozen=True)
class Diagnosis:
    """Who broke the outputs, and where that can be seen.

    Args:
        culprit: The rewrite.
        ops: Number of ops of the smallest graph found.
        file: The reproducer.
    """

    culprit: Culprit
    ops: int
    file: Path


def diagnose(
    graph: Graph,
    passes: Sequence[Pass],
    contexts: Contexts,
    feeds: Mapping[str, Array] | None,
    save: Callable[[str], Path] = Path,
) -> Diagnosis | None:
    """Find the rewrite that changes the outputs, reduce the graph, and write a reproducer.

    Args:
        graph: As it was before any pass; it is not changed.
        passes: The pipeline.
        contexts: Makes the context of each run.
        feeds: One array per input; drawn where None.
        save: Gives the path for a file name.

    Returns:
        None where the outputs differ by less than the check `differs` allows.

    Raises:
        OutputError: The reproducer cannot be written.
    """
    oracle = Oracle(Check("differs", DIFFERS), graph, feeds)
    try:
        culprit = bisect(oracle, passes, contexts)
        small = reduce(oracle, passes, contexts)
    except NothingBroken:
        return None
    found = reproducer(Oracle(oracle.check, small.graph), ",".join(map(str, passes)), small.verdict)
    name = hashlib.sha256(f"{found.pipeline}{small.graph}".encode()).hexdigest()[:8]
    file = save_reproducer(found, save(f"y10c-repro-{name}.json"))
    return Diagnosis(culprit, len(small.graph), file)
