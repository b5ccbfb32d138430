"""`y10c cost`: what a network costs on a chip, before there is a board."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from y10c.cli.compile import parse_shape
from y10c.cli.terminal import table, terminal
from y10c.errors import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from y10c.pipeline.result import Cost

LONGEST = 10
"""Layers shown in the table."""


def cost(
    model: Annotated[Path, typer.Argument(help="ONNX file, float or INT8; .xz is read too.")],
    target: Annotated[str, typer.Option("--target", "-t", help="A target with a cost model.")] = "j6",
    march: Annotated[str | None, typer.Option(help="Chip of the target's family, such as nash-e.")] = None,
    shape: Annotated[
        list[str] | None, typer.Option(help="Extents of an input with open shape: images=1x3x640x640.")
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(
            help="auto, nchw or nhwc for all tensors; as chosen in the file, else auto, by default."
        ),
    ] = None,
    cores: Annotated[int, typer.Option(help="Cores that work on one inference.")] = 1,
    html: Annotated[Path | None, typer.Option(help="Write the report as a page.")] = None,
    trace: Annotated[Path | None, typer.Option(help="Write a trace for Perfetto or Chrome.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write the layer table.")] = None,
) -> None:
    """Estimate cycles, bytes and times of a network on a chip."""
    from y10c.api import load
    from y10c.cost.report.data import ReportData
    from y10c.cost.report.render import write_html
    from y10c.cost.report.table import write_layers_csv
    from y10c.cost.report.trace import write_trace
    from y10c.cost.report.vendor_json import to_json
    from y10c.pipeline.costs import estimate_cost
    from y10c.pipeline.outputs import tensor_row
    from y10c.pipeline.target import create_target

    graph = load(model, shapes=dict(map(parse_shape, shape or [])), freeze=True)
    name = model.name.partition(".")[0]
    estimated = estimate_cost(graph, create_target(target, march), name, layout, cores)
    if estimated is None:
        raise UsageError(f"there is no cost to estimate for {model.name} on {target}", help="try --target j6")
    data = ReportData(
        estimated.result,
        inputs=tuple(tensor_row(v.name, v) for v in graph.inputs),
        outputs=tuple(tensor_row(n, v) for n, v in zip(graph.output_names, graph.outputs, strict=True)),
        edges=estimated.edges,
        times_refused=estimated.times_refused,
    )
    for path, write in ((html, write_html), (trace, write_trace), (csv, write_layers_csv)):
        if path is not None:
            write(data, path)
    terminal().result(to_json(data), lambda: _drawn(estimated))


def _drawn(estimated: Cost) -> RenderableType:
    from rich.console import Group

    result, total = estimated.result, estimated.result.summary
    rows = [
        ("MACs", f"{total.macs / 1e9:.2f} G, utilization {total.utilization:.0%}"),
        ("DDR per frame", f"{(total.ddr_read_bytes + total.ddr_write_bytes) / 1e6:.1f} MB"),
        ("on-chip peak", f"{total.peak_on_chip_bytes / 1e6:.1f} MB"),
        ("CPU crossings", str(total.cpu_crossings)),
        ("how sure", estimated.times_refused or result.error_note),
    ]
    if estimated.times_refused is None:
        low, high = total.latency_ms_band
        rows.insert(0, ("latency", f"{total.latency_ms:.2f} ms ({low:.2f} to {high:.2f})"))
        rows.insert(1, ("throughput", f"{total.fps:.0f} FPS on two threads"))
    longest = sorted(result.layers, key=lambda layer: -layer.cycles)[:LONGEST]
    layers = [
        (la.name, la.kind, f"{la.cycles:.0f}", f"{la.utilization:.0%}", la.bound_by.value) for la in longest
    ]
    return Group(
        table(["", f"{result.target} {result.march}"], rows),
        table(["longest layers", "kind", "cycles", "utilization", "waits for"], layers),
    )
