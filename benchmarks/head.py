"""What ranking before decoding saves: the decode tail in onnxruntime, as exported against folded.

Run `python benchmarks/head.py MODEL.onnx...`; each must have a one-to-one head that is decoded. The tails are
cut out behind the last convolutions and fed seeded random logits, so that nothing else is timed. Runs
alternate between the two, in one process.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx.utils import Extractor

from y10c.frontend.importer import load
from y10c.ir.graph import Graph
from y10c.passes.head.fold import fold_head
from y10c.passes.head.recognize import Head, channels, recognize

RUNS = 50
THREADS = 1


@dataclass(frozen=True)
class Tail:
    """A decode tail on its own.

    Args:
        model: From logits to rows.
        ops: Its nodes.
        decoded: Anchors that are decoded.
        sigmoids: Elements that go through the sigmoid.
        feed: Logits.
    """

    model: onnx.ModelProto
    ops: int
    decoded: int
    sigmoids: int
    feed: dict[str, Any]


def tail_of(graph: Graph) -> Tail:
    """The tail of a graph whose first output is rows of detections."""
    head = recognize(graph)
    if head is None:
        raise SystemExit(f"{graph.info.path}: no head is recognised")
    model = graph.to_onnx()
    cut = Extractor(model).extract_model([v.name for v in head.boundary], graph.output_names[:1])
    sizes = {op.name: op.result.tensor_type.elements for op in head.tail if op.name in ("Softmax", "Sigmoid")}
    return Tail(
        cut, len(cut.graph.node), sizes["Softmax"] // (4 * head.reg_max), sizes["Sigmoid"], logits_for(head)
    )


def session(model: onnx.ModelProto) -> Any:
    """A session of one thread with all optimizations, as users run it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = THREADS, 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def alternate(sessions: Sequence[Any], feeds: Sequence[dict[str, Any]], runs: int) -> list[float]:
    """Median milliseconds of each session."""
    times: list[list[float]] = [[] for _ in sessions]
    for _ in range(runs):
        for spent, one, feed in zip(times, sessions, feeds, strict=True):
            started = perf_counter()
            one.run(None, feed)
            spent.append(1000 * (perf_counter() - started))
    return [statistics.median(spent) for spent in times]


def measure(path: Path, runs: int) -> dict[str, Any]:
    """Both tails of a model."""
    original, folded = load(path), load(path)
    fold_head(folded, "e2e")
    tails = [tail_of(original), tail_of(folded)]
    sessions = [session(t.model) for t in tails]
    feeds = [t.feed for t in tails]
    before, after = alternate(sessions, feeds, runs)
    rows = [s.run(None, f)[0] for s, f in zip(sessions, feeds, strict=True)]
    return {
        "model": path.name,
        "original": {**counts_of(tails[0]), "ms": before},
        "folded": {**counts_of(tails[1]), "ms": after},
        "ratio": before / after,
        "largest_difference": float(np.abs(rows[0] - rows[1]).max()),
    }


def counts_of(tail: Tail) -> dict[str, Any]:
    """The numbers of a tail."""
    return {"ops": tail.ops, "decoded": tail.decoded, "sigmoids": tail.sigmoids}


def logits_for(head: Head) -> dict[str, Any]:
    """Class logits, far below zero as after training, and box logits, by name."""
    rng = np.random.default_rng(0)
    return {
        op.result.name: rng.normal(mean, 1.5, (1, channels(op), *scale.extent)).astype(np.float32)
        for scale in head.scales
        for op, mean in ((scale.cls, -6), (scale.box, 0))
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = [measure(path, options.runs) for path in options.models]
    if options.json:
        print(json.dumps(found, indent=1))
        return
    print(f"{'model':24}{'ms':>9}{'folded':>9}{'ratio':>8}{'decoded':>14}{'sigmoids':>16}{'nodes':>10}")
    for f in found:
        a, b = f["original"], f["folded"]
        counts = [f"{a[k]}->{b[k]}" for k in ("decoded", "sigmoids", "ops")]
        times = f"{a['ms']:>9.3f}{b['ms']:>9.3f}{f['ratio']:>8.1f}"
        print(f"{f['model']:24}{times}{counts[0]:>14}{counts[1]:>16}{counts[2]:>10}")


if __name__ == "__main__":
    main()
