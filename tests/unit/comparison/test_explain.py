"""A node's range, method and alternatives, from a model, a calibration table, or a build folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from y10c.calib.observers import Range
from y10c.calib.sketch import Sketch
from y10c.calib.table import CalibrationTable
from y10c.comparison.explain import explain_ranges, explain_tensor
from y10c.comparison.tensors import IntegerGrid
from y10c.errors import ModelError, UnknownNameError, UsageError
from y10c.ir.types import DType

VALUES = np.concatenate([np.random.default_rng(0).normal(0, 1, 20_000), [40.0]]).astype(np.float32)


@pytest.fixture(scope="module")
def table() -> CalibrationTable:
    return CalibrationTable({"c2": Sketch.of(VALUES)}, {"c2": Range(-4.0, 4.0, "mse")})


def test_a_model_tells_its_integers(quantized: Path) -> None:
    found = explain_ranges(quantized, "conv2")
    assert (found.node, found.op) == ("conv2", "Conv")
    (output,) = found.outputs
    assert output.grid is not None
    assert output.grid.dtype is DType.i8
    assert {one.tensor for one in found.inputs} >= {"a1"}
    assert output.observed is None
    assert found.notes


def test_a_node_is_found_by_any_name_of_its_tensor(quantized: Path) -> None:
    for name in ("c2", "c2_DequantizeLinear_Output", "c2_QuantizeLinear_Output"):
        assert explain_ranges(quantized, name).node == "conv2"
    with pytest.raises(UnknownNameError, match="conv9"):
        explain_ranges(quantized, "conv9")


def test_a_table_tells_what_was_seen_and_what_else_was_possible(table: CalibrationTable) -> None:
    grid = IntegerGrid(DType.i8, 4.0 / 127, 0, -128 * 4.0 / 127, 4.0)
    found = explain_tensor(table, ["c2"], grid)
    assert (found.method, found.chosen) == ("mse", (-4.0, 4.0))
    seen = found.observed
    assert seen is not None
    assert (seen.low, seen.high) == (float(VALUES.min()), 40.0)
    assert seen.elements == VALUES.size
    clipped = float((np.abs(np.rint(VALUES / grid.scale) + 0.5) > 128).mean())
    assert seen.clipped_share == pytest.approx(clipped, abs=1e-4)
    steps = np.clip(np.rint(VALUES.astype(np.float64) / grid.scale), -128, 127) * grid.scale
    noise, signal = ((VALUES - steps) ** 2).mean(), (VALUES.astype(np.float64) ** 2).mean()
    assert seen.sqnr_db == pytest.approx(10 * np.log10(signal / noise), abs=0.05)
    methods = {one.method for one in found.alternatives}
    assert methods >= {"min-max", "mse", "kl", "entropy", "percentile 99.99"}
    decibels = [one.sqnr_db for one in found.alternatives]
    assert decibels == sorted(decibels, key=lambda one: -(one or 0))
    assert all(one.symmetric for one in found.alternatives)


def test_an_unsigned_grid_has_the_same_expected_error(table: CalibrationTable) -> None:
    signed = IntegerGrid(DType.i8, 0.1, 3, -13.1, 12.4)
    unsigned = IntegerGrid(DType.u8, 0.1, 131, -13.1, 12.4)
    figures = [explain_tensor(table, ["c2"], grid).observed for grid in (signed, unsigned)]
    assert figures[0] is not None
    assert figures[1] is not None
    assert figures[0].sqnr_db == figures[1].sqnr_db


def test_a_folder_finds_its_table_by_content(
    quantized: Path, table: CalibrationTable, tmp_path: Path
) -> None:
    (tmp_path / "net_ptq_model.onnx").write_bytes(quantized.read_bytes())
    (tmp_path / "other.json").write_text("{}")
    table.save(tmp_path / "ranges.json")
    (output,) = explain_ranges(tmp_path, "conv2").outputs
    assert output.method == "mse"
    assert output.observed is not None
    assert output.grid is not None
    assert explain_ranges(tmp_path / "ranges.json", "c2").outputs[0].grid is None


def test_what_is_no_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no build folder"):
        explain_ranges(tmp_path / "missing", "x")
    with pytest.raises(ModelError, match="no quantized model"):
        explain_ranges(tmp_path, "x")
