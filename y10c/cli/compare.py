"""`y10c compare`: how a model differs from another, node by node."""

from __future__ import annotations

import math
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from y10c import atomic
from y10c.cli.compile import parse_shape
from y10c.cli.terminal import table, terminal

if TYPE_CHECKING:
    from rich.console import RenderableType

    from y10c.comparison.result import Comparison, NodeDifference

SHOWN = 12
"""Nodes in the table; `--json`, `--html` and `-o` have them all."""
COLUMNS = (
    "node",
    "op",
    "type",
    "own SQNR",
    "with all before",
    "cosine",
    "max error",
    "threshold",
    "clipped",
)
PICTURES = 12
"""Images that `--images` draws at most: those whose detections changed most."""


def compare(
    reference: Annotated[Path, typer.Argument(help="The ONNX model that is right.")],
    candidate: Annotated[Path, typer.Argument(help="The ONNX model to judge.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder of images or .npy tensors, or one .npy file.")
    ] = None,
    samples: Annotated[
        int, typer.Option(min=1, help="Compare tensors on so many samples; detections on all.")
    ] = 8,
    images: Annotated[
        bool, typer.Option("--images", help="Draw both models' detections side by side.")
    ] = False,
    fail_under: Annotated[
        list[str] | None,
        typer.Option(
            help="Exit with 1 below a bar: cosine=0.99, sqnr=20, node-cosine, node-sqnr, agreement."
        ),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the comparison as a page.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for page, JSON, node table and pictures.")
    ] = None,
    shape: Annotated[
        list[str] | None, typer.Option(help="Extents of an input with open shape: images=1x3x640x640.")
    ] = None,
) -> None:
    """Compare two models on the same data: nodes by lineage, outputs, detections; exit 1 below a bar."""
    from y10c.comparison.compare import compare as run
    from y10c.comparison.gates import Gate, check
    from y10c.comparison.page import write_html
    from y10c.comparison.written import write_files

    gates = [Gate.parse(text) for text in fail_under or []]
    shapes = dict(map(parse_shape, shape or []))
    files: dict[str, Path] = {}
    with atomic.folder(output) if output is not None else nullcontext() as made:
        found = run(
            reference,
            candidate,
            data=data,
            samples=samples,
            shapes=shapes,
            pictures=PICTURES if images else 0,
        )
        if output is not None and made is not None:
            files = {kind: output / path.name for kind, path in write_files(found, made).items()}
    if html is not None:
        write_html(found, html)
        files["html"] = html
    terminal().result({**found.to_json(), "files": files}, lambda: _drawn(found, list(files.values())))
    check(found, gates)


def _drawn(found: Comparison, files: list[Path]) -> RenderableType:
    from rich.console import Group

    parts: list[RenderableType] = [
        table(
            ["output", "cosine", "SQNR", "max error"],
            [(o.name, _cosine(o.cosine), _decibels(o.sqnr_db), _number(o.max_error)) for o in found.outputs],
            title=f"{found.candidate} against {found.reference}, {found.samples} samples",
        )
    ]
    if found.detections is not None and found.detections.agreements:
        parts.append(_agreement_table(found))
    if found.nodes:
        parts.append(_node_table(found))
    parts += [*found.notes]
    parts += [f"written: {', '.join(map(str, files))}"] if files else []
    return Group(*parts)


def _agreement_table(found: Comparison) -> RenderableType:
    detected = found.detections
    assert detected is not None
    rows = [(f"{a.score:g}", f"{a.ap:.4f}", f"{a.ap50:.4f}", f"{a.ap75:.4f}") for a in detected.agreements]
    title = (
        f"detections on {found.images} images: {detected.kept} kept, {detected.lost} lost, {detected.new} new"
    )
    return table(["above", "AP50-95", "AP50", "AP75"], rows, title=title)


def _node_table(found: Comparison) -> RenderableType:
    """The nodes that lose most on their own."""
    worst = found.worst_own[:SHOWN]
    more = f"of {len(found.nodes)} compared tensors, the {len(worst)} that lose most on their own"
    return table(COLUMNS, [_row(node) for node in worst], title=more)


def _row(node: NodeDifference) -> tuple[str, ...]:
    return (
        node.node,
        node.op,
        node.dtype,
        _decibels(node.own_sqnr_db),
        _decibels(node.sqnr_db),
        _cosine(node.cosine),
        _number(node.max_error),
        _number(node.threshold),
        "-" if node.saturation is None else f"{100 * node.saturation:.3f} %",
    )


def _decibels(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f} dB" if math.isfinite(value) else "equal" if value > 0 else "no signal"


def _cosine(value: float | None) -> str:
    return "-" if value is None else f"{value:.6f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
