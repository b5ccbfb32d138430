"""What follows the head's logits: raw maps, decoded boxes, or the final detections without NMS.

Method: arXiv 2405.14458, section 3.1 (one-to-one head); box sides as distributions over bins, X. Li et al.,
"Generalized Focal Loss", arXiv 2006.04388.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto

from y10c.zoo.arrays import Floats
from y10c.zoo.graph import OnnxTape, Tensor, scope

DETECT = "model.23"
MOST_DETECTIONS = 300

Logits = Mapping[int, tuple[Tensor, Tensor]]
"""(class logits, box logits), each NCHW, by stride."""


def raw(tape: OnnxTape, logits: Logits, prefix: str) -> list[Tensor]:
    """Class and box logits of each stride in turn, NHWC, named `cls8`, `box8` and so on."""
    made = []
    for stride, maps in logits.items():
        for name, x in zip(("cls", "box"), maps, strict=True):
            nhwc = tape.transpose(DETECT, x, (0, 2, 3, 1))
            made.append(tape.writer.rename(nhwc, f"{prefix}{name}{stride}"))
    return made


def decoded(tape: OnnxTape, logits: Logits, *, corners: bool) -> Tensor:
    """Boxes in pixels and class probabilities of every anchor, `[batch, 4 + classes, anchors]` float32.

    Args:
        tape: The interpreter.
        logits: Outputs of one branch.
        corners: Boxes as two corners, the first one's x and y first; otherwise as center and size.
    """
    boxes = _flat(tape, [box for _, box in logits.values()])
    scores = _flat(tape, [cls for cls, _ in logits.values()])
    centers, strides = _anchors(logits)
    near, far = _sides(tape, _expected_distances(tape, boxes))
    anchors = tape.writer.constant(f"{DETECT}.anchors", centers)
    low = _binary(tape, "Sub", anchors, near)
    high = _binary(tape, "Add", anchors, far)
    pair = [low, high] if corners else _center_and_size(tape, low, high)
    pixels = _binary(
        tape, "Mul", tape.concat(DETECT, pair), tape.writer.constant(f"{DETECT}.strides", strides)
    )
    (probabilities,) = tape.writer.node(scope(DETECT), "Sigmoid", [scores], [scores.shape])
    return tape.concat(DETECT, [pixels, probabilities])


def _flat(tape: OnnxTape, maps: Sequence[Tensor]) -> Tensor:
    """Maps of all strides as one, `[batch, channels, anchors]`."""
    flat = [tape.reshape(DETECT, x, (*x.shape[:2], x.shape[2] * x.shape[3])) for x in maps]
    shape = (*flat[0].shape[:2], sum(x.shape[2] for x in flat))
    return tape.writer.node(scope(DETECT), "Concat", flat, [shape], axis=-1)[0]


def _anchors(logits: Logits) -> tuple[Floats, Floats]:
    """Centers `[1, 2, anchors]` in cells, x first, and strides `[1, anchors]` in pixels; float32."""
    centers, strides = [], []
    for stride, (cls, _) in logits.items():
        height, width = cls.shape[2:]
        y, x = np.mgrid[:height, :width].astype(np.float32).reshape(2, -1) + np.float32(0.5)
        centers.append(np.stack([x, y]))
        strides.append(np.full((1, height * width), stride, np.float32))
    return np.concatenate(centers, axis=1)[None], np.concatenate(strides, axis=1)


def _expected_distances(tape: OnnxTape, boxes: Tensor) -> Tensor:
    """Mean of each side's distribution, `[batch, 4, anchors]` in cells."""
    batch, channels, anchors = boxes.shape
    bins, name = channels // 4, f"{DETECT}.dfl"
    sides = tape.transpose(name, tape.reshape(name, boxes, (batch, 4, bins, anchors)), (0, 2, 1, 3))
    (shares,) = tape.writer.node(scope(name), "Softmax", [sides], [sides.shape], axis=1)
    weight = np.arange(bins, dtype=np.float32).reshape(1, bins, 1, 1)
    (mean,) = tape.writer.node(
        scope(f"{name}.conv"),
        "Conv",
        [shares, tape.writer.constant(f"{name}.conv.weight", weight)],
        [(batch, 1, 4, anchors)],
        dilations=[1, 1],
        group=1,
        kernel_shape=[1, 1],
        pads=[0] * 4,
        strides=[1, 1],
    )
    return tape.reshape(name, mean, (batch, 4, anchors))


def _sides(tape: OnnxTape, distances: Tensor) -> tuple[Tensor, Tensor]:
    """Left and top, right and bottom."""
    batch, _, anchors = distances.shape

    def rows(first: int, end: int) -> Tensor:
        bounds = [tape.writer.integers([i]) for i in (first, end, 1)]
        return tape.writer.node(scope(DETECT), "Slice", [distances, *bounds], [(batch, 2, anchors)])[0]

    return rows(0, 2), rows(2, 4)


