"""Layout selection: what it writes into the graph, and that nothing cheaper exists."""

from __future__ import annotations

from itertools import product
from math import prod
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import y10c
from y10c.backend.exporter import export_model
from y10c.cost.extract import layers_of
from y10c.cost.machine import Machine, load_machine
from y10c.cost.model import estimate
from y10c.cost.times import busy_ms
from y10c.cost.work import work_of
from y10c.errors import ModelError, UnknownNameError
from y10c.ir.graph import Graph
from y10c.ir.layouts import KEY, values_with_layout
from y10c.ir.parser import parse_graph
from y10c.ir.printer import print_graph
from y10c.ir.tensor import Tensor
from y10c.ir.types import Layout
from y10c.ir.verify import verify
from y10c.passes.layout.problem import LayoutCosts
from y10c.passes.layout.select import SelectLayout, clear_layouts, cost_of, trace_with_transposes
from y10c.rewrite.passes import PassContext
from y10c.rewrite.rewriter import Rewriter
from y10c.zoo.yolov10 import yolov10

MARCH = Path(__file__).parents[3] / "targets" / "j6" / "marches" / "nash-e.yaml"
node = helper.make_node


@pytest.fixture(scope="module")
def nash_e() -> Machine:
    return load_machine(MARCH)


def graph_of(
    nodes: list[onnx.NodeProto], outputs: dict[str, list[int]], shape: list[int] | None = None
) -> Graph:
    """A graph on x; `w` is a 1x1 kernel that keeps the channels."""
    shape = shape or [1, 24, 20, 20]
    kernel = numpy_helper.from_array(np.ones((shape[1], shape[1], 1, 1), np.float32), "w")
    proto = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(k, TensorProto.FLOAT, v) for k, v in outputs.items()],
        [kernel],
    )
    return y10c.load(helper.make_model(proto, opset_imports=[helper.make_opsetid("", 17)]))


def select(graph: Graph, machine: Machine, layout: str = "auto") -> float:
    SelectLayout(layout).run(graph, PassContext(tables={Machine: machine}))
    verify(graph)
    return busy_ms(work_of(layers_of(graph), machine), machine)


def layouts(graph: Graph) -> set[str]:
    return {v.type.layout.value for v in values_with_layout(graph)}


def random_graph(rng: np.random.Generator) -> Graph:
    """Two to four ops on one shape, reading any earlier tensors; what nobody reads is an output."""
    shape = [1, int(rng.choice([8, 24, 40])), int(rng.choice([5, 9])), int(rng.choice([5, 20]))]
    tensors, nodes, read = ["x"], [], set()
    for i in range(int(rng.integers(2, 5))):
        kind = rng.choice(["Conv", "Add", "MaxPool"])
        sources = [str(s) for s in rng.choice(tensors, 2 if kind == "Add" else 1)]
        attrs = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]} if kind == "MaxPool" else {}
        operands = [*sources, "w"] if kind == "Conv" else sources
        nodes.append(node(kind, operands, [f"t{i}"], name=f"t{i}", **attrs))
        read |= set(sources)
        tensors.append(f"t{i}")
    return graph_of(nodes, {t: shape for t in tensors[1:] if t not in read}, shape)


def random_machine(rng: np.random.Generator, base: Machine) -> Machine:
    """Numbers at which copies pay: cheap launches, slow conversion, all or no maps on chip."""
    accepted = [["nhwc"], ["nchw"], ["blocked"], ["nhwc", "blocked"]][rng.integers(4)]
    machine = base.with_values(
        memory__on_chip_bytes=float(rng.choice([0, 1e9])),
        layouts__convert_elements_per_cycle=float(rng.choice([2, 16])),
        overheads__launch_cycles=float(rng.choice([1, 200])),
    )
    data = machine.model_dump()
    data["layouts"] |= {"accepted": accepted, "native": accepted[0]}
    return Machine.model_validate(data)


