"""`y10c bisect`: the pass and the numbered rewrite that broke something."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from y10c.cli.opt import Calibration, Inputs, March, Model, Passes, Shape, TargetName
from y10c.cli.terminal import terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from y10c.pipeline.bisect import Contexts, Culprit
    from y10c.pipeline.checks import Oracle
    from y10c.rewrite.passes import Pass

MOST_OPS = 6
"""So many ops of a rewrite are named to a person; `--json` has them all."""

CheckText = Annotated[
    str,
    typer.Option(
        "--check",
        help="crash, verify (an invalid graph), differs[=1e-4] (outputs move by that share of their largest "
        "number), or sqnr=40 (dB).",
    ),
]


def bisect(
    model: Model = None,
    passes: Passes = "canonicalize",
    check: CheckText = "differs",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write a reproducer that stops at the rewrite.")
    ] = None,
    shape: Shape = None,
    inputs: Inputs = None,
    target: TargetName = None,
    march: March = None,
    calibration: Calibration = None,
) -> None:
    """Name the pass and the rewrite that broke a check, in at most log2(rewrites) + 3 runs.

    The number is that of `y10c opt --rewrite-limit`: one less is still good.
    """
    from y10c.pipeline.bisect import bisect as search
    from y10c.progress import counter

    oracle, pipeline, contexts = prepared(model, passes, check, shape, inputs, target, march, calibration)
    with counter("bisecting") as advance:
        found = search(oracle, pipeline, contexts, advance)
    if output is not None:
        from y10c.pipeline.repro import reproducer, save_reproducer

        limit = found.application.number
        saved = reproducer(oracle, passes, found.verdict, limit, (target or "", march or ""))
        save_reproducer(saved, output)
    result = {
        **asdict(found),
        "check": str(oracle.check),
        "output": str(output) if output is not None else None,
    }
    terminal().result(result, lambda: drawn(found))


def prepared(
    model: Path | None,
    passes: str,
    check: str,
    shape: list[str] | None,
    inputs: Path | None,
    target: str | None,
    march: str | None,
    calibration: Path | None,
) -> tuple[Oracle, tuple[Pass, ...], Contexts]:
    """What bisect and reduce work on: the check with its graph, the passes, and a maker of contexts."""
    from y10c.cli.opt import contexts_of, required, sample_of, shapes
    from y10c.pipeline.checks import Oracle, parse_check
    from y10c.pipeline.optimize import read_feeds, read_graph
    from y10c.pipeline.textual import parse_pipeline

    found, pipeline = parse_check(check), parse_pipeline(passes)
    graph = read_graph(required(model), shapes(shape))
    contexts = contexts_of(graph, target, march, calibration)
    feeds = read_feeds(inputs) if inputs is not None else sample_of(contexts(graph))
    return Oracle(found, graph, feeds), pipeline, contexts


def drawn(found: Culprit) -> str:
    """The culprit for a person."""
    one = found.application
    what = f"rewrite {one.number} of {found.applications}: {one.rule}"
    return "\n".join(
        [
            what + (f' at "{one.root}"' if one.root else ""),
            f"  in pass {found.pass_index + 1}, {found.pass_name}",
            *([f"  took away {shortened(one.erased)}"] if one.erased else []),
            *([f"  put there {shortened(one.inserted)}"] if one.inserted else []),
            f"  {found.verdict.why}",
            f"  found in {found.runs} runs; --rewrite-limit {one.number - 1} is still good",
        ]
    )


def shortened(labels: Sequence[str]) -> str:
    """The first of some ops, and how many more there are."""
    more = len(labels) - MOST_OPS
    return ", ".join(labels[:MOST_OPS]) + (f" and {more} more" if more > 0 else "")
