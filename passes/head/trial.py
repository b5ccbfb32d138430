"""Whether a tail that looks like YOLO's decodes like it: one run on made-up logits against our own decoding.

Structure tells which convolutions are last; how the numbers behind them are used (the order of sides, anchors
and scales, the offset of centers) could still differ in a network of another family. Tails are tried that end
in rows of detections, or in boxes and scores of all anchors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from y10c.detect.decode import Detections, decode_anchors, decode_raw
from y10c.detect.head_info import HeadInfo
from y10c.ir.graph import Graph
from y10c.ir.types import DType, TensorType
from y10c.ir.value import Op, Value
from y10c.passes.head.recognize import Head, cone_of
from y10c.rewrite.rewriter import Rewriter

COMPARED = 50
"""Best rows that must have a partner."""

TOLERANCES = {DType.f32: (0.05, 1e-4), DType.f16: (4.0, 5e-3)}
"""How far apart partners may lie, in pixels and score; half floats have steps of half a pixel."""


def decodes_like_yolo(graph: Graph, head: Head, info: HeadInfo) -> bool | None:
    """Run the tail alone; None where it cannot be run alone or does not end in anything that is known.

    Args:
        graph: The graph, not changed.
        head: What was recognised in it.
        info: How we would decode the logits.
    """
    ends = _ends(graph, head)
    if not ends or not head.static or head.batch != 1:
        return None
    if any(op.name in ("QuantizeLinear", "DequantizeLinear") or op.graphs for op in cone_of(ends).ops):
        return None
    alone = _alone(graph, head, ends)
    if alone is None:
        return None
    dtype = alone.inputs[0].tensor_type.dtype
    logits = [x.astype(dtype.numpy) for x in _logits(info)]
    found = _run(alone, dict(zip((v.name for v in alone.inputs), logits, strict=True)))
    if found is None:
        return None
    maps = [x.transpose(0, 2, 3, 1) for x in logits]
    if head.detections:
        return _rows_agree(found[0][0], decode_raw(maps, info, score=0.0), *TOLERANCES[dtype])
    return _anchors_agree(found, decode_anchors(maps, info), *TOLERANCES[dtype])


def _ends(graph: Graph, head: Head) -> list[Value]:
    """The output that holds rows, or those that hold boxes and scores of all anchors."""
    if head.detections:
        return [v for v in graph.outputs if (v.shape or ())[1:] == (head.detections, 6)][:1]
    for widths in ((4 + head.classes,), (4, head.classes)):
        found = [v for width in widths for v in _of_anchors(graph, head, width)]
        if len(found) == len(widths):
            return found
    return []


def _of_anchors(graph: Graph, head: Head, width: int) -> Iterator[Value]:
    """The outputs of the head's branch that hold so many numbers for every anchor."""
    anchors = sum(height * width for height, width in (s.extent for s in head.scales))
    own = {value.producer for value in head.boundary}
    for value in graph.outputs:
        fits = (value.shape or ())[1:] in ((width, anchors), (anchors, width))
        if fits and own.issuperset(cone_of([value]).convs):
            yield value


def _alone(graph: Graph, head: Head, ends: Sequence[Value]) -> Graph | None:
    """The tail as a graph from logits to outputs; None where it reads anything else of the network."""
    made = Graph("tail")
    made.info.opsets = dict(graph.info.opsets)
    values: dict[Value, Value] = {}
    for number, (value, extent, width) in enumerate(_boundary(head)):
        dtype = value.tensor_type.dtype
        if dtype not in TOLERANCES:
            return None
        values[value] = made.add_input(TensorType(dtype, (1, width, *extent)), f"logits{number}")
    rewriter = Rewriter(made)
    needed = cone_of(ends).ops & head.tail
    for op in graph.ops:
        if op in needed:
            copied = _copied(op, values, rewriter)
            if copied is None:
                return None
            rewriter.insert(copied)
            values.update(zip(op.results, copied.results, strict=True))
    made.set_outputs([values[v] for v in ends], [f"end{number}" for number in range(len(ends))])
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


def _run(graph: Graph, feed: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]] | None:
    """The outputs; None where onnxruntime cannot run the tail, which then stays untried."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    data = graph.to_onnx().SerializeToString()
    try:
        session: Any = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        return [np.asarray(x, np.float32) for x in session.run(None, dict(feed))]
    except Exception:  # onnxruntime's errors have no common base that it exports
        return None


def _anchors_agree(
    found: Sequence[NDArray[Any]], ours: tuple[NDArray[Any], NDArray[Any]], pixels: float, score: float
) -> bool:
    """Boxes may be corners or centers and sizes, in pixels; scores follow them."""
    corners, scores = ours
    parts = [x[0] if len(x[0]) == len(scores) else x[0].T for x in found]
    theirs = np.concatenate(parts, axis=1)
    low, high = corners[:, :2], corners[:, 2:]
    centers = np.concatenate([(low + high) / 2, high - low], axis=1)
    boxes = theirs[:, :4]
    return bool(np.abs(theirs[:, 4:] - scores).max() <= score) and any(
        np.abs(boxes - known).max() <= pixels for known in (corners, centers)
    )


def _rows_agree(rows: NDArray[Any], ours: Detections, pixels: float, score: float) -> bool:
    for row in rows[:COMPARED]:
        near = (
            (ours.classes == int(row[5]))
            & (np.abs(ours.boxes - row[:4]).max(axis=1) <= pixels)
            & (np.abs(ours.scores - row[4]) <= score)
        )
        if not near.any():
            return False
    return True
