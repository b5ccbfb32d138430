"""Agreement of detections equals that of an independent program, and knows its edge cases."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from y10c.comparison.agreement import agreement, changes
from y10c.detect.decode import Detections


def drawn(seed: int, count: int) -> Detections:
    draw = np.random.default_rng(seed)
    corner = draw.uniform(0, 400, (count, 2))
    boxes = np.concatenate([corner, corner + draw.uniform(20, 200, (count, 2))], axis=1)
    scores = np.sort(draw.random(count))[::-1]
    return Detections(boxes, scores, draw.integers(0, 3, count))


def disturbed(found: Detections, seed: int) -> Detections:
    draw = np.random.default_rng(seed)
    boxes = found.boxes + draw.normal(0, 6, found.boxes.shape)
    scores = np.clip(found.scores + draw.normal(0, 0.1, len(found)), 0, 1)
    order = np.argsort(-scores, kind="stable")
    return Detections(boxes, scores, found.classes).taken(order)


def rows(found: Detections) -> np.ndarray:
    return np.concatenate([found.boxes, found.scores[:, None], found.classes[:, None]], axis=1)


@pytest.fixture(scope="module")
def tool(shared: Path) -> Any:
    spec = importlib.util.spec_from_file_location("agreement_tool", shared / "tools/detection_agreement.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("score", [0.25, 0.001])
def test_average_precision_is_that_of_the_shared_tool(tool: Any, score: float) -> None:
    truth = [drawn(seed, 30) for seed in range(6)]
    judged = [disturbed(found, 50 + seed) for seed, found in enumerate(truth)]
    found = agreement(truth, judged, score)
    assert found is not None
    ours = [found.ap50, found.ap75, found.ap]
    each = [
        tool.average_precision([rows(t) for t in truth], [rows(j) for j in judged], 0.25, score, iou)
        for iou in tool.IOUS
    ]
    assert ours == pytest.approx([each[0], each[5], float(np.mean(each))], abs=1e-12)
    assert 0.05 < found.ap < 0.95


def test_the_same_detections_agree_fully() -> None:
    truth = [drawn(seed, 12) for seed in range(3)]
    found = agreement(truth, truth, 0.25)
    assert found is not None
    assert (found.ap50, found.ap) == (1.0, 1.0)
    assert changes(truth[0], truth[0]).changed == 0


def test_nothing_to_find_is_not_an_agreement_of_one() -> None:
    empty = drawn(0, 0)
    assert agreement([empty], [drawn(1, 5)], 0.25) is None
    found = agreement([drawn(1, 5)], [empty], 0.25)
    assert found is not None
    assert found.ap == 0.0


def test_a_box_of_another_class_is_lost_and_new() -> None:
    box = np.array([[0.0, 0.0, 10.0, 10.0]])
    one, other = (Detections(box, np.array([0.9]), np.array([label])) for label in (0, 1))
    seen = changes(one, other)
    assert (seen.kept, seen.lost, seen.new) == (0, 1, 1)
    twice = Detections(box.repeat(2, axis=0), np.array([0.9, 0.8]), np.array([0, 0]))
    seen = changes(one, twice)
    assert (seen.kept, seen.lost, seen.new) == (1, 0, 1)
