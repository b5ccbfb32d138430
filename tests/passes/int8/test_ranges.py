"""Ranges: what is known beforehand, headroom, tails; calibration tables; odd distributions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

import y10c
from y10c.calib.sketch import Sketch
from y10c.calib.table import CalibrationTable
from y10c.errors import DataError, UnknownNameError, UsageError
from y10c.frontend.importer import load
from y10c.ops.reference import evaluate
from y10c.passes.observe.ranges import WIDE_HEADROOM, RangeSearch
from y10c.quant.options import QuantOptions
from y10c.quant.scheme import Grid
from y10c.targets.j6.scheme import SCHEME

Net = Callable[..., onnx.ModelProto]
FREE, MIRRORED = Grid(symmetric=False), Grid()


def test_the_image_has_the_range_of_its_preprocessing(net: Net, photos: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.json"
    y10c.compile(net(), calibration=photos, head="keep", quant=QuantOptions(save_calibration=table))
    found = CalibrationTable.load(table).range(["image"])
    assert found is not None
    assert (found.low, found.high) == (0.0, 1.0)


def test_a_table_replaces_the_data_and_gives_the_same_model(net: Net, photos: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.json"
    quant = QuantOptions(save_calibration=table)
    first = y10c.compile(net(), calibration=photos, head="keep", quant=quant)
    again = y10c.compile(net(), calibration=photos, head="keep", quant=QuantOptions(calibration_table=table))
    assert again.model.graph == first.model.graph


def test_a_range_edited_by_hand_is_taken(net: Net, photos: Path, tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    y10c.compile(
        net(), calibration=photos, head="keep", quant=QuantOptions(mixed="off", save_calibration=path)
    )
    table = CalibrationTable.load(path)
    name = next(n for n in table.ranges if n == "a1")
    table.ranges[name] = type(table.ranges[name])(-1.0, 24.5, "by hand")
    table.save(path)
    quant = QuantOptions(mixed="off", calibration_table=path)
    model = y10c.compile(net(), calibration=photos, head="keep", quant=quant).model
    scales = {
        op.operands[0].name: op.operands[1]
        for op in load(model).ops
        if op.name == "QuantizeLinear" and op.operands[0]
    }
    assert scales["a1"] is not None
    assert float(scales["a1"].numpy()) == pytest.approx(25.5 / 255)


def test_a_table_of_another_network_is_refused(net: Net, photos: Path, tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    CalibrationTable({"elsewhere": Sketch.of(np.ones(3, np.float32))}, {}, {}).save(path)
    with pytest.raises(DataError, match="says nothing of tensor"):
        y10c.compile(net(), calibration=photos, head="keep", quant=QuantOptions(calibration_table=path))


def test_16_bits_reach_beyond_what_was_seen() -> None:
    assert SCHEME.wide is not None
    found = RangeSearch().choose(Sketch.of(np.array([-1, 2], np.float32)), SCHEME.wide)
    assert (found.low, found.high) == (-WIDE_HEADROOM, 2 * WIDE_HEADROOM)


def test_a_long_tail_is_cut_and_the_short_side_stays_whole() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.uniform(-0.28, 4, 100000), [60.0]]).astype(np.float32)
    sparing, square = (RangeSearch().choose(Sketch.of(values), FREE, exponent) for exponent in (3.0, 2.0))
    assert sparing.low == square.low == pytest.approx(-0.28, abs=1e-3)
    assert 4 < square.high < sparing.high <= 60


@pytest.mark.parametrize("grid", [FREE, MIRRORED])
@pytest.mark.parametrize("method", ["search", "min-max", "percentile", "mse", "kl", "entropy"])
@pytest.mark.parametrize("values", [[], [0.0], [3.0] * 9, [-2.0] * 5, [1e-30, -1e-30], [3e38, -3e38]])
def test_odd_distributions_give_a_usable_scale(grid: Grid, method: str, values: list[float]) -> None:
    sketch = Sketch.of(np.array(values, np.float32))
    found = RangeSearch(method).choose(sketch, grid)
    params = grid.params(found.low, found.high)
    assert np.isfinite(params.scale[0])
    assert params.scale[0] > 0


MASKED = """<ir_version: 8, opset_import: ["" : 17]>
net (float[1,4,4] q) => (float[1,4,4] out)
<float[4,4] mask = {0, -1e9, -1e9, -1e9, 0, 0, -1e9, -1e9, 0, 0, 0, -1e9, 0, 0, 0, 0}, float[4,4] w =
    {1, 0, 0.5, 0, 0, 1, 0, 0.5, 0.5, 0, 1, 0, 0, 0.5, 0, 1}>
{
    logits = MatMul(q, w)
    hidden = Add(logits, mask)
    shares = Softmax<axis=-1>(hidden)
    out = MatMul(shares, w)
}"""


@pytest.mark.parametrize("target", ["j6", "ort"])
def test_a_mask_does_not_stretch_the_range(tmp_path: Path, target: str) -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 1, (5, 1, 4, 4)).astype(np.float32)
    (tmp_path / "data").mkdir()
    for k, sample in enumerate(samples):
        np.save(tmp_path / "data" / f"{k}.npy", sample)
    model = onnx.parser.parse_model(MASKED)
    result = y10c.compile(model, target, calibration=tmp_path / "data", head="keep")
    runs = [evaluate(load(m), {"q": samples[0]})["out"] for m in (result.models["original"], result.model)]
    assert np.abs(runs[0] - runs[1]).max() < 0.06


def test_options_that_cannot_be_meant_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="scheme"):
        QuantOptions(scheme="assymetric")
    with pytest.raises(UnknownNameError, match="effort"):
        QuantOptions(effort="maximum")
    with pytest.raises(UsageError, match="int16-macs"):
        QuantOptions(int16_macs=10)
    with pytest.raises(UsageError, match="latency"):
        QuantOptions(latency=-0.05)
    with pytest.raises(UnknownNameError, match="calibration method"):
        RangeSearch("median")
