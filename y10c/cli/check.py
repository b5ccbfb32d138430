"""`y10c check`: what runs where and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from y10c.cli.compile import parse_shape
from y10c.cli.terminal import table, terminal

if TYPE_CHECKING:
    from rich.console import RenderableType

    from y10c.check.report import CheckReport

SHOWN_NODES = 5
"""Names of nodes that the summary shows for each problem; the table and `--json` have them all."""


def check(
    model: Annotated[str, typer.Argument(help="ONNX file, or a zoo model: yolov10n … yolov10x.")],
    target: Annotated[str, typer.Option("--target", "-t", help="j6 or x5.")] = "j6",
    march: Annotated[
        str | None, typer.Option(help="Chip of the target's family, such as nash-e or s100.")
    ] = None,
    head: Annotated[str | None, typer.Option(help="raw, e2e or keep; j6 takes raw.")] = None,
    as_is: Annotated[
        bool, typer.Option("--as-is", help="Judge the file unchanged, not what compile makes of it.")
    ] = False,
    allow_cpu: Annotated[
        bool, typer.Option("--allow-cpu", help="CPU nodes in mid-graph are no failure.")
    ] = False,
    shape: Annotated[
        list[str] | None, typer.Option(help="Extents of an input with open shape: images=1x3x640x640.")
    ] = None,
    log: Annotated[Path, typer.Option(help="Where the whole table goes.")] = Path("y10c_check.log"),
) -> None:
    """Show where each node runs, the rule behind it, and what to do about nodes on the CPU.

    Judges the graph that `y10c compile` would run. Exit code 1 says that something lands on the CPU in
    mid-graph, which `--allow-cpu` accepts, or that nothing can run a node.
    """
    from y10c.atomic import write_text
    from y10c.check.text import as_data, check_log
    from y10c.pipeline.legality import check_model
    from y10c.pipeline.target import create_target
    from y10c.zoo.named import file_or_named

    report = check_model(
        file_or_named(model),
        create_target(target, march),
        head=head,
        as_is=as_is,
        shapes=dict(map(parse_shape, shape or [])),
    )
    write_text(log, check_log(report, model))
    terminal().result({**as_data(report), "log": log}, lambda: _drawn(report))
    if report.homeless or (report.middle and not allow_cpu):
        raise typer.Exit(1)


def _drawn(report: CheckReport) -> RenderableType:
    from rich.console import Group

    from y10c.check.text import headline

    rows = [(v.node, v.op, v.unit, v.rule, v.reason, v.remedy) for v in report.verdicts]
    problems = [
        (p.rule, len(p.nodes), p.mid_graph, p.reason, p.remedy, p.source, _some(p.nodes))
        for p in report.problems
    ]
    parts: list[RenderableType] = [
        table(("node", "op", "unit", "rule", "reason", "remedy"), rows, title=report.march)
    ]
    if problems:
        columns = ("problem", "nodes", "in mid-graph", "reason", "remedy", "source", "which")
        parts.append(table(columns, problems))
    return Group(*parts, headline(report))


def _some(nodes: tuple[str, ...]) -> str:
    more = f" and {len(nodes) - SHOWN_NODES} more" if len(nodes) > SHOWN_NODES else ""
    return ", ".join(nodes[:SHOWN_NODES]) + more
