"""The model against published figures."""

from __future__ import annotations

import lzma
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from y10c.api import load
from y10c.cost.extract import layers_of
from y10c.cost.fit import Errors, Fitter, Observation
from y10c.cost.machine import Machine
from y10c.cost.model import estimate
from y10c.cost.times import busy_ms
from y10c.cost.work import work_of

sys.path[:0] = [str(Path(__file__).parents[3] / "benchmarks"), str(Path(__file__).parent)]


def test_nvdlas_cycles_come_out_of_the_same_code(shared: Path, nv_full: Machine) -> None:
    from nvdla_sheet import sheet

    rows = sheet(shared / "facts" / "nvdla_resnet50.csv")
    assert len(rows) == 54
    for work, cycles in rows:
        assert estimate(work, nv_full).layers[0].cycles == pytest.approx(cycles, rel=1e-3)


def test_yolov10n_moves_less_than_a_vendors_compiler_did(shared: Path, nash_e: Machine) -> None:
    """17.7 MB a frame is published for an older BPU with 2 MB on chip."""
    packed = (shared / "skeletons" / "yolov10n_640_headcut.onnx.xz").read_bytes()
    work = layers_of(load(onnx.load_from_string(lzma.decompress(packed))))
    total = estimate(work, nash_e.with_values(memory__on_chip_bytes=2e6)).summary
    assert total.ddr_bytes_floor <= total.ddr_read_bytes + total.ddr_write_bytes <= 17.7e6


def test_scalars_that_made_the_data_are_found_again(nash_e: Machine) -> None:
    """A fit on times that the model itself gave ends at their scalars."""
    from networks import chain

    true = nash_e.with_values(mac_array__macs_per_cycle=9000, overheads__launch_cycles=2000)
    networks = [replace(chain([(c, 80, 3)] * n), name=f"{c}x{n}") for c in (32, 96, 250) for n in (2, 9, 30)]
    rows = [
        Observation(net.name, net.name, "m", 1.0, busy_ms(work_of(net, true), true), 0.0, net)
        for net in networks
    ]
    found = Fitter(rows, nash_e, capacities=[9e6], choices={}).fit()
    assert found.predict() == pytest.approx([row.busy_ms for row in rows], rel=1e-3)


@pytest.mark.slow(reason="loads thirty networks and fits seven folds with every discrete choice")
def test_families_left_out_are_predicted(shared: Path, nash_e: Machine) -> None:
    from cost_accuracy import observations

    fitter = Fitter(observations(shared), nash_e)
    unseen = Errors.of(fitter.held_out(), fitter.measured)
    assert unseen.mean <= 0.05
    assert unseen.largest <= 0.20
    assert unseen.tau >= 0.96


def test_kendalls_tau_counts_pairs_in_order() -> None:
    measured = np.array([1.0, 2.0, 3.0])
    assert Errors.of(np.array([1.0, 2.0, 3.0]), measured).tau == 1.0
    assert Errors.of(np.array([2.0, 1.0, 3.0]), measured).tau == pytest.approx(1 / 3)
