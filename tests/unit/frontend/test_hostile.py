# ruff: noqa: E501  # a model reads best on one line
"""Valid models of odd form keep their meaning and interface; invalid ones are refused with a sentence of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper, parser

import y10c
from y10c.diagnostics import collect
from y10c.errors import InternalError, ModelError
from y10c.frontend.importer import load
from y10c.ir.equal import difference
from y10c.ir.parser import parse_graph
from y10c.ir.printer import print_graph
from y10c.ir.tensor import Tensor
from y10c.ir.verify import verify
from y10c.passes.head.fold import fold_head

HEAD = '<ir_version: 10, opset_import: ["" : 21, "m" : 1]> g '
X = np.array([-1, 2], np.float32)
YES = np.array(True)

VALID: dict[str, tuple[str, dict[str, Any]]] = {
    "no nodes": ("(float[2] x) => (float[2] x) { }", {"x": X}),
    "an input as output": ("(float[2] x) => (float[2] x, float[2] y) { y = Neg(x) }", {"x": X}),
    "an initializer as output": (
        "(float[2] x) => (float[2] w, float[2] y) <float[2] w = {1,2}> { y = Neg(x) }",
        {"x": X},
    ),
    "one name in two branches": (
        "(bool c, float[2] x) => (float[2] y) { h = Neg(x) y = If(c) <then_branch = a () => (float[2] r) { r = Abs(h) }, else_branch = b () => (float[2] r) { r = Relu(x) }> }",
        {"c": YES, "x": X},
    ),
    "weights in branches": (
        "(bool c, float[2] x) => (float[2] y) { y = If(c) <then_branch = a () => (float[2] r) <float[2] w = {3,4}> { r = Add(x, w) }, else_branch = b () => (float[2] r) <float[2] w = {5,6}> { r = Mul(x, w) }> }",
        {"c": YES, "x": X},
    ),
    "a loop that captures": (
        "(int64 n, bool c, float[2] x) => (float[2] y, float[K,2] z) { w = Neg(x) y, z = Loop(n, c, x) <body = b (int64 i, bool k, float[2] v) => (bool k2, float[2] o, float[2] u) { k2 = Identity(k) o = Add(v, w) u = Mul(o, x) }> }",
        {"n": np.array(3), "c": YES, "x": X},
    ),
    "a loop without limit": (
        "(float[2] x) => (float[2] y) { y = Loop(, , x) <body = b (int64 i, bool k, float[2] v) => (bool k2, float[2] o) { t = Constant<value = int64 {3}>() k2 = Less(i, t) o = Add(v, v) }> }",
        {"x": X},
    ),
    "a branch in a loop": (
        "(int64 n, bool c, float[2] x) => (float[2] y) { y = Loop(n, c, x) <body = b (int64 i, bool k, float[2] v) => (bool k2, float[2] o) { k2 = Identity(k) z = Constant<value = int64 {1}>() e = Equal(i, z) o = If(e) <then_branch = t () => (float[2] p) { p = Add(v, x) }, else_branch = u () => (float[2] q) { q = Identity(v) }> }> }",
        {"n": np.array(3), "c": YES, "x": X},
    ),
    "a scan that captures": (
        "(float[3,2] x, float[2] s) => (float[2] f, float[3,2] y) { f, y = Scan <num_scan_inputs = 1, body = b (float[2] a, float[2] e) => (float[2] a2, float[2] o) { a2 = Add(a, e) o = Mul(a2, s) }> (s, x) }",
        {"x": np.ones((3, 2), np.float32), "s": X},
    ),
    "a sequence": (
        "(float[2] a, float[3] b) => (float[N] y) { s = SequenceConstruct(a, b) z = Constant<value = int64 {1}>() y = SequenceAt(s, z) }",
        {"a": X, "b": np.ones(3, np.float32)},
    ),
    "an optional": ("(float[2] a) => (float[2] y) { s = Optional(a) y = OptionalGetElement(s) }", {"a": X}),
    "no elements": (
        "(float[0,3] x) => (float[0,3] y, float[3] s) { y = Relu(x) a = Constant<value = int64[1] {0}>() s = ReduceSum<keepdims=0>(x, a) }",
        {"x": np.zeros((0, 3), np.float32)},
    ),
    "the least int64": (
        "(int64[2] x) => (int64[2] y) <int64[2] m = {-9223372036854775808, 9223372036854775807}> { y = Max(x, m) }",
        {"x": np.array([0, 0])},
    ),
    "NaN and infinity": (
        "(float[3] x) => (float[3] y) <float[3] m = {nan, inf, -inf}> { y = Add(x, m) }",
        {"x": np.ones(3, np.float32)},
    ),
    "training BatchNormalization": (
        "(float[2,1,2,2] x, float[1] s, float[1] b, float[1] m, float[1] v) => (float[2,1,2,2] y, float[1] p, float[1] q) { y, p, q = BatchNormalization<training_mode=1>(x, s, b, m, v) }",
        {
            "x": np.arange(8, dtype=np.float32).reshape(2, 1, 2, 2),
            **{n: np.ones(1, np.float32) for n in "sbmv"},
        },
    ),
    "strings": ("(string[2] x) => (string[2] y) { y = Identity(x) }", {"x": np.array(["a", "ü"], object)}),
    "int4": (
        "(float[4] x) => (float[4] y) <float s = {0.5}, int4 z = {0}> { q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z) }",
        {"x": np.array([1, 2, 3, -4], np.float32)},
    ),
    "all extents open": (
        "(float[N,C,H,W] x) => (float[N,D,H,W] y) { y = Concat<axis=1>(x, x) }",
        {"x": np.ones((1, 2, 3, 4), np.float32)},
    ),
    "only constants": (
        "() => (float[1,1,2,2] y) <float[1,1,2,2] x = {1,2,3,4}, float[1,1,1,1] w = {2}> { y = Conv(x, w) }",
        {},
    ),
    "negative pads": (
        "(float[1,1,5,5] x) => (float[1,1,A,B] y) { p = Constant<value = int64[8] {0,0,-1,0,0,0,0,-1}>() a = Pad(x, p) y = MaxPool<kernel_shape=[2,2], strides=[2,2], ceil_mode=1>(a) }",
        {"x": np.ones((1, 1, 5, 5), np.float32)},
    ),
    "a function that gives one value twice": (
        '(float[2] x) => (float[2] y, float[2] z) { y, z = m.f(x) } <domain: "m", opset_import: ["" : 21]> f (a) => (b, c) { b = Abs(a) c = Identity(b) }',
        {"x": X},
    ),
    "a function without operands": (
        '(float[2] x) => (float[2] y) { h = m.f() y = Mul(x, h) } <domain: "m", opset_import: ["" : 21]> f () => (b) { b = Constant<value = float[2] {3,4}>() }',
        {"x": X},
    ),
    "a function of an old opset in a loop": (
        '(int64 n, bool c, float[2] x) => (float[2] y) { y = Loop(n, c, x) <body = b (int64 i, bool k, float[2] v) => (bool k2, float[2] o) { k2 = Identity(k) o = m.f(v, x) }> } <domain: "m", opset_import: ["" : 13]> f (a, d) => (b) { b = Add(a, d) }',
        {"n": np.array(2), "c": YES, "x": X},
    ),
    "a function with branches": (
        '(bool c, float[2] x) => (float[2] y) { y = m.f(c, x) } <domain: "m", opset_import: ["" : 13]> f (c, a) => (b) { b = If(c) <then_branch = t () => (float[2] r) { r = Neg(a) }, else_branch = e () => (float[2] s) { s = Abs(a) }> }',
        {"c": YES, "x": X},
    ),
    "a function named as an op": (
        '(float[2] x) => (float[2] y) { y = Neg(x) } <domain: "", opset_import: ["" : 21]> Neg (a) => (b) { b = Abs(a) }',
        {"x": X},
    ),
    "a long chain": (
        "(float[2] x) => (float[2] y) { h0 = Neg(x) "
        + " ".join(f"h{i + 1} = Neg(h{i})" for i in range(2000))
        + " y = Neg(h2000) }",
        {"x": X},
    ),
}


def old_network() -> onnx.ModelProto:
    """IR version 3, opset 7: every weight an input, attributes where operands are today."""
    text = '(float[1,2,4,4] x, float[2] s, float[2] b, float[2] m, float[2] v) => (float[1,8] y) { a = BatchNormalization(x, s, b, m, v) u = Upsample<mode="nearest", scales=[1.0,1.0,2.0,2.0]>(a) p = MaxPool<kernel_shape=[4,4], strides=[4,4]>(u) q = Pad<pads=[0,0,0,0,0,0,0,0]>(p) f = Flatten(q) z = Softmax(f) y = Clip<min=0.1, max=0.9>(z) }'
    model = parser.parse_model('<ir_version: 3, opset_import: ["" : 7]> g ' + text)
    model.graph.initializer.extend(numpy_helper.from_array(np.ones(2, np.float32), n) for n in "sbmv")
    return model


def through_text(model: onnx.ModelProto) -> onnx.ModelProto:
    graph, side = load(model), dict[str, Tensor]()
    parsed = parse_graph(print_graph(graph, side), side)
    assert difference(graph, parsed) is None
    verify(parsed)
    return parsed.to_onnx()


def without_head(model: onnx.ModelProto) -> onnx.ModelProto:
    graph = load(model)
    assert not fold_head(graph, "raw").found
    return graph.to_onnx()


CHANGES = {"text": through_text, "optimize": y10c.optimize, "fold-head": without_head}


def run(model: onnx.ModelProto, feeds: dict[str, Any]) -> list[Any]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, feeds))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", [*VALID, "an old network"])
def test_an_odd_model_keeps_its_meaning_and_interface(name: str, change: str) -> None:
    if name == "an old network":
        model, feeds = old_network(), {"x": np.random.default_rng(0).random((1, 2, 4, 4), np.float32)}
    else:
        model, feeds = parser.parse_model(HEAD + VALID[name][0]), VALID[name][1]
    made = CHANGES[change](model)
    onnx.checker.check_model(made, full_check=True)
    weights = {t.name for t in model.graph.initializer}
    assert [i.name for i in made.graph.input] == [i.name for i in model.graph.input if i.name not in weights]
    assert [o.name for o in made.graph.output] == [o.name for o in model.graph.output]
    for a, b in zip(run(model, feeds), run(made, feeds), strict=True):
        assert np.asarray(a).dtype == np.asarray(b).dtype
        if np.asarray(a).dtype == object:
            assert list(a) == list(b)
        else:
            np.testing.assert_allclose(b, a, rtol=1e-6)


def test_names_that_are_no_words_survive() -> None:
    odd = '%we ird"name\n{}#'
    nodes = [
        helper.make_node("Neg", ["x"], [odd], name="same"),
        helper.make_node("Abs", [odd], ["z"], name="same"),
    ]
    x, z = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [2]) for n in "xz")
    model = helper.make_model(
        helper.make_graph(nodes, "a\nb", [x], [z]), opset_imports=[helper.make_opsetid("", 21)]
    )
    made = through_text(model)
    assert made.graph.node[0].output[0] == odd
    assert made.graph.name == "a\nb"
    np.testing.assert_array_equal(run(made, {"x": X})[0], [1, 2])


def test_a_large_constant_inside_a_node_is_kept() -> None:
    model = parser.parse_model(
        HEAD + "(float[1] x) => (float[N] y) { c = Constant<value = float[1] {1}>() y = Add(x, c) }"
    )
    data = np.arange(1_000_000, dtype=np.float32)
    model.graph.node[0].attribute[0].t.CopyFrom(numpy_helper.from_array(data))
    np.testing.assert_array_equal(run(through_text(model), {"x": X[:1]})[0], data - 1)


def test_maps_and_sequences_of_them_survive() -> None:
    numbers = {"coefficients": [1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0], "intercepts": [0.0, 0, 0]}
    nodes = [
        helper.make_node(
            "LinearClassifier", ["x"], ["l", "p"], domain="ai.onnx.ml", classlabels_ints=[0, 1, 2], **numbers
        ),
        helper.make_node("ZipMap", ["p"], ["z"], domain="ai.onnx.ml", classlabels_int64s=[0, 1, 2]),
    ]
    element = helper.make_map_type_proto(
        TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, [])
    )
    outputs = [
        helper.make_tensor_value_info("l", TensorProto.INT64, [1]),
        helper.make_value_info("z", helper.make_sequence_type_proto(element)),
    ]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])], outputs
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 3)],
        ir_version=10,
    )
    made, feeds = through_text(model), {"x": np.array([[1, 2, 3]], np.float32)}
    assert str(run(made, feeds)) == str(run(model, feeds))


# --- what is not valid ---


def _opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 99


def _element(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = 99


def _inner_element(model: onnx.ModelProto) -> None:
    model.graph.value_info.append(helper.make_tensor_value_info("h", 1, [2]))
    model.graph.value_info[0].type.tensor_type.elem_type = 77


def _name_twice(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(X, "h"))


def _short_data(model: onnx.ModelProto) -> None:
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2], raw_data=b"abc")
    model.graph.initializer.append(weight)
    model.graph.node[1].CopyFrom(helper.make_node("Mul", ["h", "w"], ["y"]))


def _huge_extents(model: onnx.ModelProto) -> None:
    _short_data(model)
    model.graph.initializer[0].dims[:] = [1 << 40, 1 << 40]


def _sparse_outside(model: onnx.ModelProto) -> None:
    values = helper.make_tensor("w", TensorProto.FLOAT, [1], [5.0])
    sparse = helper.make_sparse_tensor(values, helper.make_tensor("i", TensorProto.INT64, [1], [99]), [2])
    model.graph.sparse_initializer.append(sparse)
    model.graph.node[1].CopyFrom(helper.make_node("Mul", ["h", "w"], ["y"]))


def _in_a_circle(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = "y"


def _unknown_domain(model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = "not.imported"


def _attribute_without_kind(model: onnx.ModelProto) -> None:
    model.graph.node[0].op_type, model.graph.node[0].domain = "F", "m"
    model.graph.node[0].attribute.append(onnx.AttributeProto(name="z"))


def _constant_twice(model: onnx.ModelProto) -> None:
    value = numpy_helper.from_array(X)
    model.graph.node.insert(1, helper.make_node("Constant", [], ["h"], value=value))


def _call(operands: list[str], results: list[str]) -> Callable[[onnx.ModelProto], None]:
    def spoil(model: onnx.ModelProto) -> None:
        function = helper.make_function(
            "m", "f", ["a"], ["b"], [helper.make_node("Abs", ["a"], ["b"])], [helper.make_opsetid("", 21)]
        )
        model.functions.append(function)
        model.graph.node[0].CopyFrom(helper.make_node("f", operands, results, domain="m"))

    return spoil


INVALID: dict[str, tuple[Callable[[onnx.ModelProto], None], str]] = {
    "an opset of the future": (_opset, "opset 99 is newer"),
    "an unknown element type": (_element, "unknown element type 99"),
    "an unknown element type inside": (_inner_element, "unknown element type 77"),
    "a name twice": (_name_twice, "'h' is defined twice"),
    "a constant twice": (_constant_twice, "'h' is defined twice"),
    "a call with an operand too many": (_call(["x", "x"], ["h"]), "fewer operands|contradict"),
    "a call with a result too many": (_call(["x"], ["h", "i"]), "fewer operands|contradict"),
    "too little data": (_short_data, "does not hold the data"),
    "extents beyond all memory": (_huge_extents, "cannot be broadcast|does not hold"),
    "sparse indices outside": (_sparse_outside, "indices outside"),
    "nodes in a circle": (_in_a_circle, "before anything defines it"),
    "a domain that is not imported": (_unknown_domain, "not.imported"),
    "an attribute of no kind": (_attribute_without_kind, "unknown kind"),
}


@pytest.mark.parametrize("change", [through_text, y10c.optimize], ids=["text", "optimize"])
@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_model_is_refused_with_a_sentence(name: str, change: Callable[[Any], Any]) -> None:
    model = parser.parse_model(HEAD + "(float[2] x) => (float[2] y) { h = Neg(x) y = Neg(h) }")
    spoil, sentence = INVALID[name]
    spoil(model)
    with pytest.raises(ModelError, match=sentence) as refused:
        change(model)
    assert not isinstance(refused.value, InternalError)


def test_training_information_is_left_out_and_that_is_said() -> None:
    model = parser.parse_model(HEAD + "(float[2] x) => (float[2] y) { y = Neg(x) }")
    model.training_info.add().initialization.name = "t"
    with collect() as warnings:
        load(model)
    assert [w.code for w in warnings] == ["Y5006"]


OUT_OF_ORDER = {
    "in the graph": "y = Neg(h) h = Relu(x)",
    "read by a branch": "y = If(c) <then_branch = a () => (float[2] r) { r = Abs(h) }, else_branch = b () => (float[2] s) { s = Identity(h) }> h = Relu(x)",
    "inside a branch": "h = Relu(x) y = If(c) <then_branch = a () => (float[2] r) { r = Abs(q) q = Neg(h) }, else_branch = b () => (float[2] h2) { h2 = Identity(h) }>",
    "given by a branch": "y = If(c) <then_branch = a () => (float[2] h) { }, else_branch = b () => (float[2] s) { s = Abs(h) }> h = Relu(x)",
}


@pytest.mark.parametrize("name", OUT_OF_ORDER)
def test_nodes_out_of_order_are_sorted_with_a_warning(name: str) -> None:
    text = f"(bool c, float[2] x) => (float[2] y) {{ {OUT_OF_ORDER[name]} }}"
    model = parser.parse_model(HEAD + text)
    with collect() as warnings:
        graph = load(model)
    assert [w.code for w in warnings] == ["Y5006"]
    verify(graph)
    made = graph.to_onnx()
    onnx.checker.check_model(made, full_check=True)
    expected = {"in the graph": [-0.0, -2], "inside a branch": [0, 2]}.get(name, [0, 2])
    np.testing.assert_array_equal(run(made, {"c": YES, "x": X})[0], expected)


def test_the_order_of_a_file_is_kept_where_it_is_one() -> None:
    text = "(float[2] x) => (float[2] y) { b = Neg(x) a = Abs(x) y = Add(a, b) }"
    with collect() as warnings:
        graph = load(parser.parse_model(HEAD + text))
    assert [op.name for op in graph.ops] == ["Neg", "Abs", "Add"]
    assert not list(warnings)
