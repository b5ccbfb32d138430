"""What a file says beside its computation survives import, text and export."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper, parser

import y10c
from y10c.diagnostics import collect
from y10c.errors import ModelError
from y10c.frontend.importer import load
from y10c.ir.equal import difference
from y10c.ir.graph import Graph
from y10c.ir.parser import parse_graph
from y10c.ir.printer import print_graph
from y10c.ir.tensor import Tensor
from y10c.ir.verify import verify

HEAD = '<ir_version: 10, opset_import: ["" : 21, "org.example" : 3]> g '


def through_text(model: onnx.ModelProto) -> onnx.ModelProto:
    graph = load(model)
    side: dict[str, Tensor] = {}
    parsed = parse_graph(print_graph(graph, side), side)
    assert difference(graph, parsed) is None
    assert difference(graph, graph.clone()) is None
    verify(parsed)
    return parsed.to_onnx()


def run(model: onnx.ModelProto, **feeds: object) -> Sequence[Any]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return list(session.run(None, feeds))


# --- inputs that need not be fed ---


def overridable(ir_version: int = 10) -> onnx.ModelProto:
    model = parser.parse_model(HEAD + "(float[2] x, float[2] w) => (float[2] y) { y = Mul(x, w) }")
    model.graph.initializer.append(numpy_helper.from_array(np.array([2, 3], np.float32), "w"))
    model.ir_version = ir_version
    return model


@pytest.mark.parametrize("change", [through_text, y10c.optimize], ids=["text", "optimize"])
def test_a_default_can_still_be_overridden(change: object) -> None:
    made: onnx.ModelProto = change(overridable())  # type: ignore[operator]
    x = np.array([1, 1], np.float32)
    np.testing.assert_array_equal(run(made, x=x)[0], [2, 3])
    np.testing.assert_array_equal(run(made, x=x, w=x)[0], [1, 1])
    assert [i.name for i in made.graph.input] == ["x", "w"]


def test_before_ir_version_4_an_initializer_that_is_an_input_is_a_constant() -> None:
    graph = load(overridable(3))
    assert [v.name for v in graph.inputs] == ["x"]
    assert [v.name for v in graph.constants] == ["w"]


def test_a_default_is_a_constant_where_that_is_asked_for() -> None:
    with collect() as warnings:
        graph = load(overridable(), freeze=True)
    assert [w.message == "inputs with defaults become constants: w" for w in warnings] == [True]
    assert [v.name for v in graph.inputs] == ["x"]
    assert not graph.defaults


def test_a_default_that_decides_a_shape_is_not_taken_as_known() -> None:
    model = parser.parse_model(HEAD + "(float[6] x, int64[2] s) => (float[A, B] y) { y = Reshape(x, s) }")
    model.graph.initializer.append(numpy_helper.from_array(np.array([2, 3]), "s"))
    assert load(model).outputs[0].shape == ("A", "B")
    made = through_text(model)
    x = np.arange(6, dtype=np.float32)
    assert np.shape(run(made, x=x, s=np.array([3, 2]))[0]) == (3, 2)


def test_an_input_of_a_loop_body_keeps_its_place_although_it_has_a_default() -> None:
    body = "(int64 i, bool k, float[2] v) => (bool k2, float[2] w) { k2 = Identity(k) w = Add(v, x) }"
    text = f"(int64 n, bool c, float[2] x) => (float[2] y) {{ y = Loop(n, c, x) <body = b {body}> }}"
    model = parser.parse_model(HEAD + text)
    inner = model.graph.node[0].attribute[0].g
    inner.initializer.append(numpy_helper.from_array(np.zeros(2, np.float32), "v"))
    graph = load(model)
    assert [len(g.inputs) for op in graph.ops for g in op.graphs] == [3]
    verify(graph)


# --- documentation, metadata, denotations ---


def documented() -> onnx.ModelProto:
    model = parser.parse_model(
        HEAD + "(float[2] x) => (float[2] y) <float[2] w = {1, 2}> { h = Mul(x, w) y = Elu<alpha = 0.5>(h) }"
    )
    graph = model.graph
    graph.initializer[0].CopyFrom(numpy_helper.from_array(np.array([1, 2], np.float32), "w"))
    graph.value_info.append(helper.make_tensor_value_info("h", TensorProto.FLOAT, [2]))
    named = {
        "graph": graph,
        "node": graph.node[1],
        "input": graph.input[0],
        "output": graph.output[0],
        "inner": graph.value_info[0],
        "weight": graph.initializer[0],
    }
    for name, message in named.items():
        message.doc_string = f'the "{name}"\nin two lines'
        message.metadata_props.add(key="k", value=name)
    graph.node[1].attribute[0].doc_string = "slope"
    graph.input[0].type.denotation = "TENSOR"
    graph.input[0].type.tensor_type.shape.dim[0].denotation = "DATA_FEATURE"
    annotation = graph.quantization_annotation.add(tensor_name="h")
    annotation.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="w")
    return model


def test_every_documentation_and_denotation_survives() -> None:
    model = documented()
    made = through_text(model)
    assert made.graph.doc_string == model.graph.doc_string
    assert made.graph.metadata_props == model.graph.metadata_props
    for field in ("input", "output", "value_info", "initializer", "quantization_annotation"):
        assert getattr(made.graph, field) == getattr(model.graph, field), field
    assert made.graph.node[1].doc_string == model.graph.node[1].doc_string
    assert made.graph.node[1].attribute == model.graph.node[1].attribute
    assert made.graph.node[1].metadata_props == model.graph.node[1].metadata_props


def test_documentation_outlives_a_rewrite_of_what_it_describes() -> None:
    model = parser.parse_model(HEAD + "(float[2] x) => (float[2] y) { h = Identity(x) y = Neg(h) }")
    model.graph.output[0].doc_string = "the result"
    assert y10c.optimize(model).graph.output[0].doc_string == "the result"


# --- sparse tensors ---


def sparse(values: list[float], indices: list[int], dims: list[int]) -> onnx.SparseTensorProto:
    return helper.make_sparse_tensor(
        helper.make_tensor("v", TensorProto.FLOAT, [len(values)], values),
        helper.make_tensor("i", TensorProto.INT64, [len(indices)], indices),
        dims,
    )


def test_sparse_attributes_survive() -> None:
    node = helper.make_node("Eat", ["x"], ["y"], domain="org.example")
    one, several = sparse([5], [3], [2, 2]), [sparse([1, 2], [0, 9], [100]), sparse([3], [1], [7])]
    node.attribute.add(name="one", type=onnx.AttributeProto.SPARSE_TENSOR).sparse_tensor.CopyFrom(one)
    node.attribute.add(name="two", type=onnx.AttributeProto.SPARSE_TENSORS).sparse_tensors.extend(several)
    model = parser.parse_model(HEAD + "(float[2] x) => (float[2] y) { y = Neg(x) }")
    model.graph.node[0].CopyFrom(node)
    first, second = through_text(model).graph.node[0].attribute
    for made, given in zip([first.sparse_tensor, *second.sparse_tensors], [one, *several], strict=True):
        assert list(made.dims) == list(given.dims)
        for field in ("values", "indices"):
            a, b = (numpy_helper.to_array(getattr(t, field)) for t in (made, given))
            np.testing.assert_array_equal(a, b)


def test_a_sparse_constant_that_would_fill_the_memory_is_refused() -> None:
    model = parser.parse_model(HEAD + "(float[1] x) => (float[A, B] y) { y = Add(x, v) }")
    model.graph.sparse_initializer.append(sparse([5], [3], [1 << 20, 1 << 20]))
    with pytest.raises(ModelError, match=r"4\.4 TB"):
        load(model)


# --- functions ---

TWICE = ' <domain: "org.example", opset_import: ["" : {opset}]> f <k: float = 2.0> (a, b) => (c) {{ {body} }}'


def test_a_function_of_an_older_opset_keeps_its_meaning() -> None:
    """Softmax of opset 12 sees a matrix: its columns are the axes from 1 on."""
    body = "d = Softmax(a) c = Unsqueeze<axes = [0]>(d)"
    text = HEAD + "(float[2,3,4] x) => (float[1,2,3,4] y) { y = org.example.f(x) }"
    model = parser.parse_model(text + TWICE.format(opset=12, body=body))
    made = through_text(model)
    x = np.random.default_rng(0).random((2, 3, 4), np.float32)
    (found,) = run(made, x=x)
    powers = np.exp(x.reshape(2, 12))
    expected = (powers / powers.sum(1, keepdims=True)).reshape(1, 2, 3, 4)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("opset", [13, 21])
@pytest.mark.parametrize("call", ["f(x)", "f<k = 3.0>(x, x)"])
def test_attributes_and_absent_operands_of_functions(opset: int, call: str) -> None:
    body = "m = Constant<value_float: float = @k>() d = Mul(a, m) c = Clip(d, b)"
    text = HEAD + f"(float x) => (float y) {{ h = org.example.{call} y = org.example.f(h) }}"
    model = parser.parse_model(text + TWICE.format(opset=opset, body=body))
    (found,) = run(through_text(model), x=np.array(5, np.float32))
    assert found == (20 if call == "f(x)" else 30)


def test_functions_of_other_opsets_inside_branches_and_functions() -> None:
    branches = (
        "y = If(c) <then_branch = t () => (float[2] p) { p = org.example.outer(x) },"
        " else_branch = e () => (float[2] q) { q = Neg(x) }>"
    )
    functions = (
        ' <domain: "org.example", opset_import: ["" : 13, "org.example" : 3]> outer (a) => (c)'
        " { b = org.example.inner(a) c = Add(b, a) }"
        ' <domain: "org.example", opset_import: ["" : 11]> inner (a) => (c)'
        " { s = Unsqueeze<axes = [0]>(a) c = Squeeze<axes = [0]>(s) }"
    )
    model = parser.parse_model(HEAD + f"(bool c, float[2] x) => (float[2] y) {{ {branches} }}" + functions)
    x = np.array([1, 2], np.float32)
    made = through_text(model)
    for flag, expected in ((True, [2, 4]), (False, [-1, -2])):
        np.testing.assert_array_equal(run(made, c=np.array(flag), x=x)[0], expected)


@pytest.mark.parametrize("opset", [13, 21])
def test_a_function_that_calls_itself_is_refused(opset: int) -> None:
    function = (
        f' <domain: "org.example", opset_import: ["" : {opset}, "org.example" : 3]> f (a) => (c)'
        " { c = org.example.f(a) }"
    )
    model = parser.parse_model(HEAD + "(float[2] x) => (float[2] y) { y = org.example.f(x) }" + function)
    with pytest.raises(ModelError, match="calls itself"):
        load(model)


# --- what no graph holds ---


def test_names_of_open_extents_of_outputs_are_those_of_the_file() -> None:
    text = "(float[N, M] x) => (int64[K] y, float[N, M] z) { m = NonZero(x) y = Reshape(m, t) z = Neg(x) }"
    model = parser.parse_model(HEAD + text)
    model.graph.initializer.append(numpy_helper.from_array(np.array([-1]), "t"))
    made = through_text(model)
    dims = [[d.dim_param for d in o.type.tensor_type.shape.dim] for o in made.graph.output]
    assert dims == [["K"], ["N", "M"]]
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    dims = [[d.dim_param for d in o.type.tensor_type.shape.dim] for o in through_text(model).graph.output]
    assert dims == [[""], ["N", "M"]]


def test_equal_models_give_equal_bytes_whatever_the_order_of_sets(tmp_path: Path) -> None:
    import subprocess
    import sys

    path = tmp_path / "m.onnx"
    onnx.save(documented(), path)
    code = (
        "import sys, hashlib, y10c, onnx; m = y10c.load(sys.argv[1]);"
        "print(hashlib.sha256(m.to_onnx().SerializeToString(deterministic=True)).hexdigest())"
    )
    hashes = set()
    for seed in ("1", "2", "3"):
        command = [sys.executable, "-c", code, str(path)]
        hashes.add(subprocess.check_output(command, env={"PYTHONHASHSEED": seed}))
    assert len(hashes) == 1


def test_graphs_and_notes_are_shown_in_text() -> None:
    graph: Graph = load(documented())
    expected = 'note {attribute.alpha="slope", doc="the \\"node\\"\\nin two lines", meta.k="node"}'
    assert expected in print_graph(graph)


def test_compile_takes_defaults_as_constants_and_says_so() -> None:
    model = parser.parse_model(
        HEAD + "(float[1,3,8,8] x, float[4,3,1,1] w) => (float[1,4,8,8] y) { h = Conv(x, w) y = Relu(h) }"
    )
    weights = np.random.default_rng(0).normal(size=(4, 3, 1, 1)).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    result = y10c.compile(model, "ort")
    assert [i.name for i in result.model.graph.input] == ["x"]
    assert "inputs with defaults become constants: w" in [w.message for w in result.warnings]
    assert result.outputs[0].cosine > 0.999
