"""ONNX in and out: what a model says survives, and what is wrong with a file is said."""

from __future__ import annotations

import lzma
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper, parser

from y10c.errors import ModelError, UsageError
from y10c.frontend.importer import load
from y10c.ir import DType
from y10c.ir.equal import difference
from y10c.ir.verify import verify

SIMPLE = '<ir_version: 8, opset_import: ["" : 17]> g (float[N, 3] x) => (float[N, 3] y) { y = Relu(x) }'


def run(model: onnx.ModelProto, **feeds: object) -> list[object]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return list(onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, feeds))


def same_results(before: onnx.ModelProto, after: onnx.ModelProto, **feeds: object) -> None:
    for a, b in zip(run(before, **feeds), run(after, **feeds), strict=True):
        np.testing.assert_array_equal(a, b)


def test_metadata_and_model_facts_survive() -> None:
    model = parser.parse_model(SIMPLE)
    helper.set_model_props(model, {"b": "2", "a": "1"})
    model.doc_string, model.domain, model.model_version = "a doc", "org.example", 7
    out = load(model).to_onnx()
    assert {p.key: p.value for p in out.metadata_props} == {"a": "1", "b": "2"}
    assert (out.doc_string, out.domain, out.model_version) == ("a doc", "org.example", 7)
    assert (out.ir_version, out.opset_import[0].version) == (8, 17)


def test_symbolic_extents_keep_their_names_and_can_be_set() -> None:
    model = parser.parse_model(SIMPLE)
    assert load(model).inputs[0].shape == ("N", 3)
    out = load(model).to_onnx()
    assert out.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"
    assert load(model, shapes={"x": (5, 3)}).outputs[0].shape == (5, 3)


@pytest.mark.parametrize("shapes", [{"z": (1, 3)}, {"x": (1, 4)}, {"x": (1,)}])
def test_a_shape_that_does_not_fit_is_refused(shapes: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(UsageError):
        load(parser.parse_model(SIMPLE), shapes=shapes)


def test_bytes_are_deterministic(shared: Path) -> None:
    path = shared / "models" / "ppocr_cls.onnx"
    first = load(path).to_onnx().SerializeToString(deterministic=True)
    again = load(path).to_onnx().SerializeToString(deterministic=True)
    assert first == again


def test_a_second_trip_changes_no_node_and_no_weight(shared: Path) -> None:
    first = load(shared / "models" / "ppocr_cls.onnx").to_onnx()
    second = load(first).to_onnx()
    assert list(first.graph.node) == list(second.graph.node)
    assert list(first.graph.initializer) == list(second.graph.initializer)


def test_an_xz_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx.xz"
    path.write_bytes(lzma.compress(parser.parse_model(SIMPLE).SerializeToString()))
    assert len(load(path)) == 1


# --- what graphs can hold ---


def test_unknown_ops_of_any_domain_survive() -> None:
    model = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17, "org.example" : 3]>
        g (float[2] x) => (float[2] y) { h, i = org.example.Thing <k: int = 3, s: string = "t"> (x, , x)
            y = Relu(h) }"""
    )
    graph = load(model)
    assert [op.name for op in graph.ops] == ["org.example::Thing", "Relu"]
    out = graph.to_onnx()
    assert list(out.graph.node[0].input) == ["x", "", "x"]
    assert list(out.graph.node[0].attribute) == sorted(model.graph.node[0].attribute, key=lambda a: a.name)
    assert {o.domain: o.version for o in out.opset_import} == {"": 17, "org.example": 3}


def test_functions_are_expanded() -> None:
    model = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17, "mine" : 1]>
        g (float[2] x) => (float[2] y) { y = mine.twice <k: float = 3.0> (x) }
        <domain: "mine", opset_import: ["" : 17]>
        twice <k> (a) => (c) { b = Constant <value_float: float = @k> () c = Mul (a, b) }"""
    )
    graph = load(model)
    assert [op.name for op in graph.ops] == ["Mul"]
    same_results(model, graph.to_onnx(), x=np.float32([1, 2]))


SUBGRAPHS = {
    "If": """<ir_version: 8, opset_import: ["" : 17]> g (bool c, float[2] x) => (float[M] y) {
        y = If (c) <then_branch = a () => (float[2] t) { t = Relu (x) },
                    else_branch = b () => (float[1] t) { s = Constant <value = int64[1] {0}> ()
                                                         t = Gather (x, s) }> }""",
    "Loop": """<ir_version: 8, opset_import: ["" : 17]> g (int64 n, bool c, float[2] x)
        => (float[2] y, float[K, 2] z) {
        y, z = Loop (n, c, x) <body = b (int64 i, bool k, float[2] v) => (bool k2, float[2] w, float[2] u) {
            k2 = Identity (k) w = Add (v, x) u = Identity (w) }> }""",
}


@pytest.mark.parametrize("kind", SUBGRAPHS)
@pytest.mark.parametrize("flag", [True, False])
def test_subgraphs_that_read_outer_values_run_as_before(kind: str, flag: bool) -> None:
    model = parser.parse_model(SUBGRAPHS[kind])
    graph = load(model)
    verify(graph)
    feeds: dict[str, object] = {"c": np.asarray(flag), "x": np.float32([-1, 2])}
    if kind == "Loop":
        feeds["n"] = np.asarray(3, np.int64)
    same_results(model, graph.to_onnx(), **feeds)


def test_branches_that_use_one_name_for_different_shapes_keep_both_types() -> None:
    graph = load(parser.parse_model(SUBGRAPHS["If"]))
    (op,) = graph.ops
    assert sorted(str(g.outputs[0].type) for g in op.graphs) == ["f32[1]", "f32[2]"]