def _center_and_size(tape: OnnxTape, low: Tensor, high: Tensor) -> list[Tensor]:
    two = tape.writer.constant(f"{DETECT}.two", np.array(2, np.float32))
    total, size = _binary(tape, "Add", low, high), _binary(tape, "Sub", high, low)
    return [_binary(tape, "Div", total, two), size]


def _binary(tape: OnnxTape, op: str, a: Tensor | str, b: Tensor | str) -> Tensor:
    shape = next(x.shape for x in (a, b) if isinstance(x, Tensor))
    return tape.writer.node(scope(DETECT), op, [a, b], [shape])[0]


def detections(tape: OnnxTape, anchors_last: Tensor) -> Tensor:
    """The best detections, `[batch, 300, 6]`: x1, y1, x2, y2 in pixels, score, class; best first.

    Anchors are ranked by their best class first, then pairs of anchor and class by score; with fewer than
    300 anchors there is one row for each.
    """
    batch, width, anchors = anchors_last.shape
    classes, count = width - 4, min(MOST_DETECTIONS, anchors)
    rows = tape.transpose(DETECT, anchors_last, (0, 2, 1))
    sizes = tape.writer.integers([4, classes])
    shapes = [(batch, anchors, 4), (batch, anchors, classes)]
    boxes, scores = tape.writer.node(scope(DETECT), "Split", [rows, sizes], shapes, axis=-1)
    _, kept = _top(tape, _best_class(tape, scores), count)
    table = _rows_of(tape, scores, _column(tape, kept, TensorProto.INT64))
    (flat,) = tape.writer.node(scope(DETECT), "Flatten", [table], [(batch, count * classes)], axis=1)
    best, ranks = _top(tape, flat, count)
    label = _column(tape, _integer(tape, "Mod", ranks, classes, fmod=0), TensorProto.INT64)
    rank = _integer(tape, "Div", ranks, classes)
    anchor = _gather(tape, kept, rank, TensorProto.INT64)
    chosen = _rows_of(tape, boxes, _column(tape, anchor, TensorProto.INT64))
    score = _column(tape, best, TensorProto.FLOAT)
    (label,) = tape.writer.node(scope(DETECT), "Cast", [label], [label.shape], to=TensorProto.FLOAT)
    parts = [chosen, score, label]
    return tape.writer.node(scope(DETECT), "Concat", parts, [(batch, count, 6)], axis=-1)[0]


def _best_class(tape: OnnxTape, scores: Tensor) -> Tensor:
    inputs: list[Tensor | str] = [scores]
    axes: dict[str, Any] = {}
    if tape.writer.opset < 18:
        axes["axes"] = [-1]
    else:
        inputs.append(tape.writer.integers([-1]))
    return tape.writer.node(scope(DETECT), "ReduceMax", inputs, [scores.shape[:2]], keepdims=0, **axes)[0]


def _top(tape: OnnxTape, x: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The greatest values along axis 1 in order, and where they are."""
    shape = (x.shape[0], count)
    inputs: list[Tensor | str] = [x, tape.writer.integers([count])]
    values, indices = tape.writer.node(
        scope(DETECT), "TopK", inputs, [shape, shape], axis=1, largest=1, sorted=1
    )
    tape.writer.types[indices.name].type.tensor_type.elem_type = TensorProto.INT64
    return values, indices


def _column(tape: OnnxTape, x: Tensor, dtype: int) -> Tensor:
    inputs: list[Tensor | str] = [x, tape.writer.integers([2])]
    return tape.writer.node(scope(DETECT), "Unsqueeze", inputs, [(*x.shape, 1)], dtype)[0]


def _integer(tape: OnnxTape, op: str, x: Tensor, by: int, **attributes: int) -> Tensor:
    divisor = tape.writer.constant(f"{DETECT}.classes", np.array(by, np.int64))
    return tape.writer.node(scope(DETECT), op, [x, divisor], [x.shape], TensorProto.INT64, **attributes)[0]


def _rows_of(tape: OnnxTape, table: Tensor, column: Tensor) -> Tensor:
    """Whole rows of `[batch, rows, width]` at the indices `[batch, count, 1]`."""
    shape = (*column.shape[:2], table.shape[2])
    inputs: list[Tensor | str] = [column, tape.writer.integers(shape)]
    (index,) = tape.writer.node(scope(DETECT), "Expand", inputs, [shape], TensorProto.INT64)
    return _gather(tape, table, index, TensorProto.FLOAT)


def _gather(tape: OnnxTape, table: Tensor, index: Tensor, dtype: int) -> Tensor:
    return tape.writer.node(scope(DETECT), "GatherElements", [table, index], [index.shape], dtype, axis=1)[0]
