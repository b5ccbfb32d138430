# ruff: noqa: E501  # a model reads best on one line
"""Valid models of unusual form: each compiles for both targets, and every stage runs and agrees with float."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest

import y10c
from y10c.errors import ModelError
from y10c.pipeline.result import Result

HEAD = '<ir_version: 10, opset_import: ["" : 21]> net '
W = "float[2,2] w = {1, 2, 3, 4}"
K = "float[1,1,1,1] k = {2}"

MODELS = {
    "two inputs": "(float[1,3,8,8] a, float[1,3,8,8] b) => (float[1,3,8,8] y) { y = Add(a, b) }",
    "product of two inputs": "(float[4,8] a, float[8,4] b) => (float[4,4] y) { y = MatMul(a, b) }",
    "a vector as weight": "(float[4,2] a) => (float[4] y) <float[2] v = {1, 2}> { y = MatMul(a, v) }",
    "a stack of weights": "(float[2,4,2] a) => (float[2,4,2] y) <float[2,2,2] s = {1,2,3,4,5,6,7,8}> { y = MatMul(a, s) }",
    "one bias for all": f"(float[4,2] a) => (float[4,2] y) <{W}, float c = {{1}}> {{ y = Gemm(a, w, c) }}",
    "a bias of two axes": f"(float[4,2] a) => (float[4,2] y) <{W}, float[1,2] c = {{1, 2}}> {{ y = Gemm(a, w, c) }}",
    "a bias a row": f"(float[2,2] a) => (float[2,2] y) <{W}, float[2,1] c = {{1, 2}}> {{ y = Gemm(a, w, c) }}",
    "half floats": "(float16[1,1,8,8] a) => (float16[1,1,8,8] y) <float16[1,1,1,1] h = {2}> { y = Conv(a, h) }",
    "integers": f"(int64[4] i) => (float[4,2] y) <{W}> {{ y = Gather(w, i) }}",
    "a grouped ConvTranspose": "(float[1,2,4,4] a) => (float[1,2,8,8] y) <float[2,1,2,2] d = {1,2,3,4,5,6,7,8}>"
    " { y = ConvTranspose<strides=[2,2], group=2>(a, d) }",
    "one weight, two readers": f"(float[1,1,8,8] a) => (float[1,1,8,8] y) <{K}>"
    " { b = Conv(a, k) c = Relu(b) y = Conv(c, k) }",
    "one constant, two readers": "(float[1,4] x) => (float[1,4] z) <float[4] c = {1, 2, 3, 4}, float[4] d = {1, 2, 3, 4}>"
    " { a = Add(x, d) b = Sigmoid(a) y = Add(b, c) z = Relu(y) }",
    "an inner value as output": f"(float[1,1,8,8] a) => (float[1,1,8,8] b, float[1,1,8,8] y) <{K}>"
    " { b = Conv(a, k) y = Conv(b, k) }",
    "an input as output": f"(float[1,1,8,8] x) => (float[1,1,8,8] x, float[1,1,8,8] y) <{K}> {{ y = Conv(x, k) }}",
    "no input": "() => (float[2] y) <float[2] v = {1, 2}> { y = Neg(v) }",
    "a scalar": "(float x) => (float y) { y = Sigmoid(x) }",
    "branches": "(bool c, float[2] x) => (float[2] y) { y = If (c) <then_branch = t () => (float[2] a)"
    " { a = Relu(x) }, else_branch = e () => (float[2] b) { b = Neg(x) }> }",
}


def compiled(text: str, target: str) -> Result:
    return y10c.compile(onnx.parser.parse_model(HEAD + text), target, head="keep")


@pytest.mark.parametrize("target", ["j6", "ort"])
@pytest.mark.parametrize("name", MODELS)
def test_an_odd_model_compiles(name: str, target: str) -> None:
    result = compiled(MODELS[name], target)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    for model in result.models.values():
        onnx.checker.check_model(model, full_check=True)
        onnxruntime.InferenceSession(model.SerializeToString(), options)
    assert all(output.cosine > 0.995 for output in result.outputs)


def test_a_channel_without_weights_keeps_its_bias() -> None:
    text = (
        "(float[1,1,8,8] a) => (float[1,2,8,8] y) <float[2,1,1,1] w = {1, 0.000000001}, float[2] b = {0, 0.7}>"
        " { y = Conv(a, w, b) }"
    )
    result = compiled(text, "j6")
    image = np.full((1, 1, 8, 8), 0.5, np.float32)
    session = onnxruntime.InferenceSession(result.model.SerializeToString())
    (found,) = session.run(None, {"a": image})
    np.testing.assert_allclose(found[0, 1], 0.7, rtol=1e-3)


def test_what_the_target_does_not_know_runs_on_the_cpu() -> None:
    result = compiled("(float[1,4] x) => (float[1,4] y) { a = Floor(x) y = Sigmoid(a) }", "j6")
    assert {(n.op, n.unit) for n in result.nodes} == {("Floor", "CPU"), ("Sigmoid", "BPU")}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("(float[1,0,8] x) => (float[1,0,8] y) { y = Relu(x) }", "has no elements"),
        (
            "(float[1,1,8,8] x) => (float[1,1,8,8] y) <float[1,1,1,1] k = {nan}> { y = Conv(x, k) }",
            "holds NaN or infinity",
        ),
    ],
)
def test_a_model_that_cannot_be_quantized_says_why(text: str, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        compiled(text, "j6")
