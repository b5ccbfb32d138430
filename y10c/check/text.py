"""A check as lines of text and as plain data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from y10c.check.report import CheckReport

LOG_NAME = "y10c_check.log"


def as_data(report: CheckReport) -> dict[str, Any]:
    """The report as the JSON object of `y10c check --json`."""
    return {
        "target": report.target,
        "march": report.march,
        "nodes": [asdict(verdict) for verdict in report.verdicts],
        "summary": {
            "nodes": len(report.verdicts),
            "macs_bpu": report.macs_bpu,
            "cpu": len(report.refused),
            "cpu_mid_graph": len(report.middle),
            "cpu_segments": report.segments,
            "crossings": report.crossings,
            "problems": [asdict(problem) for problem in report.problems],
        },
    }


def headline(report: CheckReport) -> str:
    """The summary in one line."""
    return (
        f"{len(report.verdicts)} nodes, {report.macs_bpu:.1%} of the MACs on the BPU, "
        f"{len(report.refused)} on the CPU "
        f"({len(report.middle)} in mid-graph, {report.segments} visits), {report.crossings} crossings"
    )


def check_log(report: CheckReport, title: str) -> str:
    """The whole report, as `y10c_check.log` holds it."""
    return "\n".join(_log_lines(report, title)) + "\n"


def _log_lines(report: CheckReport, title: str) -> Iterator[str]:
    yield f"{title}: {report.target} {report.march}"
    yield headline(report)
    yield ""
    rows = [(v.node, v.op, v.unit, v.rule, v.reason, v.remedy) for v in report.verdicts]
    yield from _columns([("Node", "Op", "Unit", "Rule", "Reason", "Remedy"), *rows])
    for number, problem in enumerate(report.problems, 1):
        yield ""
        found = f"{len(problem.nodes)} nodes, {problem.mid_graph} in mid-graph"
        yield f"problem {number}: {problem.rule}, {found}"
        yield f"  {problem.reason}"
        yield f"  source: {problem.source}"
        yield f"  remedy: {problem.remedy}"
        yield f"  nodes: {', '.join(problem.nodes)}"


def _columns(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        yield "  ".join(cells).rstrip()
