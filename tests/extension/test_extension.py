"""A package of its own adds a rule, a pass, an op and a target; nothing of y10c names it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import onnx
import onnx.parser
import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

MODEL = """
<ir_version: 8, opset_import: ["": 17]>
net (float[1,3,8,8] image) => (float[1,4,8,8] out)
<float[4,3,1,1] w = {0.5,-0.25,0.125, 1,0,-1, 0.25,0.25,0.25, -0.5,0.75,0.5}> {
    y = Conv <kernel_shape = [1, 1]> (image, w)
    out = Mul (y, y)
}
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "net.onnx"
    onnx.save(onnx.parser.parse_model(MODEL), path)
    return path


def test_the_derived_tests_find_its_rules(run: Run) -> None:
    ran = run("-m", "pytest", "--rules", "-q", "-p", "no:cacheprovider", "-k", "example")
    assert "example-drop-double-abs" in ran.stdout
    assert "example-recognize-square" in ran.stdout
    assert "2 rules checked, 2 proved" in ran.stdout


@pytest.mark.slow(reason="a counterexample is shrunk for eight seconds")
def test_the_derived_tests_refuse_its_wrong_rule(run: Run) -> None:
    ran = run("-m", "pytest", "--rules", "-q", "-p", "no:cacheprovider", "-k", "hardswish", code=1)
    assert "silu-becomes-hardswish is wrong" in ran.stdout


def test_its_pass_and_its_op_are_nameable_and_leave_as_onnx(run: Run, model: Path, tmp_path: Path) -> None:
    ran = run("-m", "y10c", "opt", model, "-p", "example-squares")
    assert "example.Square(%y)" in ran.stdout
    run("-m", "y10c", "opt", model, "-p", "example-squares,cse", "-o", tmp_path / "out.onnx")
    assert [n.op_type for n in onnx.load(tmp_path / "out.onnx").graph.node] == ["Conv", "Mul"]


def test_its_op_is_verified(run: Run, model: Path, tmp_path: Path) -> None:
    text = run("-m", "y10c", "opt", model, "-p", "example-squares").stdout
    wrong = tmp_path / "wrong.y10c"
    wrong.write_text(text.replace("%out: f32[1,4,8,8] =", "%out: f32[1,4,8,9] ="))
    run("-m", "y10c", "opt", model, "-p", "example-squares", "-o", tmp_path / "right.y10c")
    (tmp_path / "right.y10c.weights").rename(tmp_path / "wrong.y10c.weights")
    ran = run("-m", "y10c", "opt", wrong, "-p", "fold-bn", code=3)
    assert "example.Square" in ran.stderr


def test_its_target_compiles_its_op_to_integers(run: Run, model: Path, tmp_path: Path) -> None:
    ran = run("-m", "y10c", "compile", model, "--target", "example", "-o", tmp_path / "out", "--json")
    told = json.loads(ran.stdout)
    assert (told["target"], told["march"]) == ("example", "one")
    quantized = onnx.load(tmp_path / "out" / "net_ptq_model.onnx")
    kinds = [n.op_type for n in quantized.graph.node]
    assert {"Conv", "Mul", "QuantizeLinear", "DequantizeLinear"} <= set(kinds)


def test_its_names_are_suggested(run: Run, model: Path) -> None:
    assert (
        "did you mean 'example-squares'"
        in run("-m", "y10c", "opt", model, "-p", "example-square", code=2).stderr
    )
    assert (
        "did you mean 'example'" in run("-m", "y10c", "compile", model, "--target", "exmaple", code=2).stderr
    )


def test_bisect_and_reduce_on_a_whole_network_with_the_wrong_rule(
    run: Run, shared: Path, tmp_path: Path
) -> None:
    network = shared / "models" / "yolov10n_e2e.onnx"
    passes = ["-p", "drop-noops,broken-silu", "--check", "differs"]
    found = json.loads(run("-m", "y10c", "bisect", network, *passes, "--json").stdout)
    assert found["application"]["rule"] == "silu-becomes-hardswish"
    assert found["application"]["number"] == 1
    assert found["pass_name"] == "broken-silu"
    assert found["applications"] >= 60
    assert found["runs"] <= 9  # log2(69) + 3
    file = tmp_path / "small.json"
    small = json.loads(run("-m", "y10c", "reduce", network, *passes, "-o", file, "--json").stdout)
    assert small["ops"] == {"before": 308, "after": 2}
    assert "f32[1,1,1,1]" in small["ir"]
    again = json.loads(run("-m", "y10c", "repro", file, "--json", code=1).stdout)
    assert again["reproduced"]
