"""`y10c check` and `y10c targets` on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import onnx.parser
import pytest

from y10c.cli.main import main

HEAD = '<ir_version: 10, opset_import: ["" : 21]> net (float[1,4,2,2] x) => (float[1,4,2,2] y) '
W = "<float[4,4,1,1] w = {1,0,0,0, 0,1,0,0, 0,0,1,0, 0,0,0,1}, int64 axis = {1}> "
CUT = W + "{ a = Conv(x, w) b = CumSum(a, axis) y = Conv(b, w) }"
CLEAN = W + "{ a = Conv(x, w) b = Softmax<axis=1>(a) y = Conv(b, w) }"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def saved(body: str) -> str:
    onnx.save(onnx.parser.parse_model(HEAD + body), "net.onnx")
    return "net.onnx"


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_model_of_the_chip_alone_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", saved(CLEAN), "--json"]) == 0
    data = said(capsys)
    assert data["summary"]["macs_bpu"] == 1
    assert data["summary"]["problems"] == []
    assert [n["op"] for n in data["nodes"]].count("Softmax") == 1
    assert Path("y10c_check.log").read_text().startswith("net.onnx: j6 nash-e")


def test_as_is_judges_the_file_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", saved(CLEAN), "--as-is", "--json"]) == 1
    (problem,) = said(capsys)["summary"]["problems"]
    assert problem["rule"] == "softmax-axis"
    assert problem["mid_graph"] == 1


def test_the_cpu_in_mid_graph_fails_unless_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    model = saved(CUT)
    assert main(["check", model]) == 1
    assert "cum-sum" in capsys.readouterr().out
    assert main(["check", model, "--allow-cpu", "--json"]) == 0
    data = said(capsys)
    assert data["summary"]["cpu_mid_graph"] == 1
    assert data["summary"]["crossings"] == 2


def test_other_marches_and_targets(capsys: pytest.CaptureFixture[str]) -> None:
    model = saved(CLEAN)
    assert main(["check", model, "--march", "s600", "--json"]) == 0
    assert said(capsys)["march"] == "nash-p"
    assert main(["check", model, "--target", "x5", "--json"]) == 0
    assert {"Softmax"}.isdisjoint(n["op"] for n in said(capsys)["nodes"])


def test_an_input_that_is_no_tensor_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    text = HEAD.replace("float[1,4,2,2] x", "seq(float[1]) x").replace("float[1,4,2,2] y", "int64 y")
    onnx.save(onnx.parser.parse_model(text + "{ y = SequenceLength(x) }"), "net.onnx")
    assert main(["check", "net.onnx"]) == 3
    assert "is a sequence" in capsys.readouterr().err


def test_what_cannot_be_checked_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", saved(CLEAN), "--target", "ort"]) == 2
    assert main(["check", "no-such.onnx"]) == 3
    assert main(["check", "yolov10z"]) == 3
    assert main(["check", saved(CLEAN), "--march", "nash-q"]) == 2
    capsys.readouterr()


def test_targets_are_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["targets", "list", "--json"]) == 0
    listed = {row["march"]: row for row in said(capsys)["targets"]}
    assert listed["nash-e"]["aliases"] == ["j6e", "s100"]
    assert "bayes-e" in listed
    assert main(["targets", "show", "nash-e", "--json"]) == 0
    shown = said(capsys)
    assert "numbers.output_row_align_bytes" not in shown["assumed"]
    assert "mac_array.wide_slowdown" in shown["assumed"]
    assert all(n["source"] for n in shown["numbers"])
    assert main(["targets", "show", "s600"]) == 0
    assert "assumed: " in capsys.readouterr().out
    assert main(["targets", "show", "j7"]) == 2
    capsys.readouterr()
