"""How far the detections of one model are those of another: average precision with the first as the truth.

A candidate's detections are matched to the reference's greedily by descending score, class by class; average
precision at IoU 0.50, 0.55 .. 0.95 with 101-point interpolation over all classes together, as COCO's
evaluation defines it (cocodataset.org, "Detection Evaluation").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from y10c.detect.decode import Detections, overlaps

IOUS = tuple(round(0.5 + 0.05 * i, 2) for i in range(10))
_RECALLS = np.linspace(0, 1, 101)

REFERENCE_SCORE = 0.25
"""Detections of the reference that count as true."""
SCORES = (0.25, 0.001)
"""Least scores of the candidate's detections: what a user sees, and what COCO's evaluation takes."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """Average precision of the candidate's detections above a score, the reference's being the truth.

    Args:
        score: Least score of the candidate's detections.
        ap50: At IoU 0.5.
        ap75: At IoU 0.75.
        ap: Mean over IoU 0.50 to 0.95.
    """

    score: float
    ap50: float
    ap75: float
    ap: float


@dataclass(frozen=True)
class Changes:
    """What changed in one image, among detections above 0.25 at IoU 0.5.

    Args:
        kept: Detections that both have.
        lost: Detections that only the reference has.
        new: Detections that only the candidate has.
    """

    kept: int
    lost: int
    new: int

    @property
    def changed(self) -> int:
        """Detections that one of the two lacks."""
        return self.lost + self.new


def agreement(
    reference: Sequence[Detections], candidate: Sequence[Detections], score: float
) -> Agreement | None:
    """Average precision over images; None where the reference detects nothing, so that nothing is known."""
    truth = [found.taken(found.scores > REFERENCE_SCORE) for found in reference]
    judged = [found.taken(found.scores > score) for found in candidate]
    total = sum(map(len, truth))
    if not total:
        return None
    tables = [_overlap_table(f, t) for f, t in zip(judged, truth, strict=True)]
    scores = np.concatenate([f.scores for f in judged])
    each = {iou: _average_precision(tables, scores, total, iou) for iou in IOUS}
    return Agreement(score, each[0.5], each[0.75], float(np.mean(list(each.values()))))


def changes(reference: Detections, candidate: Detections) -> Changes:
    """What one image lost and gained."""
    truth = reference.taken(reference.scores > REFERENCE_SCORE)
    judged = candidate.taken(candidate.scores > REFERENCE_SCORE)
    kept = int(_hits(_overlap_table(judged, truth), 0.5).sum())
    return Changes(kept, len(truth) - kept, len(judged) - kept)


def _overlap_table(found: Detections, truth: Detections) -> Floats:
    """IoU of each detection (rows, best first) with each true one (columns), 0 for another class."""
    table = np.zeros((len(found), len(truth)))
    for row in range(len(found) if len(truth) else 0):
        same = truth.classes == found.classes[row]
        table[row] = overlaps(found.boxes[row], truth.boxes) * same
    return table


def _hits(table: Floats, threshold: float) -> NDArray[np.bool_]:
    """Which detections find a true one that no better one has taken."""
    free = np.ones(table.shape[1], bool)
    hits = np.zeros(len(table), bool)
    for row, overlap in enumerate(table if len(free) else ()):
        left = np.where(free, overlap, -1.0)
        best = int(left.argmax())
        hits[row] = left[best] >= threshold
        free[best] &= not hits[row]
    return hits


def _average_precision(tables: Sequence[Floats], scores: Floats, total: int, threshold: float) -> float:
    hits = np.concatenate([_hits(table, threshold) for table in tables])
    if not len(hits):
        return 0.0
    correct = np.cumsum(hits[np.argsort(-scores, kind="stable")])
    recall, precision = correct / total, correct / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.mean([envelope[recall >= r].max(initial=0.0) for r in _RECALLS]))
