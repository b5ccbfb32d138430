"""How far the cost model is from published latencies, on networks that its fit has not seen.

    python benchmarks/cost_accuracy.py [--shared DIR] [--plot FILE.svg] [--write]

Prints predicted against published for all rows, fit and leave-one-family-out, the transfer from nash-e to
nash-m, NVDLA's layers, tiles and traffic. `--write` puts the scalars and the error into the march's data.
"""

from __future__ import annotations

import argparse
import csv
import lzma
from functools import cache
from pathlib import Path

import numpy as np
import onnx
from nvdla_sheet import sheet

import y10c
from y10c.cost.extract import Widths, layers_of
from y10c.cost.fit import CHOICES, Errors, Fitter, Observation, record
from y10c.cost.machine import load_machine
from y10c.cost.model import estimate
from y10c.cost.tiles import best_tile, bound_bytes
from y10c.cost.workload import Workload

ROOT = Path(__file__).resolve().parents[1]
MARCHES = ROOT / "targets" / "j6" / "marches"


def family_of(row: dict[str, str]) -> str:
    """The family that is left out together: yolo11n and yolo11x, classifiers apart from detectors."""
    stem = row["model"].rstrip("u")[:-1]
    return f"{stem}-cls" if row["task"] == "classify" else stem


def observations(shared: Path) -> list[Observation]:
    """The published rows with their networks."""

    @cache
    def network(name: str) -> Workload:
        model = onnx.load_from_string(lzma.decompress((shared / "skeletons" / name).read_bytes()))
        workload = layers_of(y10c.load(model))
        return Workload(name, workload.layers, workload.maps)

    with (shared / "facts" / "published_latency.csv").open() as file:
        return [
            Observation(
                row["model"],
                family_of(row),
                row["march"],
                float(row["clock_ghz"]),
                float(row["bpu_busy_ms"]),
                float(row["latency_1thread_ms"]),
                network(row["skeleton"]),
            )
            for row in csv.DictReader(file)
        ]


def print_table(rows: list[Observation], fit: np.ndarray, held: np.ndarray) -> None:
    print(f"{'march':8}{'model':11}{'family':12}{'published':>10}{'fit':>9}{'':>8}{'left out':>9}")
    for row, a, b in zip(rows, fit, held, strict=True):
        first, second = a / row.busy_ms - 1, b / row.busy_ms - 1
        print(
            f"{row.march:8}{row.model:11}{row.family:12}{row.busy_ms:10.3f}{a:9.3f}{first:8.1%}{b:9.3f}{second:8.1%}"
        )


def plot(file: Path, rows: list[Observation], held: np.ndarray) -> None:
    """Predicted (left out) against published, both axes logarithmic, as a small SVG."""
    size, margin, low, high = 420, 46, np.log10(0.2), np.log10(20)

    def at(value: float) -> float:
        return (np.log10(value) - low) / (high - low) * (size - 2 * margin) + margin

    dots = "".join(
        f'<circle cx="{at(r.busy_ms):.1f}" cy="{size - at(p):.1f}" r="3.5" fill="none" '
        f'stroke="{"#0b7" if r.march == "nash-e" else "#75c"}"><title>{r.model} {r.march}: '
        f"{r.busy_ms:.3f} ms published, {p:.3f} ms predicted</title></circle>"
        for r, p in zip(rows, held, strict=True)
    )
    ticks = "".join(
        f'<text x="{at(v):.1f}" y="{size - 28}" text-anchor="middle">{v}</text>'
        f'<text x="{margin - 6}" y="{size - at(v) + 4:.1f}" text-anchor="end">{v}</text>'
        for v in (0.2, 0.5, 1, 2, 5, 10, 20)
    )
    line = f'<path d="M{margin} {size - margin}L{size - margin} {margin}" stroke="#999" fill="none"/>'
    words = (
        f'<text x="{size / 2}" y="{size - 8}" text-anchor="middle">published ms (green nash-e, violet nash-m)'
        f'</text><text x="{margin}" y="22">predicted ms, family left out</text>'
    )
    file.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" font-family="sans-serif" '
        f'font-size="11"><rect width="100%" height="100%" fill="#fff"/>{line}{dots}{ticks}{words}</svg>\n'
    )