def compare_with_exhaustive_search(count: int, seed: int, base: Machine, most: int = 400) -> set[str]:
    rng, seen, compared = np.random.default_rng(seed), set[str](), 0
    while compared < count:
        graph, machine = random_graph(rng), random_machine(rng, base)
        rewriter = Rewriter(graph)
        costs = LayoutCosts(trace_with_transposes(graph), machine)
        states = [costs.states[m] for m in costs.order]
        if prod(map(len, states)) > most:
            continue
        plans = [dict(zip(costs.order, chosen, strict=True)) for chosen in product(*states)]
        best = min(cost_of(rewriter, costs, plan) for plan in plans)
        clear_layouts(rewriter)
        assert select(graph, machine) == pytest.approx(best, rel=1e-9), print_graph(graph)
        seen |= layouts(graph) | ({"copy"} if any(op.name == "Identity" for op in graph.ops) else set())
        compared += 1
    return seen


def test_auto_equals_exhaustive_search_on_small_random_graphs(nash_e: Machine) -> None:
    seen = compare_with_exhaustive_search(25, 1, nash_e, most=150)
    assert {"nchw", "nhwc"} <= seen


@pytest.mark.slow(reason="tries every layout and copy of 200 graphs")
def test_auto_equals_exhaustive_search_on_200_random_graphs(nash_e: Machine) -> None:
    seen = compare_with_exhaustive_search(200, 2, nash_e)
    assert seen == {"nchw", "nhwc", "blocked", "copy"}


def test_every_image_says_how_it_lies(nash_e: Machine) -> None:
    graph = graph_of([node("Conv", ["x", "w"], ["c"]), node("Relu", ["c"], ["y"])], {"y": [1, 24, 20, 20]})
    select(graph, nash_e)
    images = [*graph.inputs, *(result for op in graph.ops for result in op.results)]
    assert [v.tensor_type.layout for v in images] == [Layout.nhwc] * 3


def test_a_layout_asked_for_is_taken_and_charged(nash_e: Machine) -> None:
    graph = graph_of([node("Conv", ["x", "w"], ["y"])], {"y": [1, 24, 20, 20]})
    fast = select(graph, nash_e)
    slow = select(graph, nash_e, "nchw")
    assert layouts(graph) == {"nchw"}
    result = estimate(layers_of(graph), nash_e)
    assert slow > fast
    # A row of 20 int32 pixels takes 96 bytes for 80, one of 20 int8 pixels 32.
    assert result.summary.ddr_write_bytes == 24 * 20 * 96
    assert result.layers[0].load_bytes == 24 * 20 * 32 + 24 * 24
    assert result.layers[0].layout == "nchw"


def test_a_transpose_from_nhwc_is_cancelled_by_the_layout(nash_e: Machine) -> None:
    """As in exports from channels-last frameworks: the convolution between two Transposes."""
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
        node("Conv", ["t", "w"], ["c"]),
        node("Transpose", ["c"], ["y"], perm=[0, 2, 3, 1]),
    ]
    proto = helper.make_graph(
        nodes,
        "channels last",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 20, 20, 24])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 20, 20, 24])],
        [numpy_helper.from_array(np.ones((24, 24, 1, 1), np.float32), "w")],
    )
    graph = y10c.load(helper.make_model(proto, opset_imports=[helper.make_opsetid("", 17)]))
    free = select(graph, nash_e)
    assert [layer.kind for layer in layers_of(graph).layers] == ["conv"]
    assert select(graph, nash_e, "nchw") > free
    assert [layer.kind for layer in layers_of(graph).layers] == ["transpose", "conv", "transpose"]


