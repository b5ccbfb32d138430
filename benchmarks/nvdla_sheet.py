"""Layers of NVDLA's public ResNet50 sheet as a workload: each row its own network, as the sheet counts it."""

from __future__ import annotations

import csv
from pathlib import Path

from y10c.cost.workload import FeatureMap, Geometry, Kind, Layer, Read, Workload


def sheet(file: Path) -> list[tuple[Workload, float]]:
    """One workload and the published cycles for every row; int8 throughout.

    An elementwise operand is read at the size at which the result is stored, so the sheet's last block reads
    it after the pooling.
    """
    with file.open() as rows:
        return [(_workload(row), float(row["cycles"])) for row in csv.DictReader(rows)]


def _workload(row: dict[str, str]) -> Workload:
    n = {
        key: int(row[key])
        for key in "C H W K R S stride_h stride_w P Q pooled_h pooled_w".split()  # noqa: SIM905
    }
    stored = (1, n["K"], n["pooled_h"], n["pooled_w"])
    maps = [
        FeatureMap(0, "in", (1, n["C"], n["H"], n["W"]), 8, is_input=True),
        FeatureMap(1, "out", stored, 8, is_output=True),
        FeatureMap(2, "shortcut", stored, 8, is_input=True),
    ]
    reads = [Read(0, maps[0].elements)] + ([Read(2, maps[2].elements)] if "elwise" in row["kind"] else [])
    geometry = Geometry(
        1, 1, n["C"], n["H"], n["W"], n["K"], n["P"], n["Q"], n["R"], n["S"], n["stride_h"], n["stride_w"]
    )
    weights = n["C"] * n["K"] * n["R"] * n["S"]
    layer = Layer(0, row["layer"], Kind.CONV, tuple(reads), 1, geometry, weight_elements=weights)
    return Workload(row["layer"], (layer,), tuple(maps))
