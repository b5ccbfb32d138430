"""The plan: one grid a tensor, wide edges only into tables, the tail and pure data movement stay float."""

from __future__ import annotations

import onnx.parser
import pytest

from y10c.frontend.importer import load
from y10c.ir import DType, Graph
from y10c.passes.canonicalize.recognize import recognize_silu
from y10c.quant.plan import QuantPlan, Tail, plan_quantization
from y10c.rewrite import rewrite
from y10c.targets.j6.scheme import SCHEME

HALVES, QUARTERS = ", ".join(["0.5"] * 16), ", ".join(["0.25"] * 16)
MODEL = f"""<ir_version: 8, opset_import: ["" : 17]>
net (float[1,4,8,8] image) => (float[1,8,8,4] out, float[1,4,4,4] pooled)
<float[4,4,1,1] w1 = {{{HALVES}}}, float[4,4,1,1] w2 = {{{QUARTERS}}}>
{{
    conv = Conv(image, w1)
    gate = Sigmoid(conv)
    act = Mul(conv, gate)
    pooled = MaxPool<kernel_shape=[2,2], strides=[2,2]>(act)
    last = Conv(act, w2)
    out = Transpose<perm=[0,2,3,1]>(last)
}}"""


@pytest.fixture
def graph() -> Graph:
    graph = load(onnx.parser.parse_model(MODEL))
    rewrite(graph, [recognize_silu])
    return graph


def grids(plan: QuantPlan) -> dict[str, DType]:
    return {edge.value.name: edge.grid.dtype for edge in plan.edges}


def test_every_tensor_between_integer_ops_has_one_grid(graph: Graph) -> None:
    assert grids(plan_quantization(graph, SCHEME)) == {
        "image": DType.i8,
        "conv": DType.i16,
        "act": DType.i8,
    }


def test_the_last_convolution_and_what_only_moves_its_result_stay_float(graph: Graph) -> None:
    plan = plan_quantization(graph, SCHEME)
    assert "last" not in grids(plan)
    assert [w.op.results[0].name for w in plan.weights] == ["conv", "last"]


def test_pooling_that_leaves_the_graph_reads_no_integers(graph: Graph) -> None:
    plan = plan_quantization(graph, SCHEME)
    (act,) = [e for e in plan.edges if e.value.name == "act"]
    assert [use.op.name for use in act.readers] == ["Conv"]


def test_a_tail_stays_float(graph: Graph) -> None:
    silu = next(op for op in graph.ops if op.name == "y10c.SiLU")
    assert grids(plan_quantization(graph, SCHEME, Tail({silu}))) == {"image": DType.i8, "act": DType.i8}
