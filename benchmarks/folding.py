"""What folding a head changes: raw logits of several exports against each other, rows against the original's.

Run `python benchmarks/folding.py IMAGES MODEL.onnx... [--renamed]`. Models of the same weights belong into
one run: the raw outputs of each are compared with those of the first. Where there is a one-to-one head, the
rows of the folded model are paired with the original's on every image.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

import y10c
from y10c.calib.preprocess import Preprocess
from y10c.passes.head.fold import fold_head
from y10c.passes.head.recognize import recognize
from y10c.testing.rename import scrambled

IMAGES = 20
LEAST_SCORE, BOX, SCORE, TIE = 1e-3, 0.05, 1e-4, 1e-5
"""Rows that count; how far apart in pixels and score partners may be; scores that are equal."""
THREADS = 1

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Agreement:
    """How two lists of detections agree.

    Args:
        rows: Rows that count, on both sides.
        alone: Those without a partner of their class within the bounds.
        box: Greatest distance of partners in pixels.
        score: Greatest difference of their scores.
        order: Greatest difference of the scores that stand in one place.
    """

    rows: int
    alone: int
    box: float
    score: float
    order: float

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(
            self.rows + other.rows,
            self.alone + other.alone,
            max(self.box, other.box),
            max(self.score, other.score),
            max(self.order, other.order),
        )


NOTHING = Agreement(0, 0, 0.0, 0.0, 0.0)


def agreement(ours: Array, theirs: Array) -> Agreement:
    """Pair the rows `[n, 6]` of two models, each side's with the other's."""
    found = NOTHING
    for a, b in ((ours, theirs), (theirs, ours)):
        last = b[-1, 4] + TIE if b[-1, 4] > LEAST_SCORE else LEAST_SCORE  # rows cut off in a tie
        for row in a[a[:, 4] > last]:
            found += _partner(row, b)
    counted = min((x[:, 4] > LEAST_SCORE).sum() for x in (ours, theirs))
    order = float(np.abs(ours[:counted, 4] - theirs[:counted, 4]).max(initial=0))
    return found + Agreement(0, 0, 0.0, 0.0, order)


def _partner(row: Array, others: Array) -> Agreement:
    same = others[others[:, 5] == row[5]]
    boxes = np.abs(same[:, :4] - row[:4]).max(axis=1)
    scores = np.abs(same[:, 4] - row[4])
    near = (boxes <= BOX) & (scores <= SCORE)
    if not near.any():
        return Agreement(1, 1, 0.0, 0.0, 0.0)
    best = np.argmin(np.where(near, boxes, np.inf))
    return Agreement(1, 0, float(boxes[best]), float(scores[best]), 0.0)


def session(model: onnx.ModelProto) -> Any:
    """One without optimizations, which reorder sums."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = THREADS, 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def outputs(one: Any, x: Array) -> Mapping[str, Array]:
    """The outputs of a model of one input, by name."""
    names = [o.name for o in one.get_outputs()]
    return dict(zip(names, one.run(names, {one.get_inputs()[0].name: x}), strict=True))


def pictures(folder: Path, count: int) -> Iterator[Array]:
    """The first pictures of a folder as inputs `[1, 3, 640, 640]`."""
    from PIL import Image

    preprocess, shape = Preprocess(), (1, 3, 640, 640)
    for path in sorted(folder.glob("*.jpg"))[:count]:
        with Image.open(path) as image:
            yield preprocess.tensor(preprocess.canvas(image, shape), shape, np.dtype(np.float32))


def raw_outputs(model: onnx.ModelProto, x: Array) -> Mapping[str, Array]:
    """The six maps after folding."""
    graph = y10c.load(model)
    fold_head(graph, "raw")
    return outputs(session(graph.to_onnx()), x)


def rows_agreement(model: onnx.ModelProto, images: Sequence[Array]) -> Agreement | None:
    """The folded model's rows against the original's; None where the original gives none."""
    graph = y10c.load(model)
    head = recognize(graph)
    if head is None or not head.detections:
        return None
    fold_head(graph, "e2e")
    sessions = session(graph.to_onnx()), session(model)
    found = NOTHING
    for x in images:
        ours, theirs = (next(iter(outputs(one, x).values()))[0] for one in sessions)
        found += agreement(ours, theirs)
    return found


def measure(paths: Sequence[Path], images: Sequence[Array], renamed: bool) -> list[dict[str, Any]]:
    """One entry a model."""
    found, first = [], None
    for path in paths:
        model = onnx.load(path)
        model = scrambled(model) if renamed else model
        maps = raw_outputs(model, images[0])
        first = first or maps
        rows = rows_agreement(model, images)
        found.append(
            {
                "model": path.name,
                "renamed": renamed,
                "outputs": {name: list(value.shape) for name, value in maps.items()},
                "raw_difference": max(float(np.abs(v - first[n]).max()) for n, v in maps.items()),
                "rows": None if rows is None else asdict(rows),
            }
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=IMAGES)
    parser.add_argument("--renamed", action="store_true", help="give everything random names first")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    images = list(pictures(options.images, options.count))
    found = measure(options.models, images, options.renamed)
    if options.json:
        print(json.dumps(found, indent=1))
        return
    print(f"{'model':26}{'raw':>10}{'rows':>8}{'alone':>7}{'box px':>9}{'score':>10}{'order':>10}")
    for one in found:
        line = f"{one['model']:26}{one['raw_difference']:>10.1e}"
        if one["rows"] is not None:
            r = one["rows"]
            line += f"{r['rows']:>8}{r['alone']:>7}{r['box']:>9.4f}{r['score']:>10.1e}{r['order']:>10.1e}"
        print(line)


if __name__ == "__main__":
    main()
