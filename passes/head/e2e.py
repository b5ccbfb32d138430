"""`e2e`: rank logits first, decode the survivors only.

Sigmoid is monotone, so the best logits are the best scores (arXiv 2405.14458, section 3.1, ranks scores).
Survivors are put into the order of their anchors before pairs of anchor and class are ranked; as TopK
prefers lower indices, equal scores come by lower anchor, then by lower class. Index arithmetic is done on
floats, exact up to 2**23, since chips and their compilers do not take Mod and Div on int64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from y10c.ir.types import DType
from y10c.ir.value import Op, Value
from y10c.passes.head.raw import declare_shapes
from y10c.passes.head.recognize import Head
from y10c.rewrite.rewriter import Rewriter

MOST_DETECTIONS = 300
"""Rows of the networks as published."""


def fold_e2e(rewriter: Rewriter, head: Head) -> None:
    """Put the slim tail in place of the graph's outputs: one output, `[batch, rows, 6]`."""
    declare_shapes(rewriter, head)
    graph = rewriter.graph
    name, old = _kept_output(rewriter, head)
    with rewriter.before(graph.terminator):
        rows = _Tail(rewriter, head).rows()
        if old is not None and old.type is not None and old.tensor_type.dtype is not DType.f32:
            rows = rewriter.op.Cast(rows, to=old.tensor_type.dtype.value)
    if old is not None and old.type is not None:
        rewriter.set_type(rows, old.tensor_type)
    rewriter.set_outputs([rows], [name])
    rows.name = name
    rewriter.erase_dead()


def _kept_output(rewriter: Rewriter, head: Head) -> tuple[str, Value | None]:
    graph = rewriter.graph
    if head.detections:
        for name, value in zip(graph.output_names, graph.outputs, strict=True):
            if value.shape is not None and value.shape[1:] == (head.detections, 6):
                return name, value
    return "output0", None


@dataclass
class _Tail:
    """Builds the tail; B is the batch, A the anchors, C the classes, R the bins, K the survivors."""

    rewriter: Rewriter
    head: Head

    def __post_init__(self) -> None:
        self.op: Any = self.rewriter.op
        cells = [height * width for height, width in (s.extent for s in self.head.scales)]
        self.anchors = sum(cells)
        self.keep = min(self.head.detections or MOST_DETECTIONS, self.anchors)

    def rows(self) -> Value:
        """`[B, K, 6]`: x1, y1, x2, y2 in pixels, score, class; best first."""
        survivors = self._survivors()
        logits = self._taken([s.cls for s in self.head.scales], survivors, self.head.classes)
        boxes = self._boxes(survivors)
        best, flat = self._top(self.op.Reshape(logits, [0, -1]))
        rank, label = self._rank_and_class(flat)
        chosen = self._gather_rows(boxes, rank, 4)
        score = self._column(self.op.Sigmoid(best))
        made: Value = self.op.Concat(chosen, score, self._column(label), axis=-1)
        return made

    def _survivors(self) -> Value:
        """Anchors with the best single logits, ascending: `[B, K]` int64."""
        best = [self.op.ReduceMax(s.cls.result, [1], keepdims=0) for s in self.head.scales]
        flat = [self.op.Reshape(b, [0, -1]) for b in best]
        _, anchors = self._top(self._wide(self.op.Concat(*flat, axis=1)))
        ascending, _ = self._top(self.op.Cast(anchors, to=DType.f32.value), largest=0)
        made: Value = self.op.Cast(ascending, to=DType.i64.value)
        return made

    def _top(self, values: Value, largest: int = 1) -> tuple[Value, Value]:
        made: tuple[Value, Value] = self.op.TopK(values, [self.keep], axis=1, largest=largest, sorted=1)
        made[1].name = "head_order"  # a result without a name that nobody reads would be left out
        return made

    def _taken(self, convs: list[Op], anchors: Value, width: int) -> Value:
        """The survivors' columns of all scales' maps: `[B, K, width]`."""
        flat = [self.op.Reshape(c.result, [0, width, -1]) for c in convs]
        index = self.op.Expand(self.op.Unsqueeze(anchors, [1]), [1, width, 1])
        taken = self.op.GatherElements(self.op.Concat(*flat, axis=2), index, axis=2)
        made: Value = self._wide(self.op.Transpose(taken, perm=(0, 2, 1)))
        return made

    def _wide(self, value: Value) -> Value:
        """As float32, in which a half network's logits are ranked and decoded too."""
        if value.tensor_type.dtype is DType.f32:
            return value
        made: Value = self.op.Cast(value, to=DType.f32.value)
        return made

    def _boxes(self, survivors: Value) -> Value:
        """Corners in pixels: `[B, K, 4]`."""
        head, bins = self.head, self.head.reg_max
        sides = self._taken([s.box for s in head.scales], survivors, 4 * bins)
        if head.distribution:
            shares = self.op.Softmax(self.op.Reshape(sides, [0, 0, 4, bins]), axis=3)
            weighted = self.op.Mul(shares, np.asarray(head.bins, np.float32))
            sides = self.op.ReduceSum(weighted, [3], keepdims=0)
        centers, steps = _anchor_tables(head)
        outward = self.op.Mul(sides, self.op.Gather(self.rewriter.const(steps), survivors, axis=0))
        made: Value = self.op.Add(self.op.Gather(self.rewriter.const(centers), survivors, axis=0), outward)
        return made

    def _rank_and_class(self, flat: Value) -> tuple[Value, Value]:
        """Quotient (int64) and remainder (float) of flat indices by the number of classes: `[B, K]` each."""
        count = np.float32(self.head.classes)
        index = self.op.Cast(flat, to=DType.f32.value)
        # Half a step keeps quotients away from whole numbers, where rounding could move them.
        rank = self.op.Floor(self.op.Div(self.op.Add(index, np.float32(0.5)), count))
        label = self.op.Sub(index, self.op.Mul(rank, count))
        return self.op.Cast(rank, to=DType.i64.value), label

    def _gather_rows(self, table: Value, rank: Value, width: int) -> Value:
        index = self.op.Expand(self._column(rank), [1, 1, width])
        made: Value = self.op.GatherElements(table, index, axis=1)
        return made

    def _column(self, value: Value) -> Value:
        made: Value = self.op.Unsqueeze(value, [2])
        return made


def _anchor_tables(head: Head) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Centers (x, y, x, y) and steps (-s, -s, s, s) of every anchor, `[A, 4]` in pixels."""
    centers, steps = [], []
    for scale in head.scales:
        height, width = scale.extent
        y, x = (np.mgrid[:height, :width].reshape(2, -1) + 0.5) * scale.stride
        centers.append(np.stack([x, y, x, y], axis=1))
        steps.append(np.tile(np.array([-1, -1, 1, 1]) * scale.stride, (height * width, 1)))
    return np.concatenate(centers).astype(np.float32), np.concatenate(steps).astype(np.float32)
