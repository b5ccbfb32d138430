"""How long an estimate takes: seconds where the vendor's compiler takes an hour, growing with the layers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from time import process_time

import pytest

from y10c.cost.machine import Machine
from y10c.cost.model import estimate
from y10c.zoo.yolov10 import yolov10

sys.path.insert(0, str(Path(__file__).parent))
from networks import chain

REPORT = r"""
import re, sys
from pathlib import Path
from time import process_time
import y10c
from y10c.cost.report.data import ReportData
from y10c.cost.report.render import to_html
from y10c.cost.report.vendor_json import to_json
from y10c.pipeline.costs import estimate_cost
from y10c.pipeline.target import create_target
from ortools.sat.python import cp_model

start = process_time()
graph = y10c.load(sys.argv[1])
cost = estimate_cost(graph, create_target("j6", "nash-e"), "zoo")
data = ReportData(cost.result, edges=cost.edges)
page, numbers = to_html(data), to_json(data)
spent = process_time() - start
peak = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
print(spent, int(peak[1]) / 1e3, len(page.encode()))
"""


def seconds(layers: int, machine: Machine) -> float:
    work = chain([(64, 40, 3)] * layers, skip=3)
    start = process_time()
    estimate(work, machine)
    return process_time() - start


def test_time_grows_with_the_layers(nash_e: Machine) -> None:
    seconds(10, nash_e)
    few, many = (min(seconds(n, nash_e) for _ in range(3)) for n in (100, 1000))
    assert many < 25 * few


@pytest.mark.parametrize(
    ("variant", "most"),
    [("n", 2.0), pytest.param("x", 5.0, marks=pytest.mark.slow(reason="makes and reads 30 M weights"))],
)
def test_a_whole_report_takes_seconds_and_little_memory(variant: str, most: float, tmp_path: Path) -> None:
    """CPU time after import, peak memory of the process in MB, and the size of the page."""
    if not Path("/proc/self/status").exists():
        pytest.skip("peak memory is read from /proc, which this system does not have")
    (tmp_path / "zoo.onnx").write_bytes(yolov10(variant, output="raw").SerializeToString())
    command = [sys.executable, "-c", REPORT, str(tmp_path / "zoo.onnx")]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    spent, megabytes, size = map(float, run.stdout.split())
    assert spent < most
    assert megabytes < 500
    assert size < 3_000_000
