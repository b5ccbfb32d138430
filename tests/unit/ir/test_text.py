"""The text form: parse(print(g)) == g, and mistakes in it are named with their place."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from y10c.errors import ModelError, ParseError
from y10c.frontend.importer import load
from y10c.ir import (
    DType,
    Floats,
    Graph,
    Graphs,
    Ints,
    ModelInfo,
    Op,
    Strings,
    Tensor,
    Tensors,
    TensorType,
    Types,
)
from y10c.ir.equal import difference
from y10c.ir.parser import parse_graph
from y10c.ir.printer import format_type, print_graph
from y10c.ir.textdata import load_text, save_text

MODELS = [
    "ppocr_cls.onnx",
    "ppocr_det.onnx",
    "yolov10n_coco.onnx",
    "yolov10n_dual.onnx",
    "yolov10n_e2e.onnx",
    "yolov10n_e2e_raw.onnx",
    "yolov10n_eval_both.onnx",
    "yolov10n_one2many.onnx",
]


def returned(graph: Graph) -> Graph:
    side: dict[str, Tensor] = {}
    text = print_graph(graph, side)
    parsed = parse_graph(text, side)
    assert print_graph(parsed) == text
    return parsed


def with_op(op: Op) -> Graph:
    graph = Graph("g")
    graph._insert_before(op, graph.terminator)
    graph.set_outputs(op.results[:1], ["y"] if op.results else [])
    return graph


def with_constant(tensor: Tensor) -> Graph:
    graph = Graph("g")
    graph.set_outputs([graph.constant(tensor)], ["y"])
    return graph


@pytest.mark.parametrize("name", MODELS)
def test_a_shared_model_comes_back_equal(shared: Path, name: str) -> None:
    graph = load(shared / "models" / name)
    assert difference(graph, returned(graph)) is None


def test_files_come_back_equal_and_their_bytes_are_deterministic(shared: Path, tmp_path: Path) -> None:
    graph = load(shared / "models" / "ppocr_cls.onnx")
    first, second = save_text(graph, tmp_path / "a.y10c"), save_text(graph.clone(), tmp_path / "b.y10c")
    assert difference(graph, load_text(first)) is None
    assert first.read_bytes() == second.read_bytes()
    assert Path(f"{first}.weights").read_bytes() == Path(f"{second}.weights").read_bytes()


@pytest.mark.parametrize("dtype", [d for d in DType if d is not DType.str], ids=lambda d: d.name)
@pytest.mark.parametrize("size", [4, 40])
def test_every_element_type_comes_back_bit_by_bit(dtype: DType, size: int, tmp_path: Path) -> None:
    bits = np.random.default_rng(7).integers(0, 256, size * dtype.numpy.itemsize, np.uint8)
    if dtype is DType.bool or dtype.bits < 8:
        bits &= 1
    graph = with_constant(Tensor.of(bits.view(dtype.numpy)))
    assert difference(graph, returned(graph)) is None
    assert difference(graph, load_text(save_text(graph, tmp_path / "g.y10c"))) is None


@pytest.mark.parametrize("texts", [["", "a\nb", 'q"uote', "ünï"], ["x"] * 20, [b"\xff\xfe", "s"]])
def test_strings_come_back(texts: list[str | bytes], tmp_path: Path) -> None:
    array = np.empty(len(texts), np.object_)
    array[:] = texts
    graph = with_constant(Tensor.of(array))
    assert difference(graph, returned(graph)) is None
    assert difference(graph, load_text(save_text(graph, tmp_path / "g.y10c"))) is None


@pytest.mark.parametrize(
    "value",
    [
        3,
        -0.0,
        float("inf"),
        float("nan"),
        1e-45,
        "text",
        b"\xff",
        Ints(),
        Floats(),
        Strings(),
        Tensors(),
        Types(),
        Ints((1, -2)),
        Floats((1.0, float("-inf"))),
        Strings(("a", b"\x80")),
        Tensor.of(np.float32([1, 2])),
        Tensors((Tensor.of(np.zeros((), ml_dtypes.bfloat16)),)),
        TensorType(DType.f32, (1, "N", None)),
        Types((TensorType(DType.i4),)),
    ],
    ids=repr,
)
def test_every_kind_of_attribute_comes_back(value: object) -> None:
    graph = with_op(Op("custom.domain::Thing", attrs={"odd name!": value}, result_types=[None]))
    assert difference(graph, returned(graph)) is None


def test_a_list_of_graphs_comes_back() -> None:
    graph = Graph("g")
    bodies = Graphs(Graph(name, parent=graph) for name in ("a", "b"))
    op = Op("my::Switch", attrs={"bodies": bodies, "none": Graphs()}, result_types=[])
    graph._insert_before(op, graph.terminator)
    assert difference(graph, returned(graph)) is None


names = st.text(max_size=6)


@settings(max_examples=60, deadline=None)
@given(
    ops=st.lists(st.tuples(names.filter(bool), names, names, names), max_size=5),
    info=st.builds(
        ModelInfo,
        opsets=st.dictionaries(names, st.integers(1, 30), max_size=2),
        producer=st.tuples(names, names),
        metadata=st.dictionaries(names, names, max_size=2),
        doc=names,
    ),
)
def test_any_names_come_back(ops: list[tuple[str, str, str, str]], info: ModelInfo) -> None:
    graph = Graph("g")
    graph.info = info
    value = graph.add_input(TensorType(DType.f32, ("a b", "N", 3)), "x")
    for kind, result, location, by in ops:
        op = Op(kind, [value, None], result_types=[None], result_names=[result], location=location, by=by)
        graph._insert_before(op, graph.terminator)
        value = op.result
        value.lineage = (result, location)
    graph.set_outputs([value, value], ["y", "y again"])
    assert difference(graph, returned(graph)) is None


def test_values_of_one_name_stay_apart() -> None:
    graph = Graph("g")
    a, b = graph.add_input(None, "x"), graph.add_input(None, "x")
    graph.set_outputs([b, a], ["p", "q"])
    assert difference(graph, returned(graph)) is None


@pytest.mark.parametrize(
    "text",
    [
        "f32[1,N,?]",
        "i8[2]{s=[0.5,0.25],z=[0,1],axis=0,narrow}",
        "f32[1,2,3,4]{layout=nhwc}",
        "f16[*]",
        "seq<f32[*]>",
        "optional<seq<?>>",
        "map<i64,f32[*]>",
        "sparse<f32[3,3]>",
        "?",
    ],
)
def test_a_type_is_read_as_it_is_written(text: str) -> None:
    graph = parse_graph(f'graph "g"(%x: {text}) {{ return }}')
    assert format_type(graph.inputs[0].type) == text


# --- mistakes ---

GOOD = """graph "g"(%x: f32[2]) {
  %y: f32[2] = Relu(%x)
  return "y": %y
}
"""


@pytest.mark.parametrize(
    ("old", "new", "place", "sentence"),
    [
        ("Relu(%x)", "Relu(%z)", "2:21", "%z is not defined here"),
        ("f32[2] = ", "f99[2] = ", "2:7", "unknown element type 'f99'"),
        ("%y: f32[2] =", "%y =", "2:8", "expected 'const'"),
        ("%y: f32[2] =", "%x: f32[2] =", "2:3", "%x is defined twice"),
        ("Relu(%x)", "Relu(%x", "3:3", "expected ','"),
        ("Relu(%x)", 'Relu(%x) {a=[1,"b"]}', "2:29", "values of one kind"),
        ("}\n", "", "4:1", "the end of the text"),
        ("%x)\n", "%x) $\n", "2:25", "unexpected character '$'"),
        ("%x)\n", "%x) {t=<f32[2] [1.0]>}\n", "2:36", "does not fit its type"),
        ("%x)\n", "%x) {t=<u8[1] [300]>}\n", "2:35", "does not fit its type"),
        ("%x)\n", "%x) {t=<f32[9] @ab>}\n", "2:36", "is not in the side file"),
    ],
)
def test_a_mistake_is_named_with_line_and_column(old: str, new: str, place: str, sentence: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_graph(GOOD.replace(old, new), source="m.y10c")
    assert caught.value.where == f"m.y10c:{place}"
    assert sentence in caught.value.message


@settings(max_examples=300, deadline=None)
@given(cut=st.integers(0, len(GOOD)), junk=st.text(alphabet='%"{}()[]<>=:,@#.x0 \n', max_size=4))
def test_damaged_text_gives_a_graph_or_a_parse_error(cut: int, junk: str) -> None:
    with suppress(ParseError):
        parse_graph(GOOD[:cut] + junk + GOOD[cut + len(junk) :])


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(ParseError, match="nested deeper"):
        parse_graph(f'graph "g"(%x: {"seq<" * 5000}?{">" * 5000}) {{ return }}')


def test_a_damaged_side_file_is_named(tmp_path: Path) -> None:
    path = save_text(with_constant(Tensor.of(np.zeros(100, np.float32))), tmp_path / "g.y10c")
    Path(f"{path}.weights").write_bytes(b"not a zip")
    with pytest.raises(ModelError, match="side file"):
        load_text(path)
