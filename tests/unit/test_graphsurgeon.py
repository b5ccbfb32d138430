"""onnx-graphsurgeon in and out: equal outputs on real models, and scripts of the usual kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import onnx_graphsurgeon as gs
import onnxruntime as ort
import pytest

from y10c.errors import ModelError
from y10c.frontend.importer import load
from y10c.graphsurgeon import from_gs, to_gs
from y10c.ir.verify import verify
from y10c.passes.pipelines import canonicalization
from y10c.pipeline.manager import run_passes
from y10c.rewrite.passes import PassContext

MODEL = """
<ir_version: 8, opset_import: ["": 17]>
net (float[1,2,4,4] x) => (float[1,2,4,4] y)
<float[2,2,1,1] w = {1,2,3,4}> {
    a = Identity (x)
    b = Conv <kernel_shape = [1, 1]> (a, w)
    c = Sigmoid (b)
    y = Mul (b, c)
}
"""


def run(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [np.asarray(o) for o in session.run(None, feeds)]


@pytest.mark.parametrize(
    ("file", "shape"),
    [
        ("yolov10n_e2e_raw.onnx", (1, 3, 640, 640)),
        ("yolov10n_coco.onnx", (1, 3, 640, 640)),
        ("ppocr_cls.onnx", (1, 3, 48, 192)),
    ],
)
def test_real_models_compute_the_same_through_both_ways(
    shared: Path, file: str, shape: tuple[int, ...]
) -> None:
    model = onnx.load(shared / "models" / file)
    (name,) = {i.name for i in model.graph.input} - {t.name for t in model.graph.initializer}
    feeds = {name: np.random.default_rng(0).random(shape, np.float32)}
    graph = from_gs(gs.import_onnx(model))
    verify(graph)
    back = gs.export_onnx(to_gs(graph))
    assert [o.name for o in back.graph.output] == [o.name for o in model.graph.output]
    for before, after in zip(run(model, feeds), run(back, feeds), strict=True):
        np.testing.assert_array_equal(before, after)


def test_ops_of_our_own_leave_as_onnx() -> None:
    graph = load(onnx.parser.parse_model(MODEL))
    run_passes(graph, canonicalization(), PassContext())
    assert "y10c.SiLU" in [op.name for op in graph.ops]
    assert [node.op for node in to_gs(graph).nodes] == ["Conv", "Sigmoid", "Mul"]


def test_a_script_that_edits_and_leaves_nodes_out_of_order_goes_on_working() -> None:
    edited = gs.import_onnx(onnx.parser.parse_model(MODEL))
    relu_out = gs.Variable("relu_out")
    conv = next(n for n in edited.nodes if n.op == "Conv")
    edited.nodes.insert(0, gs.Node("Relu", "relu", inputs=[conv.outputs[0]], outputs=[relu_out]))
    edited.outputs.append(relu_out)
    graph = from_gs(edited)
    assert graph.output_names == ["y", "relu_out"]
    assert str(graph.outputs[1].type) == "f32[1,2,4,4]"
    assert edited.nodes[0].op == "Relu"  # the script's own graph is as it was


def test_a_cycle_is_an_error_with_a_sentence() -> None:
    a, b = gs.Variable("a", np.float32, (1,)), gs.Variable("b", np.float32, (1,))
    nodes = [gs.Node("Relu", inputs=[a], outputs=[b]), gs.Node("Relu", inputs=[b], outputs=[a])]
    with pytest.raises(ModelError, match="onnx-graphsurgeon cannot write the graph"):
        from_gs(gs.Graph(nodes, outputs=[b]))
