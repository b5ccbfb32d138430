"""`y10c explain`: the page on a node."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import onnx.parser
import pytest

from y10c.cli.main import main

TEXT = """<ir_version: 10, opset_import: ["" : 21]>
net (float[1,4,8,8] x) => (float[1,1,8,8] y, float[1,3,8,8] z)
<float[4,4,1,1] w = {1,0,0,0, 0,1,0,0, 0,0,1,0, 0,0,0,1}, int64[2] parts = {1, 3}>
{ [mix] a = Conv(x, w) [cut] b, c = Split<axis=1>(a, parts) y = Relu(b) z = Relu(c) }"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "net.onnx"
    onnx.save(onnx.parser.parse_model(TEXT), path)
    return path


def page(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["explain", *arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_node_that_is_rewritten(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = page(capsys, str(model), "cut")
    assert found["placement"]["imported"]["rule"] == "split-parts"
    assert [v["op"] for v in found["placement"]["placed"]] == ["Slice", "Slice"]
    assert [one["rule"] for one in found["fired"]] == ["split-to-slices"]
    assert found["ranges"] is None


def test_a_rule_that_the_chip_does_not_need(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = page(capsys, str(model), "mix", "--rule", "split-large-kernel")
    (said,) = found["rules"]
    assert not said["fires"]
    found = page(capsys, str(model), "mix")
    assert [layer["name"] for layer in found["cost"]["layers"]] == ["mix"]
    assert found["cost"]["layers"][0]["macs"] == 4 * 4 * 64


def test_a_march_without_rates_tells_cycles_and_no_times(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", str(model), "mix", "--march", "nash-p"]) == 0
    shown = capsys.readouterr().out
    assert "no times: " in shown
    assert " us " not in shown
    (layer,) = page(capsys, str(model), "mix", "--march", "nash-p")["cost"]["layers"]
    assert layer["cycles"] > 0
    assert layer["time_us"] is None


def test_compile_tells_no_times_either(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["compile", str(model), "--march", "s600", "-o", str(model.parent / "build"), "-q"]
    assert main(arguments) == 0
    assert "no latency of nash-p is published" in capsys.readouterr().out
    assert main([*arguments, "--json"]) == 0
    cost = json.loads(capsys.readouterr().out)["cost"]
    assert cost["macs"] == 4 * 4 * 64
    assert {cost["latency_ms"], cost["fps"], cost["bpu_busy_ms"]} == {None}


def test_a_build_folder_tells_ranges(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = model.parent / "build"
    assert main(["compile", str(model), "-o", str(folder), "-q"]) == 0
    capsys.readouterr()
    found = page(capsys, str(folder), "mix")
    (output,) = found["ranges"]["outputs"]
    assert output["grid"]["scale"] > 0
    assert output["method"]
    assert output["observed"]["high"] > output["observed"]["low"]
    assert output["alternatives"]
    assert main(["explain", str(folder), "mix"]) == 0
    assert "Its ranges" in capsys.readouterr().out


def test_a_build_folder_is_explained_for_the_chip_it_was_built_for(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = model.parent / "build"
    assert main(["compile", str(model), "-o", str(folder), "-q", "--march", "s600"]) == 0
    capsys.readouterr()
    assert page(capsys, str(folder), "mix")["march"] == "nash-p"
    assert page(capsys, str(folder), "mix", "--march", "nash-m")["march"] == "nash-m"
    assert page(capsys, str(model), "mix")["march"] == "nash-e"


def test_a_build_folder_is_explained_for_another_chip_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, folder = tmp_path / "net.onnx", tmp_path / "build"
    text = '<ir_version: 10, opset_import: ["" : 21]> net (float[1,4,8,8] x) => (float[1,4,8,8] y) '
    onnx.save(onnx.parser.parse_model(text + "{ [soft] y = Softmax<axis=3>(x) }"), path)
    assert main(["compile", str(path), "-o", str(folder), "-q"]) == 0
    capsys.readouterr()
    found = page(capsys, str(folder), "soft", "--target", "x5")
    assert found["target"] == "x5"
    assert "ReduceMax" in [v["op"] for v in found["placement"]["placed"]]


def test_extents_that_depend_on_data_leave_the_cost_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "net.onnx"
    text = '<ir_version: 10, opset_import: ["" : 21]> net (float[1,4] x) => (float[N] y) '
    text += "{ a = Relu(x) [where] i = NonZero(a) [turn] t = Transpose<perm=[1,0]>(i) y = GatherND(a, t) }"
    onnx.save(onnx.parser.parse_model(text), path)
    found = page(capsys, str(path), "turn")
    assert found["placement"]["imported"]["rule"] == "static-shape"
    assert found["cost"]["layers"] == []
    assert "not static" in found["cost"]["times_refused"]
    assert main(["explain", str(path), "turn"]) == 0
    assert "not static" in capsys.readouterr().out


def test_an_unknown_node_is_refused(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(model), "mixx"]) == 2
    assert "mix" in capsys.readouterr().err
    assert main(["explain", str(model), "mi"]) == 2
    assert "known: mix\n" in capsys.readouterr().err
