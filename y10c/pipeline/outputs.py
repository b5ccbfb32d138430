"""The files of a compilation beside its models: report, node table, log."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

from y10c import __version__, atomic
from y10c.check.text import LOG_NAME as CHECK_LOG
from y10c.check.text import check_log
from y10c.cost.report.data import FileRow, NodeRow, PassRow, ReportData, TensorRow
from y10c.cost.report.picture import write_png
from y10c.cost.report.render import write_html
from y10c.cost.report.table import write_layers_csv, write_nodes_csv
from y10c.cost.report.trace import write_trace
from y10c.cost.report.vendor_json import write_json
from y10c.deploy.build import Deployed
from y10c.ir.graph import Graph
from y10c.ir.value import Value
from y10c.passes.int8.choose_precision import Precision
from y10c.pipeline.result import Result

LOG_NAME = "y10c_compile.log"

REPORTS: dict[str, tuple[str, Callable[[ReportData, Path], None]]] = {
    "html": (".html", write_html),
    "json": (".json", write_json),
    "trace": (".trace.json", write_trace),
    "layers": ("_layers.csv", write_layers_csv),
    "picture": ("_timeline.png", write_png),
}
"""Files made from the estimate: suffix and writer by kind."""


def write_outputs(result: Result, graph: Graph, folder: Path, prefix: str) -> dict[str, Path]:
    """Write everything but the models into `folder`; gives the files by kind."""
    files = {"log": folder / LOG_NAME}
    if result.nodes:
        files["node_info"] = folder / f"{prefix}_node_info.csv"
        write_nodes_csv(result.nodes, files["node_info"])
    if result.head is not None and result.head.found:
        files["head"] = folder / f"{prefix}_head.json"
        atomic.write_text(files["head"], result.head.to_json() + "\n")
    if result.check is not None:
        files["check"] = folder / CHECK_LOG
        atomic.write_text(files["check"], check_log(result.check, prefix))
    if result.precision is not None:
        files["mixed"] = folder / f"{prefix}_mixed.json"
        atomic.write_text(files["mixed"], result.precision.to_json())
    data = report_data(result, graph, prefix)
    if data is not None:
        for kind, (suffix, write) in REPORTS.items():
            files[kind] = folder / f"{prefix}{suffix}"
            write(data, files[kind])
    atomic.write_text(files["log"], log_text(result))
    return files


def report_data(result: Result, graph: Graph, model: str) -> ReportData | None:
    """Everything that the report shows; None where the target models no cost."""
    if result.cost is None:
        return None
    return ReportData(
        cost=result.cost.result,
        inputs=tuple(tensor_row(v.name, v) for v in graph.inputs),
        outputs=tuple(tensor_row(n, v) for n, v in zip(graph.output_names, graph.outputs, strict=True)),
        nodes=result.nodes,
        output_cosines=result.outputs,
        files=tuple(FileRow(path.name, kind, path.stat().st_size) for kind, path in result.files.items()),
        warnings=tuple(result.warnings.as_dicts()),
        notes=tuple(_notes(result)),
        passes=tuple(PassRow(run.name, run.rules) for run in result.passes),
        edges=result.cost.edges,
        times_refused=result.cost.times_refused,
    )


def _notes(result: Result) -> list[str]:
    if result.synthetic:
        notes = [
            "Calibrated on generated images: ranges and cosines say nothing of the accuracy on real ones."
        ]
    else:
        notes = [f"Calibrated on {result.samples} samples."] if result.samples else []
    return [*notes, *_precision_notes(result.precision)]


def _precision_notes(precision: Precision | None) -> list[str]:
    """What got 16 bits, and what that rests on."""
    if precision is None or not precision.rows:
        return []
    wide = precision.wide
    names = ", ".join(row.tensor for row in wide) or "none"
    return [
        f"{len(wide)} of {len(precision.rows)} tensors that products read have 16 bits, "
        f"{precision.share:.1%} of the MACs: {names}. Chosen by what 8 bits of each alone do to the outputs; "
        "the whole list stands in the file of kind mixed."
    ]


def tensor_row(name: str, value: Value) -> TensorRow:
    """An input or output as the report lists it."""
    kind = value.tensor_type
    shape = tuple(d if d is not None else "?" for d in kind.shape or ())
    return TensorRow(name, shape, str(kind.dtype.numpy), kind.bytes if kind.is_static else None)


def log_text(result: Result) -> str:
    """The log: what ran, the node table, the outputs, the warnings."""
    lines = [f"y10c {__version__}  target {result.target}  march {result.march}", ""]
    lines += [f"{run.name:40} {run.seconds:8.2f} s  {run.ops:6} ops" for run in result.passes]
    lines += ["", _table(result.nodes)] if result.nodes else []
    lines += ["", _precision_table(result.precision)] if result.precision is not None else []
    lines += [f"output {o.name}: cosine {o.cosine:.6f}" for o in result.outputs]
    lines += ["", *_runtime_form(result.deployed)] if result.deployed is not None else []
    lines += ["", *(w.render() for w in result.warnings)]
    return "\n".join(lines) + "\n"


def _runtime_form(deployed: Deployed) -> list[str]:
    """How the application feeds the network, and what was removed."""
    lines = [f"input {one.name} is fed as {', '.join(one.fed)}" for one in deployed.inputs]
    lines += [f"  {note}" for one in deployed.inputs for note in one.notes]
    return lines + [f"removed: {node}" for node in deployed.removed.nodes]


def _precision_table(precision: Precision) -> str:
    """The tensors that products read, the most sensitive first."""
    rows = [
        f"{row.tensor:60} {_number(row.gain):>12} {row.macs:>12} {row.bits:>4}  {row.why}"
        for row in precision.rows
    ]
    head = f"{'Tensor that products read':60} {'Gain':>12} {'MACs':>12} {'Bits':>4}  Why"
    total = f"MACs with 16-bit operands: {precision.macs} of {precision.total} ({precision.share:.2%})"
    return "\n".join([head, *rows, total, ""])


def _table(nodes: tuple[NodeRow, ...]) -> str:
    from rich.box import MARKDOWN
    from rich.console import Console
    from rich.table import Table

    drawn = Table(
        "Node", "NodeType", "ON", "Threshold", "Calibrated Cosine", "Quantized Cosine", "Output Data Type"
    )
    drawn.box = MARKDOWN
    for n in nodes:
        drawn.add_row(
            n.node,
            n.op,
            n.unit,
            _number(n.threshold),
            _cosine(n.calibrated_cosine),
            _cosine(n.quantized_cosine),
            n.dtype,
        )
    text = io.StringIO()
    Console(file=text, width=240, color_system=None).print(drawn)
    return text.getvalue().rstrip()


def _number(value: float | None) -> str:
    return "--" if value is None else f"{value:.6g}"


def _cosine(value: float | None) -> str:
    return "--" if value is None else f"{value:.6f}"
