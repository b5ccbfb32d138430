"""The Python API: load, save, optimize, compile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import onnxruntime

import y10c
from y10c.ir import Graph

MODEL = """<ir_version: 8, opset_import: ["" : 17]>
net (float[1,3,8,8] x) => (float[1,2,8,8] y)
<float[2,3,1,1] w = {1, 2, 3, 4, 5, 6}, float[2,1,1] c = {2, 3}>
{ a = Identity(x) b = Conv(a, w) y = Mul(b, c) }"""


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    result: np.ndarray = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    return result


def test_load_and_save_keep_the_meaning(tmp_path: Path) -> None:
    model = onnx.parser.parse_model(MODEL)
    graph = y10c.load(model)
    assert isinstance(graph, Graph)
    y10c.save(graph, tmp_path / "net.onnx")
    x = np.random.default_rng(0).random((1, 3, 8, 8), np.float32)
    np.testing.assert_array_equal(run(y10c.load(tmp_path / "net.onnx").to_onnx(), x), run(model, x))


def test_optimize_gives_a_smaller_model_of_the_same_meaning() -> None:
    model = onnx.parser.parse_model(MODEL)
    smaller = y10c.optimize(model)
    assert [node.op_type for node in smaller.graph.node] == ["Conv"]
    x = np.random.default_rng(0).random((1, 3, 8, 8), np.float32)
    np.testing.assert_allclose(run(smaller, x), run(model, x), rtol=1e-6)


def test_optimize_does_not_change_its_argument() -> None:
    model = onnx.parser.parse_model(MODEL)
    before = model.SerializeToString(deterministic=True)
    y10c.optimize(model)
    assert model.SerializeToString(deterministic=True) == before


def test_compile_without_an_output_folder_writes_nothing(tmp_path: Path) -> None:
    result = y10c.compile(onnx.parser.parse_model(MODEL), target="j6")
    assert result.files == {}
    assert result.model is result.models["ptq"]
    assert result.outputs[0].cosine > 0.999
