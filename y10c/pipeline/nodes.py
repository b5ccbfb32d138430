"""The node table: each integer op's threshold, type, and how close its result stays to the float one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import onnx

from y10c import progress
from y10c.calib.collect import run_outputs
from y10c.calib.feeds import Feeds
from y10c.calib.similarity import Similarity
from y10c.comparison.outputs import compared_outputs
from y10c.cost.report.data import NodeRow, OutputCosine
from y10c.ir.graph import Graph
from y10c.ir.types import DType, TensorType
from y10c.ir.value import Op, Value
from y10c.passes.observe.ranges import Ranges
from y10c.quant.plan import Edge, QuantPlan, Tail

SAMPLES = 2
"""Cosines are taken over this many samples of the calibration data."""

PAIRS = ("QuantizeLinear", "DequantizeLinear")
"""Ops that stand for the types of tensors and not for work."""

INTEGER_NAMES = {DType.i8: "si8", DType.u8: "ui8", DType.i16: "si16", DType.u16: "ui16"}
"""As in the vendor's log (published: S7)."""


@dataclass(frozen=True)
class NodeReport:
    """The node table and the agreement of the outputs.

    Args:
        rows: One an op that computes, in graph order.
        outputs: Cosine of each output between the float and the quantized model.
    """

    rows: tuple[NodeRow, ...]
    outputs: tuple[OutputCosine, ...]


@dataclass(frozen=True)
class Models:
    """The three models whose tensors are compared, by the same tensor names."""

    optimized: onnx.ModelProto
    calibrated: onnx.ModelProto
    ptq: onnx.ModelProto


def compare_nodes(
    graph: Graph, plan: QuantPlan, tail: Tail, ranges: Ranges, models: Models, feeds: Feeds
) -> NodeReport:
    """Run the three models side by side on a few samples and compare every planned tensor.

    Args:
        graph: The quantized graph; its values still bear the float model's names.
        plan: What was quantized.
        tail: What stayed float behind the network.
        ranges: The ranges that were chosen.
        models: The stage models.
        feeds: Calibration data.
    """
    edges = {edge.value: edge for edge in plan.edges}
    values = [op.results[0] for op in graph.ops if op in plan.integer_ops]
    compared = compared_outputs(graph, tail)
    wanted = {v.name: _seen_name(v, edges) for v in values} | {n: n for n in compared.values()}
    calibrated, quantized = _cosines(models, wanted, feeds.limited(SAMPLES))
    integer = {v.producer: _row(v, edges.get(v), plan, ranges, calibrated, quantized) for v in values}
    rows = tuple(integer.get(op) or _float_row(op, plan) for op in graph.ops if op.name not in PAIRS)
    return NodeReport(rows, tuple(OutputCosine(n, quantized[t]) for n, t in compared.items()))


def _seen_name(value: Value, edges: Mapping[Value, Edge]) -> str:
    return f"{value.name}_dequantized" if value in edges else value.name


def _cosines(
    models: Models, wanted: Mapping[str, str], feeds: Feeds
) -> tuple[dict[str, float], dict[str, float]]:
    """Cosines against the float model: of the calibrated and of the quantized one."""
    totals = [{name: Similarity() for name in wanted} for _ in range(2)]
    seen = list(dict.fromkeys(wanted.values()))
    runs = zip(
        run_outputs(models.optimized, feeds, list(wanted)),
        run_outputs(models.calibrated, feeds, seen),
        run_outputs(models.ptq, feeds, seen),
        strict=True,
    )
    tracked = progress.track(runs, "comparing with the float model", feeds.count)
    for (sample, expected), *found in tracked:
        for name, other in wanted.items():
            for total, (_, arrays) in zip(totals, found, strict=True):
                total[name].update(expected[name], arrays[other], sample)
    first, second = ({name: t.cosine for name, t in total.items()} for total in totals)
    return first, second


def _float_row(op: Op, plan: QuantPlan) -> NodeRow:
    """An op that stays float: on the CPU, unless it only moves what leaves the chip."""
    scheme = plan.scheme.ops.get(op.name)
    kind = op.results[0].type
    return NodeRow(
        node=op.location or op.results[0].name,
        op=op.kind.removeprefix("y10c."),
        unit="BPU" if scheme is not None and scheme.keeps_scale else "CPU",
        dtype=str(kind.dtype.numpy).upper() if isinstance(kind, TensorType) else "",
    )


def _row(
    value: Value,
    edge: Edge | None,
    plan: QuantPlan,
    ranges: Ranges,
    calibrated: Mapping[str, float],
    quantized: Mapping[str, float],
) -> NodeRow:
    op = value.producer
    assert op is not None
    return NodeRow(
        node=op.location or value.name,
        op=op.kind.removeprefix("y10c."),
        unit="BPU",
        threshold=ranges[edge.group].magnitude if edge is not None else None,
        calibrated_cosine=calibrated[value.name],
        quantized_cosine=quantized[value.name],
        dtype=INTEGER_NAMES[edge.grid.dtype] if edge is not None else "FLOAT32",
    )
