"""Decoding raw logits and rows, suppression, and the way back to a picture's pixels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from y10c.detect.decode import Detections, decode, decode_raw, decode_rows, overlaps, suppress
from y10c.detect.detector import unboxed
from y10c.detect.head_info import HeadInfo
from y10c.errors import DataError, ModelError

INFO = HeadInfo(
    "raw",
    mode="raw",
    classes=3,
    reg_max=4,
    bins=(0.0, 1.0, 2.0, 3.0),
    strides=(8, 16),
    extents=((4, 4), (2, 2)),
    input_size=(32, 32),
    outputs=("cls8", "box8", "cls16", "box16"),
    needs_nms=False,
)


def maps() -> dict[str, Any]:
    """One certain detection: class 2 at row 1, column 3 of stride 8, one cell to each side."""
    made = {"cls8": np.full((1, 4, 4, 3), -9.0), "box8": np.full((1, 4, 4, 16), -50.0)}
    made |= {"cls16": np.full((1, 2, 2, 3), -9.0), "box16": np.full((1, 2, 2, 16), -50.0)}
    made["cls8"][0, 1, 3, 2] = 2.0
    made["box8"][0, 1, 3, 1::4] = 50.0
    return {name: value.astype(np.float32) for name, value in made.items()}


def test_raw_logits_become_a_box_in_pixels() -> None:
    found = decode(maps(), INFO)
    assert found.classes.tolist() == [2]
    np.testing.assert_allclose(found.boxes, [[20, 4, 36, 20]])
    np.testing.assert_allclose(found.scores, 1 / (1 + np.exp(-2.0)))


def test_moved_bins_are_respected() -> None:
    found = decode(maps(), replace(INFO, bins=(0.0, 0.5, 2.0, 3.0)))
    np.testing.assert_allclose(found.boxes, [[24, 8, 32, 16]])


def test_distances_without_distribution_are_taken_as_they_are() -> None:
    info = replace(INFO, reg_max=1, distribution=False)
    outputs = maps()
    for name in ("box8", "box16"):
        outputs[name] = np.ones((*outputs[name].shape[:3], 4), np.float32)
    np.testing.assert_allclose(decode(outputs, info).boxes, [[20, 4, 36, 20]])


def test_integers_are_taken_times_their_scales() -> None:
    outputs = maps()
    outputs["cls8"] = (outputs["cls8"] * 10).astype(np.int8)
    with pytest.raises(DataError, match="scale"):
        decode(outputs, INFO)
    found = decode(outputs, replace(INFO, scales={"cls8": (0.1, 0.1, 0.1)}))
    np.testing.assert_allclose(found.scores, 1 / (1 + np.exp(-2.0)))


def test_equal_scores_come_by_anchor_then_class() -> None:
    outputs = maps()
    outputs["cls8"][0, 0, 1], outputs["cls16"][0, 1, 1] = 1.0, 1.0
    found = decode_raw([outputs[n] for n in INFO.outputs], INFO, score=0.5)
    assert found.classes.tolist() == [2, 0, 1, 2, 0, 1, 2]
    assert found.boxes[1:4, 0].tolist() == found.boxes[[1, 1, 1], 0].tolist()
    assert found.scores.argmax() == 0


def test_maps_of_another_model_are_refused() -> None:
    with pytest.raises(DataError, match="shapes"):
        decode(maps(), replace(INFO, classes=4))
    with pytest.raises(DataError, match="cls32"):
        decode(maps(), replace(INFO, outputs=("cls32",)))


def test_rows_below_the_score_are_dropped() -> None:
    rows = np.array([[[1, 2, 3, 4, 0.9, 7], [1, 2, 3, 4, 0.2, 7]]], np.float32)
    found = decode_rows(rows)
    assert (len(found), found.classes.tolist()) == (1, [7])
    with pytest.raises(DataError):
        decode_rows(rows[..., :5])


def test_suppression_is_within_a_class() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 9.5], [50, 50, 60, 60]], float)
    found = Detections(boxes, np.array([0.9, 0.8, 0.7, 0.6]), np.array([0, 0, 1, 0]))
    assert suppress(found, 0.7).scores.tolist() == [0.9, 0.7, 0.6]
    assert len(suppress(found, 0.95)) == 4
    np.testing.assert_allclose(overlaps(boxes[0], boxes), [1, 0.9, 0.95, 0])


def test_boxes_go_back_through_the_letterbox() -> None:
    # 200x100 in 64x64: scaled by 0.32 to 64x32, 16 rows of border above.
    found = Detections(np.array([[0, 16, 64, 48.0], [-9, 0, 32, 32]]), np.ones(2), np.zeros(2, int))
    np.testing.assert_allclose(
        unboxed(found, (200, 100), (64, 64)).boxes, [[0, 0, 200, 100], [0, 0, 100, 50]]
    )


def test_broken_description_is_an_error_of_the_model() -> None:
    with pytest.raises(ModelError):
        HeadInfo.from_json("{")
    with pytest.raises(ModelError):
        HeadInfo.from_json('{"no such field": 1}')
