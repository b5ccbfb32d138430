"""What each canonicalization does to a graph: text before, ops after, and equal results in onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest

from y10c.frontend.importer import load
from y10c.passes.canonicalize.affine import FoldAffine
from y10c.passes.canonicalize.batchnorm import FoldBatchNorm
from y10c.passes.canonicalize.chains import MergeChains
from y10c.passes.canonicalize.conv import MergeConvs
from y10c.passes.canonicalize.cse import EraseDead, MergeCommonSubexpressions
from y10c.passes.canonicalize.fold_constants import FoldConstants
from y10c.passes.canonicalize.noop import DropNoops
from y10c.passes.canonicalize.pads import FoldPads
from y10c.passes.canonicalize.recognize import RecognizeFunctions
from y10c.passes.pipelines import canonicalization
from y10c.pipeline.manager import run_passes
from y10c.rewrite.passes import Pass, PassContext

HEAD = '<ir_version: 8, opset_import: ["" : 17]> net (float[1,2,4,4] x) => (float[1,2,4,4] y) '
W = "float[2,2,1,1] w = {1, 2, 3, 4}, float[2] b = {5, 6}"
S = "float[2] g = {2, 3}, float[2] s = {1, 2}, float[2] m = {0.5, 1}, float[2] v = {4, 9}"
V = "float[2,2,1,1] w2 = {5, 6, 7, 8}, float[2,2,3,3] w3 = {" + ", ".join(map(str, range(36))) + "}"

CASES: dict[str, tuple[Pass, str, list[str]]] = {
    "Identity": (DropNoops(), "{ a = Relu(x) b = Identity(a) y = Sigmoid(b) }", ["Relu", "Sigmoid"]),
    "Dropout": (DropNoops(), "{ a = Dropout(x) y = Relu(a) }", ["Relu"]),
    "Cast": (DropNoops(), "{ a = Cast<to=1>(x) y = Relu(a) }", ["Relu"]),
    "Reshape": (
        DropNoops(),
        "<int64[4] s = {1, 2, 4, 4}> { a = Reshape(x, s) y = Relu(a) }",
        ["Relu"],
    ),
    "Transpose": (DropNoops(), "{ a = Transpose<perm=[0,1,2,3]>(x) y = Relu(a) }", ["Relu"]),
    "Pad": (DropNoops(), "<int64[8] p = {0,0,0,0,0,0,0,0}> { a = Pad(x, p) y = Relu(a) }", ["Relu"]),
    "neutral": (DropNoops(), "<float[1] one = {1}> { a = Mul(x, one) y = Relu(a) }", ["Relu"]),
    "double negation": (DropNoops(), "{ a = Neg(x) b = Neg(a) y = Relu(b) }", ["Relu"]),
    "Reshapes": (
        MergeChains(),
        "<int64[2] r = {2, 16}, int64[4] s = {1, 2, 4, 4}> { a = Reshape(x, r) b = Relu(a) c = Reshape(a, s)"
        " y = Relu(c) }",
        ["Reshape", "Relu"],
    ),
    "Transposes": (
        MergeChains(),
        "{ a = Transpose<perm=[0,2,3,1]>(x) b = Transpose<perm=[0,3,1,2]>(a) y = Relu(b) }",
        ["Transpose", "Relu"],
    ),
    "Pads": (
        MergeChains(),
        "<int64[8] p = {0,0,1,0,0,0,0,1}, int64[8] q = {0,0,0,1,0,0,1,0}, int64[4] f = {0,0,1,1},"
        " int64[4] t = {1,2,5,5}> { a = Pad(x, p) b = Pad(a, q) y = Slice(b, f, t) }",
        ["Pad", "Slice"],
    ),
    "BatchNormalization behind a Conv": (
        FoldBatchNorm(),
        f"<{W}, {S}> {{ a = Conv(x, w, b) y = BatchNormalization(a, g, s, m, v) }}",
        ["Conv"],
    ),
    "BatchNormalization behind a ConvTranspose": (
        FoldBatchNorm(),
        f"<{W}, {S}> {{ a = ConvTranspose(x, w, b) y = BatchNormalization(a, g, s, m, v) }}",
        ["ConvTranspose"],
    ),
    "BatchNormalization in front of a Conv": (
        FoldBatchNorm(),
        f"<{W}, {S}> {{ a = BatchNormalization(x, g, s, m, v) y = Conv(a, w) }}",
        ["Conv"],
    ),
    "BatchNormalization in front of a padded Conv": (
        FoldBatchNorm(),
        f"<{V}, {S}> {{ a = BatchNormalization(x, g, s, m, v) y = Conv<pads=[1,1,1,1]>(a, w3) }}",
        ["BatchNormalization", "Conv"],
    ),
    "Mul behind a Conv": (
        FoldAffine(),
        f"<{W}, float[2,1,1] c = {{2, 3}}> {{ a = Conv(x, w, b) y = Mul(a, c) }}",
        ["Conv"],
    ),
    "Add of an image behind a Conv": (
        FoldAffine(),
        f"<{W}, float[4] c = {{1, 2, 3, 4}}> {{ a = Conv(x, w, b) y = Add(a, c) }}",
        ["Conv", "Add"],
    ),
    "Pad in front of a Conv": (
        FoldPads(),
        f"<{V}, int64[8] p = {{0,0,1,1,0,0,1,1}}> {{ a = Pad(x, p) y = Conv(a, w3) }}",
        ["Conv"],
    ),
    "1x1 Convs": (MergeConvs(), f"<{W}, {V}> {{ a = Conv(x, w, b) y = Conv(a, w2) }}", ["Conv"]),
    "RepVGG": (
        MergeConvs(),
        f"<{W}, {V}> {{ a = Conv<pads=[1,1,1,1]>(x, w3) c = Conv(x, w, b) y = Add(a, c) }}",
        ["Conv"],
    ),
    "SiLU": (RecognizeFunctions(), "{ a = Sigmoid(x) y = Mul(a, x) }", ["y10c.SiLU"]),
    "Softmax": (
        RecognizeFunctions(),
        "<int64[1] axis = {3}> { m = ReduceMax<axes=[3]>(x) d = Sub(x, m) e = Exp(d) s = ReduceSum(e, axis)"
        " y = Div(e, s) }",
        ["Softmax"],
    ),
    "Shape of a known tensor": (
        FoldConstants(),
        "{ s = Shape(x) y = Reshape(x, s) }",
        ["Reshape"],
    ),
    "equal ops": (
        MergeCommonSubexpressions(),
        "{ a = Relu(x) b = Relu(x) y = Add(a, b) }",
        ["Relu", "Add"],
    ),
    "dead ops": (EraseDead(), "{ a = Relu(x) b = Neg(a) y = Sigmoid(a) }", ["Relu", "Sigmoid"]),
}


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    result: np.ndarray = session.run(None, {"x": x})[0]
    return result


@pytest.mark.parametrize("case", CASES)
def test_before_and_after(case: str) -> None:
    change, text, expected = CASES[case]
    model = onnx.parser.parse_model(HEAD + text)
    graph = load(model)
    run_passes(graph, [change], PassContext())
    assert [op.name for op in graph.ops] == expected
    x = np.random.default_rng(0).standard_normal((1, 2, 4, 4)).astype(np.float32)
    np.testing.assert_allclose(run(graph.to_onnx(), x), run(model, x), rtol=2e-6, atol=2e-6 * 36 * 9)


def test_an_identity_between_input_and_output_renames_neither() -> None:
    model = onnx.parser.parse_model(HEAD + "{ y = Identity(x) }")
    graph = load(model)
    run_passes(graph, canonicalization(), PassContext())
    written = graph.to_onnx()
    assert [i.name for i in written.graph.input] == ["x"]
    assert [o.name for o in written.graph.output] == ["y"]
    x = np.ones((1, 2, 4, 4), np.float32)
    np.testing.assert_array_equal(run(written, x), x)


def test_a_shared_initializer_is_not_changed_for_its_other_reader() -> None:
    body = "{ a = Conv(x, w, b) c = BatchNormalization(a, g, s, m, v) d = Conv(x, w, b) y = Add(c, d) }"
    model = onnx.parser.parse_model(f"{HEAD}<{W}, {S}> {body}")
    graph = load(model)
    run_passes(graph, [FoldBatchNorm()], PassContext())
    x = np.random.default_rng(1).standard_normal((1, 2, 4, 4)).astype(np.float32)
    np.testing.assert_allclose(run(graph.to_onnx(), x), run(model, x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "name", ["ppocr_cls", "yolov10n_coco", "yolov10n_dual", "yolov10n_e2e_raw", "yolov10n_eval_both"]
)
def test_real_models_shrink_and_keep_their_results(shared: Path, name: str, same_detections: Any) -> None:
    path = shared / "models" / f"{name}.onnx"
    shapes = {"x": (1, 3, 48, 192)} if name == "ppocr_cls" else {}
    graph = load(path, shapes=shapes)
    before = len(graph)
    run_passes(graph, canonicalization(), PassContext())
    assert len(graph) < before
    written = graph.to_onnx()
    onnx.checker.check_model(written, full_check=True)
    (feed,) = graph.inputs
    image = np.random.default_rng(0).random(feed.tensor_type.static_shape, np.float32)
    results = [
        onnxruntime.InferenceSession(m.SerializeToString()).run(None, {feed.name: image})
        for m in (onnx.load(path), written)
    ]
    for expected, found in zip(*results, strict=True):
        atol = 2e-5 * max(1.0, np.abs(expected).max())
        if expected.shape[-1] == 6:
            same_detections(found[0], expected[0], least=0.0, box=atol)
        else:
            np.testing.assert_allclose(found, expected, atol=atol)
