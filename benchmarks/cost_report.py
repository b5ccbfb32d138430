"""Layouts of the zoo, and how long a whole report takes.

    python benchmarks/cost_report.py [--variants nsmblx]

For each YOLOv10 of the zoo (head at the six raw outputs): milliseconds and megabytes through DDR with all
tensors in NCHW, in NHWC and as chosen; CPU seconds after import of a whole report (reading the model,
layouts, estimate with advice, page, JSON), peak memory and the page's size. Then CPU seconds for chains of
10, 100 and 1000 layers.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from time import process_time

from y10c.api import load
from y10c.cost.machine import Machine
from y10c.cost.model import estimate
from y10c.cost.result import Summary
from y10c.cost.workload import FeatureMap, Geometry, Kind, Layer, Read, Workload
from y10c.ir.graph import Graph
from y10c.pipeline.costs import estimate_cost, machine_of
from y10c.pipeline.target import create_target
from y10c.zoo.yolov10 import yolov10

ALONE = "--alone"


def summary_of(graph: Graph, layout: str) -> Summary:
    cost = estimate_cost(graph, create_target("j6", "nash-e"), "zoo", layout)
    assert cost is not None
    return cost.result.summary


def report_alone(file: str) -> None:
    """In a process of its own: CPU seconds, peak memory in MB and the page's MB of a whole report."""
    import re

    from ortools.sat.python import cp_model  # noqa: F401  (imported before the clock starts)

    from y10c.cost.report.data import ReportData
    from y10c.cost.report.render import to_html
    from y10c.cost.report.vendor_json import to_json

    start = process_time()
    cost = estimate_cost(load(file), create_target("j6", "nash-e"), "zoo")
    assert cost is not None
    data = ReportData(cost.result, edges=cost.edges)
    page, _ = to_html(data), to_json(data)
    spent = process_time() - start
    peak = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    print(spent, int(peak[1]) / 1e3 if peak else 0.0, len(page.encode()) / 1e6)


def zoo(variants: str) -> None:
    print(f"{'':9}{'nchw':>16}{'nhwc':>16}{'auto':>16}{'CPU s':>8}{'peak MB':>9}{'page MB':>9}")
    for variant in variants:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"{variant}.onnx"
            file.write_bytes(yolov10(variant, output="raw").SerializeToString())
            graph = load(file)
            cells = []
            for layout in ("nchw", "nhwc", "auto"):
                total = summary_of(graph, layout)
                moved = (total.ddr_read_bytes + total.ddr_write_bytes) / 1e6
                cells.append(f"{total.bpu_busy_ms:8.3f}ms{moved:4.0f}MB")
            run = subprocess.run(
                [sys.executable, __file__, ALONE, str(file)], capture_output=True, text=True, check=True
            )
            spent, peak, page = map(float, run.stdout.split())
        print(f"yolov10{variant} {''.join(f'{c:>16}' for c in cells)}{spent:8.2f}{peak:9.0f}{page:9.2f}")


def chain(length: int) -> Workload:
    """Convolutions of 64 channels on 40x40, each read by the next and by the one after."""
    maps = [FeatureMap(i, f"m{i}", (1, 64, 40, 40), 8, i == 0, i == length) for i in range(length + 1)]
    nest = Geometry(1, 1, 64, 40, 40, 64, 40, 40, 3, 3)
    layers = [
        Layer(
            i,
            f"l{i}",
            Kind.CONV,
            tuple(Read(m, maps[m].elements) for m in {i, max(i - 1, 0)}),
            i + 1,
            nest,
            weight_elements=64 * 64 * 9,
            vector_elements=maps[0].elements,
        )
        for i in range(length)
    ]
    return Workload("chain", tuple(layers), tuple(maps))


def growth(machine: Machine) -> None:
    estimate(chain(10), machine)
    for length in (10, 100, 1000):
        work, start = chain(length), process_time()
        estimate(work, machine)
        print(f"{length:5} layers: {process_time() - start:.3f} s CPU for the estimate with its advice")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--variants", default="nsmblx")
    parser.add_argument(ALONE, metavar="FILE", help="print the cost of one report, for the table")
    args = parser.parse_args()
    if args.alone:
        report_alone(args.alone)
        return
    zoo(args.variants)
    machine = machine_of(create_target("j6", "nash-e"))
    assert machine is not None
    growth(machine)


if __name__ == "__main__":
    main()