def latencies(shared: Path, svg: Path | None, write: bool) -> None:
    rows = observations(shared)
    base = load_machine(MARCHES / "nash-e.yaml")
    fitter = Fitter(rows, base)
    fit, held, measured = fitter.fit(), fitter.held_out(), fitter.measured
    errors, unseen = Errors.of(fit.predict(), measured), Errors.of(held, measured)
    print_table(rows, fit.predict(), held)
    print(f"\nfit on all rows        {errors}\nleave one family out   {unseen}")
    print("scalars:", {n.name: n.value for n in fit.machine.fitted() if not n.name.startswith("accuracy")})
    print("choices:", {path: fit.machine.value_of(path) for path in CHOICES})
    on_e = np.array([row.march == "nash-e" for row in rows])
    moved = Errors.of(fitter.fit(np.flatnonzero(on_e)).predict()[~on_e], measured[~on_e])
    print(f"nash-e rows predict nash-m, clock changed: {moved}")
    print(f"latency_1thread, all of it in sample: {alone(rows)}")
    if svg is not None:
        plot(svg, rows, held)
    if write:
        note = f"on 55 published rows, each family left out of its fit: {unseen}; fit on all: {errors}"
        record(MARCHES / "nash-e.yaml", fit.machine, held, measured, note)


def alone(rows: list[Observation]) -> Errors:
    """Latency of one frame alone, from the march files as they are."""
    estimates = [estimate(row.workload, load_machine(MARCHES / f"{row.march}.yaml")) for row in rows]
    return Errors.of(
        np.array([result.summary.latency_ms for result in estimates]),
        np.array([row.latency_ms for row in rows]),
    )


def nvdla(shared: Path) -> None:
    machine = load_machine(ROOT / "targets" / "nvdla" / "nv_full.yaml")
    rows = sheet(shared / "facts" / "nvdla_resnet50.csv")
    errors = [abs(estimate(work, machine).layers[0].cycles / cycles - 1) for work, cycles in rows]
    print(f"\nNVDLA nv_full: {len(rows)} rows, largest error of a layer's cycles {max(errors):.3%}")


def traffic(shared: Path) -> None:
    packed = (shared / "skeletons" / "yolov10n_640_headcut.onnx.xz").read_bytes()
    graph = y10c.load(onnx.load_from_string(lzma.decompress(packed)))
    base = load_machine(MARCHES / "nash-e.yaml")
    for outputs in (8, 32):
        workload = layers_of(graph, Widths(outputs=outputs))
        total = estimate(workload, base.with_values(memory__on_chip_bytes=2e6)).summary
        print(
            f"YOLOv10n, 2 MB for maps, {outputs}-bit outputs: "
            f"{(total.ddr_read_bytes + total.ddr_write_bytes) / 1e6:.1f} MB through DDR a frame; "
            f"floor {total.ddr_bytes_floor / 1e6:.1f}, "
            f"layer by layer {total.ddr_bytes_layer_by_layer / 1e6:.1f}"
        )
    nests = [layer.geometry for layer in layers_of(graph).layers if layer.geometry]
    nests += [
        g for work, _ in sheet(shared / "facts" / "nvdla_resnet50.csv") if (g := work.layers[0].geometry)
    ]
    ratios = [tile.bytes / bound_bytes(g) for g in nests if (tile := best_tile(g, 512 * 1024))]
    print(f"tiles at 512 KiB: {len(ratios)} of {len(nests)} layers, worst {max(ratios):.4f} times the bound")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--write", action="store_true", help="record scalars and errors in the march's data")
    args = parser.parse_args()
    latencies(args.shared, args.plot, args.write)
    nvdla(args.shared)
    traffic(args.shared)


if __name__ == "__main__":
    main()
