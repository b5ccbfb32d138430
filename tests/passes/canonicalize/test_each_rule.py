"""Every canonicalization rule on a model written as text: the ops before, the ops after, equal results."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest

from y10c.frontend.importer import load
from y10c.rewrite import Rule, rewrite
from y10c.testing.registered import registered_rules

RULES: dict[str, Rule] = {
    r.rule.name: r.rule
    for r in registered_rules()
    if r.rule.build.__module__.startswith("y10c.passes.canonicalize.")
}
W = "float[2,2,1,1] w = {1, 2, 3, 4}, float[2] b = {5, 6}"
W3 = "float[2,2,3,3] w3 = {" + ", ".join(map(str, range(36))) + "}"
S = "float[2] g = {2, 3}, float[2] s = {1, 2}, float[2] m = {0.5, 1}, float[2] v = {4, 9}"
G = "float[4,3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, float[3] b = {1, 2, 3}"
P = "int64[8] p = {0, 0, 1, 1, 0, 0, 1, 1}"
C = "float[2,1,1] c = {2, 4}, float[1] three = {3}"
FLAT = "float[2,4]"

CASES: dict[str, tuple[str, str, str]] = {
    # name: before, after, and the type of the input where it is no image
    "drop-identity": ("{ a = Relu(x) y = Identity(a) }", "Relu", ""),
    "drop-dropout": ("{ a = Dropout(x) y = Relu(a) }", "Relu", ""),
    "drop-cast": ("{ a = Cast<to=1>(x) y = Relu(a) }", "Relu", ""),
    "drop-reshape": ("<int64[4] s = {1, -1, 4, 4}> { a = Reshape(x, s) y = Relu(a) }", "Relu", ""),
    "drop-flatten": ("{ a = Flatten(x) y = Relu(a) }", "Relu", FLAT),
    "drop-transpose": ("{ a = Transpose<perm=[0,1,2,3]>(x) y = Relu(a) }", "Relu", ""),
    "drop-slice": (
        "<int64[1] f = {0}, int64[1] t = {9}, int64[1] a = {3}> { c = Slice(x, f, t, a) y = Relu(c) }",
        "Relu",
        "",
    ),
    "drop-pad": ("<int64[8] p = {0,0,0,0,0,0,0,0}> { a = Pad(x, p) y = Relu(a) }", "Relu", ""),
    "drop-concat": ("{ a = Concat<axis=1>(x) y = Relu(a) }", "Relu", ""),
    "drop-single-operand": ("{ a = Sum(x) y = Relu(a) }", "Relu", ""),
    "drop-neutral": ("<float[1] one = {1}> { a = Mul(x, one) y = Relu(a) }", "Relu", ""),
    "drop-split": ("<int64[1] n = {2}> { a = Split<axis=1>(x, n) y = Relu(a) }", "Relu", ""),
    "drop-expand": (
        f"<{C}, int64[4] e = {{1, 2, 4, 4}}> {{ a = Expand(c, e) y = Mul(x, a) }}",
        "Mul",
        "",
    ),
    "drop-double-negation": ("{ a = Neg(x) b = Neg(a) y = Relu(b) }", "Relu", ""),
    "drop-double-relu": ("{ a = Relu(x) y = Relu(a) }", "Relu", ""),
    "merge-clips": (
        "<float l = {-1}, float h = {6}, float k = {0}, float i = {9}> { a = Clip(x, l, h) y ="
        " Clip(a, k, i) }",
        "Clip",
        "",
    ),
    "fold-constants": (f"<{C}> {{ a = Neg(c) y = Mul(x, a) }}", "Mul", ""),
    "fold-shape": ("{ s = Shape(x) y = Reshape(x, s) }", "Reshape", ""),
    "fold-size": (
        "<int64[1] o = {-1}> { n = Size(x) r = Reshape(n, o) y = Reshape(x, r) }",
        "Reshape Reshape",
        "",
    ),
    "fold-shape-gather": (
        "<int64[1] i = {1}, int64[1] o = {-1}> { s = Shape(x) c = Gather(s, i) t = Concat<axis=0>(c, o)"
        " y = Reshape(x, t) }",
        "Concat Reshape",
        "float[N,2,4,4]",
    ),
    "fold-shape-slice": (
        "<int64[1] f = {1}, int64[1] e = {2}, int64[1] o = {-1}> { s = Shape(x) c = Slice(s, f, e)"
        " t = Concat<axis=0>(c, o) y = Reshape(x, t) }",
        "Concat Reshape",
        "float[N,2,4,4]",
    ),
    "merge-reshapes": (
        "<int64[2] r = {2, 16}, int64[3] s = {1, 8, 4}> { a = Reshape(x, r) y = Reshape(a, s) }",
        "Reshape",
        "",
    ),
    "merge-squeezes": (
        "<int64[1] f = {0}, int64[1] t = {4}> { a = Squeeze(x, f) b = Unsqueeze(a, f) y = Unsqueeze(b, t) }",
        "Reshape",
        "",
    ),
    "merge-transposes": (
        "{ a = Transpose<perm=[0,2,3,1]>(x) y = Transpose<perm=[0,2,1,3]>(a) }",
        "Transpose",
        "",
    ),
    "merge-casts": ("{ a = Cast<to=11>(x) b = Cast<to=1>(a) y = Relu(b) }", "Cast Relu", ""),
    "merge-pads": (
        f"<{P}, int64[8] q = {{0,0,0,1,0,0,0,1}}> {{ a = Pad(x, p) y = Pad(a, q) }}",
        "Pad",
        "",
    ),
    "fold-pad-into-conv": (f"<{W3}, {P}> {{ a = Pad(x, p) y = Conv(a, w3) }}", "Conv", ""),
    "fold-pad-into-average-pool": (
        f"<{P}> {{ a = Pad(x, p) y = AveragePool<kernel_shape=[2,2]>(a) }}",
        "AveragePool",
        "",
    ),
    "fold-pad-into-max-pool": (
        f"<{P}> {{ r = Relu(x) a = Pad(r, p) y = MaxPool<kernel_shape=[3,3], strides=[2,2]>(a) }}",
        "Relu MaxPool",
        "",
    ),
    "fold-bn-into-conv": (
        f"<{W}, {S}> {{ a = Conv(x, w, b) y = BatchNormalization(a, g, s, m, v) }}",
        "Conv",
        "",
    ),
    "fold-bn-into-conv-transpose": (
        f"<{W}, {S}> {{ a = ConvTranspose(x, w, b) y = BatchNormalization(a, g, s, m, v) }}",
        "ConvTranspose",
        "",
    ),
    "fold-bn-into-gemm": (
        "<float[4,2] w = {1, 2, 3, 4, 5, 6, 7, 8}, "
        f"{S}> {{ a = Gemm(x, w) y = BatchNormalization(a, g, s, m, v) }}",
        "Gemm",
        FLAT,
    ),
    "fold-bn-into-next-conv": (
        f"<{W}, {S}> {{ a = BatchNormalization(x, g, s, m, v) y = Conv(a, w, b) }}",
        "Conv",
        "",
    ),
    "fold-bn-into-next-gemm": (
        f"<float[2,1] w = {{1, 2}}, {S}> {{ a = BatchNormalization(x, g, s, m, v) y = Gemm(a, w) }}",
        "Gemm",
        "float[3,2]",
    ),
    "fold-mul-into-conv": (f"<{W}, {C}> {{ a = Conv(x, w, b) y = Mul(a, c) }}", "Conv", ""),
    "fold-div-into-conv": (f"<{W}, {C}> {{ a = Conv(x, w, b) y = Div(a, c) }}", "Conv", ""),
    "fold-add-into-conv": (f"<{W}, {C}> {{ a = Conv(x, w) y = Add(c, a) }}", "Conv", ""),
    "fold-sub-into-conv": (f"<{W}, {C}> {{ a = Conv(x, w, b) y = Sub(a, c) }}", "Conv", ""),
    "fold-mul-into-next-conv": (f"<{W}, {C}> {{ a = Mul(x, three) y = Conv(a, w, b) }}", "Conv", ""),
    "fold-mul-into-gemm": (f"<{G}> {{ a = Gemm(x, w, b) y = Mul(a, b) }}", "Gemm", FLAT),
    "fold-div-into-gemm": (f"<{G}> {{ a = Gemm(x, w, b) y = Div(a, b) }}", "Gemm", FLAT),
    "fold-add-into-gemm": (f"<{G}> {{ a = Gemm<alpha=0.5, beta=2.0>(x, w, b) y = Add(a, b) }}", "Gemm", FLAT),
    "fold-sub-into-gemm": (f"<{G}> {{ a = Gemm(x, w) y = Sub(a, b) }}", "Gemm", FLAT),
    "matmul-add-to-gemm": (f"<{G}> {{ a = MatMul(x, w) y = Add(a, b) }}", "Gemm", FLAT),
    "merge-pointwise-convs": (f"<{W}> {{ a = Conv(x, w, b) y = Conv(a, w) }}", "Conv", ""),
    "merge-parallel-convs": (
        f"<{W}, {W3}> {{ a = Conv<pads=[1,1,1,1]>(x, w3) c = Conv(x, w, b) y = Add(a, c) }}",
        "Conv",
        "",
    ),
    "merge-conv-and-shortcut": (
        f"<{W3}> {{ a = Conv<pads=[1,1,1,1]>(x, w3) y = Add(a, x) }}",
        "Conv",
        "",
    ),
    "merge-conv-and-batchnorm": (
        f"<{W3}, {S}> {{ a = Conv<pads=[1,1,1,1]>(x, w3) c = BatchNormalization(x, g, s, m, v)"
        " y = Add(a, c) }",
        "Conv",
        "",
    ),
    "merge-concats": (
        "{ r = Relu(x) a = Concat<axis=1>(x, r) y = Concat<axis=-3>(r, a) }",
        "Relu Concat",
        "",
    ),
    "split-concat": (
        "<int64[2] n = {2, 4}> { r = Relu(x) a = Concat<axis=1>(x, r, x) b, c = Split<axis=1>(a, n)"
        " d = Neg(b) y = Concat<axis=1>(c, d) }",
        "Relu Concat Concat Neg Concat",
        "",
    ),
    "concat-split": (
        "<int64[2] n = {1, 1}> { b, c = Split<axis=1>(x, n) a = Concat<axis=1>(b, c) y = Relu(a) }",
        "Relu",
        "",
    ),
    "merge-slices": (
        "<int64[1] f = {1}, int64[1] t = {4}, int64[1] a = {3}> { b = Slice(x, f, t, a) y ="
        " Slice(b, f, t, a) }",
        "Slice",
        "",
    ),
    "slice-concat": (
        "<int64[1] f = {1}, int64[1] t = {2}, int64[1] a = {1}> { r = Relu(x) b = Concat<axis=1>(x, r)"
        " y = Slice(b, f, t, a) }",
        "Slice",
        "",
    ),
    "concat-slices": (
        "<int64[1] f = {0}, int64[1] m = {1}, int64[1] t = {2}, int64[1] a = {1}> { b = Slice(x, f, m, a)"
        " c = Slice(x, m, t, a) d = Concat<axis=1>(b, c) y = Relu(d) }",
        "Concat Relu",
        "",
    ),
    "merge-transposes-around-unary": (
        "{ a = Transpose<perm=[0,2,3,1]>(x) b = Relu(a) y = Transpose<perm=[0,3,1,2]>(b) }",
        "Transpose Relu",
        "",
    ),
    "merge-transposes-around-clip": (
        "<float l = {-1}, float h = {6}> { a = Transpose<perm=[0,2,3,1]>(x) b = Clip(a, l, h)"
        " y = Transpose<perm=[0,3,1,2]>(b) }",
        "Transpose Clip",
        "",
    ),
    "merge-transposes-around-constant": (
        "<float[2] c = {1, 2}> { a = Transpose<perm=[0,2,3,1]>(x) b = Sub(c, a)"
        " y = Transpose<perm=[0,3,1,2]>(b) }",
        "Transpose Sub",
        "",
    ),
    "merge-transposes-around-pad": (
        "<int64[8] q = {0,1,2,0,0,1,0,0}> { a = Transpose<perm=[0,2,3,1]>(x) b = Pad(a, q)"
        " y = Transpose<perm=[0,3,1,2]>(b) }",
        "Transpose Pad",
        "",
    ),
    "sink-transposes-of-both": (
        "{ r = Relu(x) a = Transpose<perm=[0,2,3,1]>(x) b = Transpose<perm=[0,2,3,1]>(r) y = Sub(a, b) }",
        "Relu Sub Transpose",
        "",
    ),
    "sink-transposes-of-concat": (
        "{ r = Relu(x) a = Transpose<perm=[0,2,3,1]>(x) b = Transpose<perm=[0,2,3,1]>(r)"
        " y = Concat<axis=3>(a, b) }",
        "Relu Concat Transpose",
        "",
    ),
    "reduce-before-transpose": (
        "<int64[2] a = {1, 2}> { t = Transpose<perm=[0,2,3,1]>(x) y = ReduceMean<keepdims=0>(t, a) }",
        "ReduceMean",
        "",
    ),
    "recognize-silu": ("{ a = Sigmoid(x) y = Mul(a, x) }", "y10c.SiLU", ""),
    "recognize-hardsigmoid": (
        "<float t = {3}, float z = {0}, float s = {6}> { a = Add(x, t) b = Clip(a, z, s) y = Div(b, s) }",
        "HardSigmoid",
        "",
    ),
    "recognize-hardswish": (
        "{ a = HardSigmoid<alpha=0.16666667, beta=0.5>(x) y = Mul(a, x) }",
        "HardSwish",
        "",
    ),
    "recognize-hardswish-of-clip": (
        "<float t = {3}, float z = {0}, float s = {6}> { a = Add(x, t) b = Clip(a, z, s) c = Mul(x, b)"
        " y = Div(c, s) }",
        "HardSwish",
        "",
    ),
    "recognize-gelu": (
        "<float r = {1.4142135}, float o = {1}, float h = {0.5}> { a = Div(x, r) e = Erf(a) p = Add(e, o)"
        " m = Mul(x, p) y = Mul(m, h) }",
        "Gelu",
        "",
    ),
    "recognize-gelu-of-tanh": (
        "<float r = {0.7978846}, float c = {0.044715}, float n = {3}, float o = {1}, float h = {0.5}>"
        " { q = Pow(x, n) k = Mul(q, c) i = Add(x, k) j = Mul(i, r) t = Tanh(j) p = Add(t, o) m = Mul(x, p)"
        " y = Mul(m, h) }",
        "Gelu",
        "",
    ),
    "recognize-layernorm": (
        "<int64[1] a = {-1}, float two = {2}, float e = {0.001}, float[4] g = {1,2,3,4},"
        " float[4] b = {4,3,2,1}>"
        " { m = ReduceMean(x, a) d = Sub(x, m) q = Pow(d, two) v = ReduceMean(q, a) k = Add(v, e) r = Sqrt(k)"
        " n = Div(d, r) s = Mul(n, g) y = Add(s, b) }",
        "LayerNormalization",
        "",
    ),
    "recognize-softmax": (
        "<int64[1] a = {3}> { m = ReduceMax(x, a) d = Sub(x, m) e = Exp(d) s = ReduceSum(e, a)"
        " y = Div(e, s) }",
        "Softmax",
        "",
    ),
    "drop-requantize": (
        "<float s = {0.5}, uint8 z = {3}> { q = QuantizeLinear(x, s, z) r = DequantizeLinear(q, s, z)"
        " k = QuantizeLinear(r, s, z) y = DequantizeLinear(k, s, z) }",
        "QuantizeLinear DequantizeLinear",
        "",
    ),
    "clip-integers": (
        "<float s = {0.5}, uint8 z = {3}> { q = QuantizeLinear(x, s, z) r = DequantizeLinear(q, s, z)"
        " p = Relu(r) k = QuantizeLinear(p, s, z) y = DequantizeLinear(k, s, z) }",
        "QuantizeLinear Clip DequantizeLinear",
        "",
    ),
    "move-integers": (
        "<float s = {0.5}, int8 z = {0}> { q = QuantizeLinear(x, s, z) r = DequantizeLinear(q, s, z)"
        " p = Transpose<perm=[0,2,3,1]>(r) k = QuantizeLinear(p, s, z) y = DequantizeLinear(k, s, z) }",
        "QuantizeLinear Transpose DequantizeLinear",
        "",
    ),
    "compare-integers": (
        "<float s = {0.5}, int8 z = {0}> { q = QuantizeLinear(x, s, z) a = DequantizeLinear(q, s, z)"
        " n = Neg(x) p = QuantizeLinear(n, s, z) b = DequantizeLinear(p, s, z) g = Greater(a, b)"
        " y = Cast<to=1>(g) }",
        "QuantizeLinear Neg QuantizeLinear Greater Cast",
        "",
    ),
}


def model_of(text: str, kind: str) -> onnx.ModelProto:
    opset = 20 if "Gelu" in text else 18
    head = f'<ir_version: 9, opset_import: ["" : {opset}]> net ({kind or "float[1,2,4,4]"} x) => (float[] y) '
    return onnx.parser.parse_model(head + text)


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    result: np.ndarray = onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, {"x": x})[
        0
    ]
    return result


def test_every_rule_has_a_case() -> None:
    assert sorted(CASES) == sorted(RULES)


@pytest.mark.parametrize("name", CASES)
def test_before_and_after(name: str) -> None:
    text, expected, kind = CASES[name]
    model = model_of(text, kind)
    graph = load(model)
    assert rewrite(graph, [RULES[name]]).applied[name] >= 1
    assert [op.name for op in graph.ops] == expected.split()
    shape = [d if isinstance(d, int) else 1 for d in graph.inputs[0].tensor_type.shape or ()]
    x = np.random.default_rng(0).integers(-8, 9, shape).astype(np.float32) / 4
    np.testing.assert_allclose(run(graph.to_onnx(), x), run(model, x), rtol=1e-5, atol=1e-4)