def test_one_copy_serves_all_who_need_another_order(nash_e: Machine) -> None:
    """x lies in NCHW for the sum; both convolutions read one copy of it in NHWC."""
    nodes = [
        node("MaxPool", ["x"], ["p"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Conv", ["p", "w"], ["a"]),
        node("Conv", ["p", "w"], ["b"]),
    ]
    shape = [1, 24, 20, 20]
    graph = graph_of(nodes, {"a": shape, "b": shape})
    rewriter = Rewriter(graph)
    costs = LayoutCosts(trace_with_transposes(graph), nash_e)
    states = {m: costs.states[m] for m in costs.order}
    pooled = costs.trace.map_of[str(id(next(iter(graph.ops)).results[0]))]
    plan = {m: options[0] for m, options in states.items()}
    plan[pooled] = next(s for s in states[pooled] if s.home is Layout.nchw and s.copies == (Layout.nhwc,))
    cost_of(rewriter, costs, plan)
    verify(graph)
    (copy,) = [op for op in graph.ops if op.name == "Identity"]
    assert copy.results[0].tensor_type.layout is Layout.nhwc
    assert len(copy.results[0].users) == 2
    assert [layer.kind for layer in layers_of(graph).layers] == ["pool", "convert", "conv", "conv"]
    select(graph, nash_e)
    assert not any(op.name == "Identity" for op in graph.ops)


def test_layouts_survive_text_and_onnx(nash_e: Machine) -> None:
    nodes = [node("Conv", ["x", "w"], ["c"], name="c"), node("Relu", ["c"], ["y"], name="y")]
    graph = graph_of(nodes, {"y": [1, 24, 20, 20]})
    before = select(graph, nash_e, "nchw")
    side: dict[str, Tensor] = {}
    text = print_graph(graph, side)
    assert "layout=nchw" in text
    proto = export_model(graph)
    assert {p.key for p in proto.metadata_props} == {KEY}
    onnx.checker.check_model(proto, full_check=True)
    for back in (parse_graph(text, side), y10c.load(proto)):
        assert layouts(back) == {"nchw"}
        assert busy_ms(work_of(layers_of(back), nash_e), nash_e) == before
        assert KEY not in back.info.metadata


def test_a_damaged_table_of_layouts_is_an_error(nash_e: Machine) -> None:
    graph = graph_of([node("Relu", ["x"], ["y"])], {"y": [1, 24, 20, 20]})
    proto = export_model(graph, metadata={KEY: "{'nhwc': 3}"})
    with pytest.raises(ModelError, match="damaged"):
        y10c.load(proto)


def test_an_unknown_layout_is_an_error() -> None:
    with pytest.raises(UnknownNameError, match="nhcw"):
        SelectLayout("nhcw")


@pytest.mark.parametrize(
    "size", ["n", *(pytest.param(s, marks=pytest.mark.slow(reason="large networks")) for s in "smblx")]
)
def test_auto_is_never_worse_than_one_layout_throughout(nash_e: Machine, size: str) -> None:
    graph = y10c.load(yolov10(size, output="raw"))
    times = {layout: select(graph, nash_e, layout) for layout in ("nchw", "nhwc", "auto")}
    assert times["auto"] <= min(times["nchw"], times["nhwc"])
    assert times["nchw"] != times["nhwc"]


def test_compile_ends_with_layouts_in_the_quantized_model() -> None:
    """The float stages have none; the last stage's file carries them, and the report charges them."""
    kernel = numpy_helper.from_array(np.ones((8, 3, 3, 3), np.float32), "k")
    proto = helper.make_graph(
        [node("Conv", ["x", "k"], ["c"], name="c", pads=[1, 1, 1, 1]), node("Relu", ["c"], ["y"], name="y")],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 32, 20])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8, 32, 20])],
        [kernel],
    )
    model = helper.make_model(proto, opset_imports=[helper.make_opsetid("", 17)])
    result = y10c.compile(model, layout="nchw")
    entries = {name: {p.key for p in stage.metadata_props} for name, stage in result.models.items()}
    assert KEY in entries["ptq"]
    assert KEY not in entries["optimized"]
    assert layouts(y10c.load(result.models["ptq"])) == {"nchw"}
    assert result.cost is not None
    assert {layer.layout for layer in result.cost.result.layers} == {"nchw"}
