"""Whether a tail that looks like YOLO's decodes like it: one run on made-up logits against our own decoding.

Structure tells which convolutions are last; how the numbers behind them are used (the order of sides, anchors
and scales, the offset of centers) could still differ in a network of another family.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from y10c.detect.decode import Detections, decode_raw
from y10c.detect.head_info import HeadInfo
from y10c.ir.graph import Graph
from y10c.ir.types import DType, TensorType
from y10c.ir.value import Op, Value
from y10c.passes.head.recognize import Head, cone_of
from y10c.rewrite.rewriter import Rewriter

COMPARED = 50
"""Best rows that must have a partner."""

PIXELS, SCORE = 0.05, 1e-4
"""How far partners may lie apart."""


def decodes_like_yolo(graph: Graph, head: Head, info: HeadInfo) -> bool | None:
    """Run the tail alone; None where it cannot be run alone or does not end in rows of detections.

    Args:
        graph: The graph, not changed.
        head: What was recognised in it.
        info: How we would decode the logits.
    """
    rows = next(
        (v for v in graph.outputs if v.shape is not None and v.shape[1:] == (head.detections, 6)), None
    )
    if rows is None or not head.detections or not head.static or graph.inputs[0].shape[:1] != (1,):  # type: ignore[index]
        return None
    if any(op.name in ("QuantizeLinear", "DequantizeLinear") or op.graphs for op in head.tail):
        return None
    alone = _alone(graph, head, rows)
    if alone is None:
        return None
    logits = _logits(info)
    found = _run(alone, dict(zip((v.name for v in alone.inputs), logits, strict=True)))
    maps = [x.transpose(0, 2, 3, 1) for x in logits]
    return _agree(found[0], decode_raw(maps, info, score=0.0))


def _alone(graph: Graph, head: Head, rows: Value) -> Graph | None:
    """The tail as a graph from logits to rows; None where it reads anything else of the network."""
    made = Graph("tail")
    made.info.opsets = dict(graph.info.opsets)
    values: dict[Value, Value] = {}
    for number, (value, extent, width) in enumerate(_boundary(head)):
        values[value] = made.add_input(TensorType(DType.f32, (1, width, *extent)), f"logits{number}")
    rewriter = Rewriter(made)
    needed = cone_of([rows]).ops & head.tail
    for op in graph.ops:
        if op in needed:
            copied = _copied(op, values, rewriter)
            if copied is None:
                return None
            rewriter.insert(copied)
            values.update(zip(op.results, copied.results, strict=True))
    made.set_outputs([values[rows]], ["rows"])
    rewriter.erase_dead()
    return made


def _boundary(head: Head) -> list[tuple[Value, tuple[int, int], int]]:
    widths = (head.classes, 4 * head.reg_max)
    return [
        (op.result, scale.extent, width)
        for scale in head.scales
        for op, width in zip((scale.cls, scale.box), widths, strict=True)
    ]


def _copied(op: Op, values: Mapping[Value, Value], rewriter: Rewriter) -> Op | None:
    operands: list[Value | None] = []
    for value in op.operands:
        if value is not None and value.tensor is None and value not in values:
            return None
        known = value is None or value.tensor is None
        operands.append(values.get(value) if known else rewriter.const(value.tensor))  # type: ignore[arg-type, union-attr]
    return Op(
        op.name,
        operands,
        op.attrs,
        [r.type for r in op.results],
        result_names=[r.name for r in op.results],
        version=op.version,
    )


def _logits(info: HeadInfo) -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    return [
        rng.normal(mean, 1.5, (1, width, *extent)).astype(np.float32)
        for extent in info.extents
        for mean, width in ((-2.0, info.classes), (0.0, 4 * info.reg_max))
    ]


def _run(graph: Graph, feed: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session: Any = onnxruntime.InferenceSession(
        graph.to_onnx().SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    rows: NDArray[np.float32] = session.run(None, dict(feed))[0]
    return rows


def _agree(rows: NDArray[np.float32], ours: Detections) -> bool:
    for row in rows[:COMPARED]:
        near = (
            (ours.classes == int(row[5]))
            & (np.abs(ours.boxes - row[:4]).max(axis=1) <= PIXELS)
            & (np.abs(ours.scores - row[4]) <= SCORE)
        )
        if not near.any():
            return False
    return True
