"""`y10c reduce`: the smallest graph on which a pipeline still breaks something."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from y10c.cli.bisect import CheckText, prepared
from y10c.cli.opt import Calibration, Inputs, March, Model, Passes, Shape, TargetName
from y10c.cli.terminal import terminal

if TYPE_CHECKING:
    from y10c.pipeline.checks import Check
    from y10c.pipeline.reduce import Reduction


def reduce(
    model: Model = None,
    passes: Passes = "canonicalize",
    check: CheckText = "differs",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="OUT.onnx or OUT.y10c for the graph, OUT.json for a reproducer."),
    ] = None,
    shape: Shape = None,
    inputs: Inputs = None,
    target: TargetName = None,
    march: March = None,
    calibration: Calibration = None,
) -> None:
    """Reduce a model while a check stays broken: fewer ops and outputs, smaller extents, plainer numbers."""
    from y10c.pipeline.reduce import reduce as shrink
    from y10c.progress import step

    oracle, pipeline, contexts = prepared(model, passes, check, shape, inputs, target, march, calibration)
    with step("reducing"):
        found = shrink(oracle, pipeline, contexts)
    if output is not None:
        _write(found, output, passes, oracle.check, (target or "", march or ""))
    text = str(found.graph)
    result = {
        "ops": {"before": found.ops_before, "after": len(found.graph)},
        "runs": found.runs,
        "why": found.verdict.why,
        "check": str(oracle.check),
        "ir": text,
        "output": str(output) if output is not None else None,
    }
    summary = f"{found.ops_before} ops became {len(found.graph)} in {found.runs} runs: {found.verdict.why}"
    terminal().result(result, lambda: f"{summary}\n{text}".rstrip())


def _write(found: Reduction, output: Path, passes: str, check: Check, target: tuple[str, str]) -> None:
    from y10c.pipeline.checks import Oracle
    from y10c.pipeline.optimize import write_graph
    from y10c.pipeline.repro import reproducer, save_reproducer

    if output.suffix == ".json":
        oracle = Oracle(check, found.graph)
        save_reproducer(reproducer(oracle, passes, found.verdict, target=target), output)
    else:
        write_graph(found.graph, output)
