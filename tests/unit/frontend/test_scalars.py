"""Operands without axes that files give as tensors of one element."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import parser

import y10c
from y10c.frontend.importer import load
from y10c.ir.verify import verify

HEAD = '<ir_version: 10, opset_import: ["" : 17]> g '
MODELS = {
    "input": "(int64[1] n) => (int64[K] y) <int64 z = {0}, int64 o = {1}> { y = Range(z, n, o) }",
    "of unknown extent": "(int64[N] n) => (int64[K] y) <int64 z = {0}, int64 o = {1}> { y = Range(z, n, o) }",
    "constant": "(int64[1] n) => (int64[K] y) <int64[1] z = {0}, int64 o = {1}>"
    " { m = Squeeze(n) y = Range(z, m, o) }",
    "known after folding": "(int64[1] n) => (int64[K] y) <int64 z = {0}, int64 o = {1}, bool t = {1}>"
    " { k = If(t) <then_branch = a () => (int64[1] p) { p = Identity(n) },"
    " else_branch = b () => (int64 q) { q = Squeeze(n) }> y = Range(z, k, o) }",
}


@pytest.mark.parametrize("change", [lambda m: load(m).to_onnx(), y10c.optimize], ids=["import", "optimize"])
@pytest.mark.parametrize("name", MODELS)
def test_range_of_one_element_tensors_is_valid_and_runs(name: str, change: object) -> None:
    made: onnx.ModelProto = change(parser.parse_model(HEAD + MODELS[name]))  # type: ignore[operator]
    onnx.checker.check_model(made, full_check=True)
    session = onnxruntime.InferenceSession(made.SerializeToString())
    (found,) = session.run(None, {"n": np.array([4])})
    np.testing.assert_array_equal(found, [0, 1, 2, 3])


def test_scalars_stay_as_they_are() -> None:
    text = "(int64 n) => (int64[K] y) <int64 z = {0}, int64 o = {1}> { y = Range(z, n, o) }"
    graph = load(parser.parse_model(HEAD + text))
    assert [op.name for op in graph.ops] == ["Range"]


def test_a_clip_with_limits_of_one_element_gets_scalars() -> None:
    text = "(float[3] x) => (float[3] y) <float[1] low = {0}, float[1] high = {6}> { y = Clip(x, low, high) }"
    graph = load(parser.parse_model(HEAD + text))
    verify(graph)
    session = onnxruntime.InferenceSession(graph.to_onnx().SerializeToString())
    (found,) = session.run(None, {"x": np.array([-1, 5, 9], np.float32)})
    np.testing.assert_array_equal(found, [0, 5, 6])
