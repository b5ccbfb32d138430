"""Tables for spreadsheets: the layers of an estimate, the nodes of a quantization."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from y10c import atomic
from y10c.cost.report.data import NodeRow, ReportData
from y10c.cost.result import LayerCost, Unit

LAYER_COLUMNS = (
    "index",
    "layer",
    "kind",
    "origin_ops",
    "output_shape",
    "activation_bits",
    "weight_bits",
    "macs",
    "cycles",
    "time_us",
    "floor_us",
    "start_us",
    "end_us",
    *(f"{unit.lower()}_us" for unit in Unit),
    "utilization",
    "load_bytes",
    "store_bytes",
    "weight_bytes",
    "floor_bytes",
    "on_chip",
    "layout",
    "bound_by",
    "tile",
    "advice",
)

NODE_COLUMNS = (
    "Node",
    "NodeType",
    "ON",
    "Threshold",
    "Calibrated Cosine",
    "Quantized Cosine",
    "Output Data Type",
)


def layers_csv(data: ReportData) -> str:
    """One row a layer, columns `LAYER_COLUMNS`; times are empty where the march's times are refused."""
    return _csv(LAYER_COLUMNS, (_layer_row(data, layer) for layer in data.cost.layers))


def nodes_csv(nodes: Iterable[NodeRow]) -> str:
    """One row a node, columns `NODE_COLUMNS`, with "--" where the vendor's log has it: nothing measured."""
    return _csv(NODE_COLUMNS, map(_node_row, nodes))


def write_layers_csv(data: ReportData, path: Path | str) -> None:
    """Write `layers_csv`; raises OutputError."""
    atomic.write_text(path, layers_csv(data))


def write_nodes_csv(nodes: Iterable[NodeRow], path: Path | str) -> None:
    """Write `nodes_csv`; raises OutputError."""
    atomic.write_text(path, nodes_csv(nodes))


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _layer_row(data: ReportData, layer: LayerCost) -> list[object]:
    times = (layer.time_us, layer.floor_us, layer.start_us, layer.end_us)
    busy = tuple(layer.busy_us.get(unit, 0.0) for unit in Unit)
    return [
        layer.index,
        layer.name,
        layer.kind,
        ";".join(layer.origin),
        "x".join(map(str, layer.output_shape)),
        layer.activation_bits,
        layer.weight_bits,
        layer.macs,
        round(layer.cycles),
        *("" if data.times_refused else f"{time:.3f}" for time in (*times, *busy)),
        f"{layer.utilization:.4f}",
        layer.load_bytes,
        layer.store_bytes,
        layer.weight_bytes,
        layer.floor_bytes,
        int(layer.on_chip),
        layer.layout,
        str(layer.bound_by),
        layer.tile,
        " ".join(a.sentence for a in data.cost.advice if a.layer == layer.index),
    ]


def _node_row(row: NodeRow) -> list[str]:
    return [
        row.node,
        row.op,
        row.unit,
        "--" if row.threshold is None else f"{row.threshold:.6g}",
        _cosine(row.calibrated_cosine),
        _cosine(row.quantized_cosine),
        row.dtype or "--",
    ]


def _cosine(value: float | None) -> str:
    return "--" if value is None else f"{value:.6f}"
