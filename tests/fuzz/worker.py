"""Runs corrupted models through y10c and tells, line by line, what became of each.

Called by test_corruptions as `python worker.py MODEL SEEDS... [--run]`; a line is written before each stage,
so that the parent knows where a crash or a hang happened.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import onnx
import onnxruntime
from corruption import corrupted

from y10c.errors import InternalError, Y10cError
from y10c.frontend.importer import load
from y10c.ir.parser import parse_graph
from y10c.ir.printer import print_graph
from y10c.ir.tensor import Tensor

SECONDS = 10
"""More processor time than this for one file is a hang."""

DYNAMIC_EXTENT = 64
"""What a symbolic extent of an input becomes."""


def say(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


def attempt(path: Path) -> tuple[str, onnx.ModelProto | None]:
    """What y10c makes of a file: an outcome in a word or a sentence, and the model where it gives one."""
    try:
        graph = load(path)
        side: dict[str, Tensor] = {}
        text = print_graph(graph, side)
        return "model", parse_graph(text, side).to_onnx()
    except InternalError as error:
        return f"internal error: {error}", None
    except Y10cError as error:
        return f"error {error.code}", None
    except Exception as error:
        return f"raised {type(error).__name__}: {error}", None


def outputs(data: bytes) -> list[Any] | None:
    """The outputs on a seeded input; None where onnxruntime refuses the model."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        rng = np.random.default_rng(0)
        feeds = {
            i.name: rng.random(
                [d if isinstance(d, int) and 0 < d < 10_000 else DYNAMIC_EXTENT for d in i.shape], np.float32
            )
            for i in session.get_inputs()
        }
        return list(session.run(None, feeds))
    except Exception:
        return None


def same(a: list[Any], b: list[Any] | None) -> bool:
    return (
        b is not None
        and len(a) == len(b)
        and all(np.allclose(x, y, rtol=1e-4, atol=1e-5, equal_nan=True) for x, y in zip(a, b, strict=True))
    )


def _peak_bytes() -> int:
    """Largest resident memory; `ru_maxrss` would count what the parent held when it started this process."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024


def case(data: bytes, seed: int, folder: Path, run: bool) -> None:
    kind, broken = corrupted(data, seed)
    path = folder / "broken.onnx"
    path.write_bytes(broken)
    say(seed=seed, stage="y10c")
    started = perf_counter()
    signal.setitimer(signal.ITIMER_PROF, SECONDS)  # ends this process, which the parent takes for a hang
    outcome, model = attempt(path)
    signal.setitimer(signal.ITIMER_PROF, 0)
    seconds = perf_counter() - started
    peak = _peak_bytes()
    if run and model is not None:
        say(seed=seed, stage="onnxruntime")
        before = outputs(broken)
        if before is None:
            outcome = "model that onnxruntime refuses unmodified"
        elif not same(before, outputs(model.SerializeToString())):
            outcome = "another model"
    say(seed=seed, kind=kind, outcome=outcome, peak=peak, seconds=seconds)


def main() -> None:
    run = "--run" in sys.argv
    model, *seeds = [a for a in sys.argv[1:] if a != "--run"]
    data = Path(model).read_bytes()
    np.seterr(all="ignore")
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            case(data, int(seed), Path(folder), run)


if __name__ == "__main__":
    main()
