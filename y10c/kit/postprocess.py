"""Boxes from the six raw outputs of a YOLO detector, with numpy alone.

    python postprocess.py outputs.npz [--score 0.25] [--image 1280x720]

`outputs.npz` holds the outputs by name, NHWC: class logits and box logits of each scale. An output of
integers is taken times its scale, one a channel; give the runtime's own scales as `NAME_scale` in the same
file (the quantizer of the chip chooses them, so they are not those of this kit). `head.json` beside this
file says how the outputs decode. Only survivors of the score are dequantized and decoded.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

MOST = 300
"""Anchors that survive, and boxes that are given, as in the network as published."""


def decode(
    outputs: Mapping[str, Any],
    head: Mapping[str, Any],
    scales: Mapping[str, Any] | None = None,
    score: float = 0.25,
    iou: float = 0.7,
) -> tuple[Any, Any, Any]:
    """The detections of one image, best first.

    Args:
        outputs: By name, `[1, h, w, channels]`, floats or integers.
        head: The content of `head.json`.
        scales: For outputs of integers, by name, one number or one a channel.
        score: Least score.
        iou: Boxes of one class that overlap more are suppressed, where the head needs that.

    Returns:
        Boxes x1, y1, x2, y2 in pixels of the network's input, float64 [n, 4]; scores, float64 [n]; classes,
        int64 [n].

    Raises:
        KeyError: An output is missing, or the scale of one that holds integers.
        ValueError: An output has another shape.
    """
    scales = scales or {}
    names = head["outputs"]
    _require_shapes(outputs, head)
    logits = np.concatenate([_real(outputs, n, scales).reshape(-1, head["classes"]) for n in names[0::2]])
    best = logits.max(axis=1)
    order = np.argsort(-best, kind="stable")[:MOST]
    anchors = np.sort(order[_sigmoid(best[order]) >= score])
    flat = logits[anchors].ravel()
    pairs = np.argsort(-flat, kind="stable")[:MOST]
    pairs = pairs[_sigmoid(flat[pairs]) >= score]
    rank, classes = np.divmod(pairs, head["classes"])
    boxes = _boxes(outputs, anchors, head, scales)[rank]
    found = boxes, _sigmoid(flat[pairs]), classes.astype(np.int64)
    return found if head["needs_nms"] is False else _suppressed(*found, iou)


def _require_shapes(outputs: Mapping[str, Any], head: Mapping[str, Any]) -> None:
    widths = (head["classes"], 4 * head["reg_max"])
    wanted = [(1, *extent, width) for extent in head["extents"] for width in widths]
    for name, shape in zip(head["outputs"], wanted, strict=True):
        if outputs[name].shape != shape:
            raise ValueError(f"output {name} is {outputs[name].shape}, not {shape}")


def _real(outputs: Mapping[str, Any], name: str, scales: Mapping[str, Any]) -> Any:
    array = outputs[name]
    if array.dtype.kind == "f":
        return array.astype(np.float64)
    return array * np.asarray(scales[name], np.float64)


def _sigmoid(logits: Any) -> Any:
    return 1 / (1 + np.exp(-logits))


def _boxes(
    outputs: Mapping[str, Any], anchors: Any, head: Mapping[str, Any], scales: Mapping[str, Any]
) -> Any:
    """Corners of some anchors, which count through the scales in their order, row by row."""
    boxes = np.zeros((len(anchors), 4))
    first = 0
    for name, stride, (height, width) in zip(
        head["outputs"][1::2], head["strides"], head["extents"], strict=True
    ):
        mine = (anchors >= first) & (anchors < first + height * width)
        cells = anchors[mine] - first
        first += height * width
        sides = outputs[name].reshape(height * width, -1)[cells]
        if sides.dtype.kind != "f":
            sides = sides * np.asarray(scales[name], np.float64)
        ltrb = _distances(sides.astype(np.float64), head)
        centers = np.stack([cells % width, cells // width], axis=1) + 0.5
        corners = np.concatenate([centers - ltrb[:, :2], centers + ltrb[:, 2:]], axis=1)
        boxes[mine] = corners * stride
    return boxes


def _distances(sides: Any, head: Mapping[str, Any]) -> Any:
    """Distances to the four sides in cells: the mean of a distribution over bins, or the number itself."""
    if not head["distribution"]:
        return sides
    logits = sides.reshape(len(sides), 4, head["reg_max"])
    shares = np.exp(logits - logits.max(axis=2, keepdims=True))
    return shares @ np.asarray(head["bins"]) / shares.sum(axis=2)


def _suppressed(boxes: Any, scores: Any, classes: Any, iou: float) -> tuple[Any, Any, Any]:
    """Greedy non-maximum suppression within each class."""
    kept: list[int] = []
    areas = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1)
    for i in range(len(scores)):
        same = [k for k in kept if classes[k] == classes[i]]
        low = np.maximum(boxes[same, :2], boxes[i, :2])
        high = np.minimum(boxes[same, 2:], boxes[i, 2:])
        common = np.clip(high - low, 0, None).prod(axis=1)
        if not (common > iou * np.maximum(areas[same] + areas[i] - common, 1e-30)).any():
            kept.append(i)
    return boxes[kept], scores[kept], classes[kept]


def unboxed(boxes: Any, image: tuple[int, int], network: tuple[int, int]) -> Any:
    """Boxes on the letterboxed input as boxes on the picture, cut at its edges.

    Args:
        boxes: In pixels of the network's input, float64 [n, 4].
        image: Width and height of the picture.
        network: Height and width of the input.
    """
    ratio = min(network[1] / image[0], network[0] / image[1])
    inner = [max(1, round(side * ratio)) for side in image]
    offset = np.array([(network[1] - inner[0]) // 2, (network[0] - inner[1]) // 2] * 2)
    scale = np.array([side / fitted for side, fitted in zip(image, inner, strict=True)] * 2)
    return np.clip((boxes - offset) * scale, 0, np.array([*image, *image]))


def main() -> None:
    """Print the detections of a file of outputs as JSON, one a line."""
    parser = argparse.ArgumentParser(description="Decode the raw outputs of a YOLO detector.")
    parser.add_argument("outputs", type=Path)
    parser.add_argument("--head", type=Path, default=Path(__file__).with_name("head.json"))
    parser.add_argument("--score", type=float, default=0.25)
    parser.add_argument("--image", help="WIDTHxHEIGHT of the picture, if it was letterboxed")
    arguments = parser.parse_args()
    head = json.loads(arguments.head.read_text())
    held = dict(np.load(arguments.outputs))
    scales = {name.removesuffix("_scale"): array for name, array in held.items() if name.endswith("_scale")}
    boxes, scores, classes = decode(held, head, scales, arguments.score)
    if arguments.image:
        width, height = map(int, arguments.image.split("x"))
        boxes = unboxed(boxes, (width, height), tuple(head["input_size"]))
    for box, value, label in zip(boxes, scores, classes, strict=True):
        print(json.dumps({"class": int(label), "score": float(value), "box": box.round(2).tolist()}))


if __name__ == "__main__":
    main()
