"""From output arrays to boxes: raw logits, rows of an e2e model; suppression where the head needs it.

Methods: boxes as distributions, arXiv 2006.04388; ranking without NMS, arXiv 2405.14458, section 3.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from y10c.detect.head_info import HeadInfo
from y10c.errors import DataError

Array = NDArray[Any]
MOST_DETECTIONS = 300
"""As many rows as the networks give as published."""


@dataclass(frozen=True)
class Detections:
    """Boxes of one image, best first.

    Args:
        boxes: x1, y1, x2, y2 in pixels, `[n, 4]` float64.
        scores: `[n]` float64, 0 to 1.
        classes: `[n]` int64.
    """

    boxes: Array
    scores: Array
    classes: Array

    def __len__(self) -> int:
        return len(self.scores)

    def taken(self, index: Array) -> Detections:
        """Some of them, by mask or index."""
        return Detections(self.boxes[index], self.scores[index], self.classes[index])


def decode(
    outputs: Mapping[str, Array], info: HeadInfo, *, score: float = 0.25, iou: float = 0.7
) -> Detections:
    """The detections of a batch of one.

    Args:
        outputs: The model's outputs by name; integers are taken times `info.scales`.
        info: How to decode.
        score: Least score.
        iou: Boxes of one class that overlap more are suppressed, unless the head is known not to need it.

    Raises:
        DataError: The outputs are not what the description says.
    """
    if info.mode == "raw":
        found = decode_raw([_real(outputs, name, info) for name in info.outputs], info, score=score)
        return found if info.needs_nms is False else suppress(found, iou)
    return decode_rows(_real(outputs, info.outputs[0], info), score=score)


def decode_rows(rows: Array, *, score: float = 0.25) -> Detections:
    """Detections from `[1, n, 6]` rows of x1, y1, x2, y2, score, class.

    Raises:
        DataError: The shape is another.
    """
    if rows.ndim != 3 or rows.shape[0] != 1 or rows.shape[2] != 6:
        raise DataError(f"an output of shape {list(rows.shape)} does not hold rows of six numbers")
    kept = rows[0][rows[0, :, 4] >= score].astype(np.float64)
    return Detections(kept[:, :4], kept[:, 4], kept[:, 5].astype(np.int64))


def decode_raw(maps: Sequence[Array], info: HeadInfo, *, score: float = 0.25) -> Detections:
    """Detections from NHWC logits, class then box of each scale; not suppressed.

    As in the e2e tail, at most 300 anchors survive, by their best class, then at most 300 pairs of anchor
    and class; equal scores come by lower anchor, then by lower class.

    Raises:
        DataError: The maps are not what the description says.
    """
    logits, sides = _of_all_anchors(maps, info)
    best = logits.max(axis=1)
    order = np.argsort(-best, kind="stable")[:MOST_DETECTIONS]
    anchors = np.sort(order[_probability(best[order]) >= score])
    flat = logits[anchors].ravel()
    pairs = np.argsort(-flat, kind="stable")[:MOST_DETECTIONS]
    pairs = pairs[_probability(flat[pairs]) >= score]
    rank, classes = np.divmod(pairs, info.classes)
    boxes = _boxes(sides[anchors].astype(np.float64), anchors, info)
    return Detections(boxes[rank], _probability(flat[pairs]), classes)


def decode_anchors(maps: Sequence[Array], info: HeadInfo) -> tuple[Array, Array]:
    """Corners `[anchors, 4]` in pixels and probabilities `[anchors, classes]` of every anchor.

    Raises:
        DataError: The maps are not what the description says.
    """
    logits, sides = _of_all_anchors(maps, info)
    return _boxes(sides.astype(np.float64), np.arange(len(sides)), info), _probability(logits)


def _of_all_anchors(maps: Sequence[Array], info: HeadInfo) -> tuple[Array, Array]:
    _check(maps, info)
    logits = np.concatenate([m.reshape(-1, info.classes) for m in maps[0::2]]).astype(np.float64)
    return logits, np.concatenate([m.reshape(-1, 4 * info.reg_max) for m in maps[1::2]])


def _check(maps: Sequence[Array], info: HeadInfo) -> None:
    wanted = [(1, *extent, width) for extent in info.extents for width in (info.classes, 4 * info.reg_max)]
    found = [m.shape for m in maps]
    if found != wanted:
        raise DataError(
            f"the outputs have the shapes {[list(s) for s in found]}, not {[list(s) for s in wanted]}",
            help="the description of the head belongs to another model",
        )


def _probability(logits: Array) -> Array:
    made: Array = 1 / (1 + np.exp(-logits))
    return made


def _boxes(sides: Array, anchors: Array, info: HeadInfo) -> Array:
    """Corners in pixels of some anchors."""
    centers, strides = _grid(info)
    if info.distribution:
        logits = sides.reshape(len(sides), 4, info.reg_max)
        shares = np.exp(logits - logits.max(axis=2, keepdims=True))
        sides = (shares / shares.sum(axis=2, keepdims=True)) @ np.asarray(info.bins)
    sides = sides * strides[anchors, None]
    made: Array = np.concatenate([centers[anchors] - sides[:, :2], centers[anchors] + sides[:, 2:]], axis=1)
    return made


def _grid(info: HeadInfo) -> tuple[Array, Array]:
    """Centers of all anchors in pixels, `[n, 2]`, and their strides, `[n]`."""
    centers, strides = [], []
    for stride, (height, width) in zip(info.strides, info.extents, strict=True):
        y, x = (np.mgrid[:height, :width].reshape(2, -1) + 0.5) * stride
        centers.append(np.stack([x, y], axis=1))
        strides.append(np.full(height * width, stride, np.float64))
    return np.concatenate(centers), np.concatenate(strides)


def suppress(found: Detections, iou: float) -> Detections:
    """Greedy non-maximum suppression within each class: a box falls to a better one it overlaps too much."""
    kept: list[int] = []
    for i in range(len(found)):
        same = [k for k in kept if found.classes[k] == found.classes[i]]
        if not same or overlaps(found.boxes[i], found.boxes[same]).max() <= iou:
            kept.append(i)
    return found.taken(np.array(kept, np.int64))


def overlaps(box: Array, others: Array) -> Array:
    """Intersection over union of one box with each of `[n, 4]`."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    common = np.clip(high - low, 0, None).prod(axis=1)
    areas = (others[:, 2:] - others[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod() - common
    made: Array = common / np.maximum(areas, np.finfo(np.float64).tiny)
    return made


def _real(outputs: Mapping[str, Array], name: str, info: HeadInfo) -> Array:
    array = outputs.get(name)
    if array is None:
        raise DataError(f"the model has no output {name!r}", help="the description belongs to another model")
    if array.dtype.kind != "f":
        scales = (info.scales or {}).get(name)
        if not scales:
            raise DataError(f"output {name!r} holds integers, and nothing says their scale")
        array = array * np.asarray(scales)
    return array
