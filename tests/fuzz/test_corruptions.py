"""A damaged file gives an error of ours or the model that it holds: never a crash, a hang, or much memory."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

import pytest

SILENCE = 120
"""Seconds without a word that are a hang; the worker itself ends where one file takes 10 s of processor time,
which, unlike time on the clock, does not depend on what else the machine does."""
MEMORY = 2 * 1024**3
WORKER = Path(__file__).with_name("worker.py")
BATCHES = {"ppocr_cls.onnx": 100, "ppocr_det.onnx": 60, "yolov10n_e2e.onnx": 40}
"""Corruptions of each real file; together 200."""


def outcomes(model: Path, seeds: list[int], *, run: bool) -> Iterator[dict[str, Any]]:
    """What the worker says of each seed; a new worker takes over behind a crash or a hang."""
    while seeds:
        done = 0
        for fact in _one_worker(model, seeds, run):
            yield fact
            done += 1
        seeds = seeds[done:]


def _one_worker(model: Path, seeds: list[int], run: bool) -> Iterator[dict[str, Any]]:
    command = [sys.executable, str(WORKER), str(model), *map(str, seeds), *(["--run"] if run else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as worker:
        lines: Queue[str | None] = Queue()
        Thread(target=_pump, args=(worker.stdout, lines), daemon=True).start()
        current = {"seed": seeds[0], "stage": "start"}
        while True:
            try:
                line = lines.get(timeout=SILENCE)
            except Empty:
                worker.kill()
                yield {**current, "outcome": f"hang in {current['stage']}", "peak": 0, "seconds": SILENCE}
                return
            if line is None:
                break
            fact = json.loads(line)
            if "outcome" in fact:
                yield fact
                current = {"seed": None, "stage": "between"}
            else:
                current = fact
        if worker.wait() and current["seed"] is not None:
            what = "hang" if worker.returncode == -signal.SIGPROF else "crash"
            yield {**current, "outcome": f"{what} in {current['stage']}", "peak": 0, "seconds": 0}


def _pump(stream: Any, lines: Queue[str | None]) -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)


def problems(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The outcomes that may not be; a crash of onnxruntime on the damaged file is not ours."""
    fine = ("model", "error Y2", "error Y3", "crash in onnxruntime", "hang in onnxruntime")
    return [f for f in found if not f["outcome"].startswith(fine) or f["peak"] > MEMORY]


def test_a_few_damaged_files_give_errors_or_models(shared: Path) -> None:
    found = list(outcomes(shared / "models" / "ppocr_cls.onnx", list(range(8)), run=False))
    assert problems(found) == []
    assert len(found) == 8


@pytest.mark.slow  # 200 files, and two runs of onnxruntime for each that still loads
@pytest.mark.parametrize("name", BATCHES)
def test_200_damaged_files_give_errors_or_equivalent_models(shared: Path, name: str) -> None:
    seeds = list(range(BATCHES[name]))
    found = list(outcomes(shared / "models" / name, seeds, run=True))
    assert problems(found) == []
    assert [f["seed"] for f in found] == seeds
