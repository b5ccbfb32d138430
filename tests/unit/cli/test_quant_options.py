"""Options of quantization as the command line takes them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest

from y10c.cli.compile import parse_share
from y10c.cli.main import main
from y10c.errors import UsageError

MODEL = """<ir_version: 8, opset_import: ["" : 17]>
net (float[1,2,8,8] image) => (float[1,2,8,8] out)
<float[2,2,1,1] w1 = {1, -0.5, 0.01, 0.02}, float[2] b1 = {0.5, -0.25}, float[2,2,1,1] w2 = {1, 2, 3, 4}>
{
    conv = Conv(image, w1, b1)
    gate = Sigmoid(conv)
    act = Mul(conv, gate)
    out = Conv(act, w2)
}"""


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """A compilation of a small network on two tensors."""
    onnx.save(onnx.parser.parse_model(MODEL), tmp_path / "net.onnx")
    (tmp_path / "data").mkdir()
    for k in range(2):
        sample = np.random.default_rng(k).random((1, 2, 8, 8)).astype(np.float32)
        np.save(tmp_path / "data" / f"{k}.npy", sample)
    return ["compile", str(tmp_path / "net.onnx"), "--calibration", str(tmp_path / "data"), "--head", "keep"]


@pytest.mark.parametrize(("text", "share"), [("10%", 0.1), ("+5%", 0.05), ("0%", 0.0), ("2.5%", 0.025)])
def test_shares_are_percents(text: str, share: float) -> None:
    assert parse_share(text, "--int16-macs") == pytest.approx(share)


@pytest.mark.parametrize("text", ["10", "ten%", "%", ""])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--int16-macs"):
        parse_share(text, "--int16-macs")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, object], str]:
    code = main([*arguments, "--json"])
    told = capsys.readouterr()
    return code, json.loads(told.out) if told.out.strip() else {}, told.err


def test_what_got_16_bits_is_told(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found, _ = run(capsys, *arguments, "-o", str(tmp_path / "out"), "--int16-macs", "50%")
    assert code == 0
    assert found["int16"] == {
        "macs": 0.5,
        "tensors": [json.loads((tmp_path / "out" / "net_mixed.json").read_text())["int16"][0]],
    }


def test_a_table_is_written_and_taken(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = str(tmp_path / "table.json")
    first = [*arguments, "-o", str(tmp_path / "a"), "--save-calibration", table, "--mixed", "off"]
    second = [*arguments, "-o", str(tmp_path / "b"), "--calibration-table", table, "--mixed", "off"]
    for one in (first, second):
        assert run(capsys, *one)[0] == 0
    models = [onnx.load(tmp_path / k / "net_ptq_model.onnx").graph for k in "ab"]
    assert models[0] == models[1]


@pytest.mark.parametrize(
    "wrong",
    [
        ["--scheme", "odd"],
        ["--effort", "most"],
        ["--int16-macs", "120%"],
        ["--latency", "-5%"],
        ["--method", "median"],
        ["--mixed", "nowhere.json"],
    ],
)
def test_wrong_options_are_usage_errors(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: list[str]
) -> None:
    code, _, told = run(capsys, *arguments, "-o", str(tmp_path / "out"), *wrong)
    assert code == 2
    assert "error[Y2" in told
    assert not (tmp_path / "out").exists()
