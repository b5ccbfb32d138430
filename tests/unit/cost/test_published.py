"""The model against published figures."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from y10c.cost.fit import Errors, Fitter
from y10c.cost.machine import Machine
from y10c.cost.model import estimate

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))


def test_nvdlas_cycles_come_out_of_the_same_code(shared: Path, nv_full: Machine) -> None:
    from nvdla_sheet import sheet

    rows = sheet(shared / "facts" / "nvdla_resnet50.csv")
    assert len(rows) == 54
    for work, cycles in rows:
        assert estimate(work, nv_full).layers[0].cycles == pytest.approx(cycles, rel=1e-3)


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