@pytest.mark.parametrize("outputs", [["x"], ["x", "x2"], ["y", "y2"]])
def test_inputs_and_repeated_values_may_be_outputs(outputs: list[str]) -> None:
    model = parser.parse_model(SIMPLE)
    graph = load(model)
    sources = {"x": graph.inputs[0], "x2": graph.inputs[0], "y": graph.outputs[0], "y2": graph.outputs[0]}
    graph.set_outputs([sources[o] for o in outputs], [f"out_{o}" for o in outputs])
    out = graph.to_onnx()
    onnx.checker.check_model(out, full_check=True)
    assert [i.name for i in out.graph.input] == ["x"]
    assert [o.name for o in out.graph.output] == [f"out_{o}" for o in outputs]


@pytest.mark.parametrize("dtype", [d for d in DType if d is not DType.str], ids=lambda d: d.name)
def test_initializers_of_every_type_survive(dtype: DType) -> None:
    array = np.array([1, 0, 1, 1, 0], np.float32).astype(dtype.numpy)
    graph = helper.make_graph(
        [helper.make_node("org.example::Eat", ["w"], ["y"], domain="org.example")],
        "g",
        [],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, "w")],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 25), helper.make_opsetid("org.example", 1)]
    )
    out = load(model).to_onnx()
    assert out.graph.initializer[0].data_type == dtype.value
    np.testing.assert_array_equal(
        numpy_helper.to_array(out.graph.initializer[0]).view(np.uint8), array.view(np.uint8)
    )


def test_strings_survive_even_where_they_are_not_utf8() -> None:
    tensor = TensorProto(
        name="w", data_type=TensorProto.STRING, dims=[2], string_data=[b"a\xc3\xbc", b"\xff"]
    )
    graph = helper.make_graph(
        [helper.make_node("Identity", ["w"], ["y"])],
        "g",
        [],
        [helper.make_tensor_value_info("y", TensorProto.STRING, [2])],
        [tensor],
    )
    out = load(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])).to_onnx()
    assert list(out.graph.initializer[0].string_data) == [b"a\xc3\xbc", b"\xff"]


@pytest.mark.parametrize("indices", [[1, 3], [[0, 1], [1, 1]]], ids=["linear", "coordinates"])
def test_sparse_initializers_become_dense(indices: list[object]) -> None:
    values = helper.make_tensor("w", TensorProto.FLOAT, [2], [5.0, 6.0])
    places = np.asarray(indices, np.int64)
    sparse = helper.make_sparse_tensor(values, numpy_helper.from_array(places, "i"), [2, 2])
    model = parser.parse_model(SIMPLE.replace("[N, 3]", "[2, 2]").replace("Relu(x)", "Add(x, w)"))
    model.graph.sparse_initializer.append(sparse)
    (value,) = load(model).constants
    np.testing.assert_array_equal(value.numpy(), [[0, 5], [0, 6]])


def test_bfloat16_attributes_survive() -> None:
    data = numpy_helper.from_array(np.array([1.5], ml_dtypes.bfloat16), "v")
    node = helper.make_node("Eat", [], ["y"], domain="org.example", data=data)
    graph = helper.make_graph([node], "g", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("org.example", 1)])
    loaded = load(model)
    assert difference(loaded, load(loaded.to_onnx())) is not None  # the default domain is imported now
    assert loaded.to_onnx().graph.node[0].attribute[0].t.data_type == TensorProto.BFLOAT16


# --- what files can have wrong ---


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "not an ONNX model"),
        (b"hello, I am text\n" * 9, "text file"),
        (parser.parse_model(SIMPLE).SerializeToString()[:-9], "damaged|not an ONNX model"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "damaged|not an ONNX model"),
    ],
)
def test_what_is_not_a_model_is_said(tmp_path: Path, data: bytes, sentence: str) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=sentence):
        load(path)


def test_a_missing_file_names_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "other.onnx").touch()
    with pytest.raises(ModelError) as caught:
        load(tmp_path / "m.onnx")
    assert "other.onnx" in str(caught.value.help)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("y = Relu(z)", "'z' is read before"),
        ("h = Relu(x) h = Relu(h) y = Relu(h)", "defined twice"),
        ("y = Relu<colour = 3>(x)", "has no attribute colour"),
        ("y = Conv(x)", "lacks its operand"),
        ("y = Cast(x)", "needs attribute to"),
    ],
)
def test_an_invalid_graph_is_named(body: str, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        load(parser.parse_model(SIMPLE.replace("y = Relu(x)", body)))


@pytest.mark.parametrize(
    ("spelling", "value"),
    [
        ("value_int = 3", np.int64(3)),
        ("value_ints = [3, 4, 5]", np.int64([3, 4, 5])),
        ("value_float = 0.5", np.float32(0.5)),
        ("value_floats = [0.5, 1.5, 2.5]", np.float32([0.5, 1.5, 2.5])),
    ],
)
def test_a_constant_is_read_in_every_spelling(spelling: str, value: np.generic) -> None:
    model = SIMPLE.replace("y = Relu(x)", f"c = Constant <{spelling}> () d = Cast<to = 1>(c) y = Add(x, d)")
    (constant,) = load(parser.parse_model(model)).constants
    np.testing.assert_array_equal(constant.numpy(), value)
    assert constant.numpy().dtype == value.dtype


def test_a_constant_with_a_misspelled_attribute_is_refused() -> None:
    model = parser.parse_model(
        SIMPLE.replace("y = Relu(x)", "c = Constant <valuf = float {2}> () y = Add(x, c)")
    )
    with pytest.raises(ModelError, match="has no attribute valuf"):
        load(model)
