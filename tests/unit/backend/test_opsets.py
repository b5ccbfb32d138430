"""One model in every opset: what changed between opset 7 and the newest moves up and down again."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import parser

from y10c.backend.exporter import export_model
from y10c.errors import ModelError
from y10c.frontend.importer import load
from y10c.ops.onnx_schema import IR_OPSET, find_schema
from y10c.ops.versions import MOVES

X = np.random.default_rng(3).standard_normal((1, 4, 6, 6)).astype(np.float32)

GRID = "g = Constant <value = float[1, 1, 2, 2] {0.1, -0.4, 0.7, 0.2}> ()"
OLD_FORMS = {
    "Slice": (7, "y = Slice <starts = [1], ends = [3], axes = [2]> (x)"),
    "Clip": (7, "y = Clip <min = -0.5, max = 0.5> (x)"),
    "Clip without limits": (7, "y = Clip (x)"),
    "Pad": (7, "y = Pad <pads = [0, 0, 1, 1, 0, 0, 1, 1], value = 2.0> (x)"),
    "TopK": (7, "y, i = TopK <k = 2, axis = 1> (x)"),
    "Squeeze": (7, "y = Squeeze <axes = [0]> (x)"),
    "Squeeze without axes": (7, "y = Squeeze (x)"),
    "Unsqueeze": (7, "y = Unsqueeze <axes = [0, 3]> (x)"),
    "Split by lengths": (7, "y, z = Split <axis = 1, split = [1, 3]> (x)"),
    "Split evenly": (7, "y, z = Split <axis = 1> (x)"),
    "Dropout": (7, "y = Dropout <ratio = 0.3> (x)"),
    "ReduceSum": (7, "y = ReduceSum <axes = [2, 3], keepdims = 0> (x)"),
    "ReduceMean": (7, "y = ReduceMean <axes = [2]> (x)"),
    "ReduceMax": (13, "y = ReduceMax <axes = [-1]> (x)"),
    "Softmax on the last axis": (7, "y = Softmax <axis = 3> (x)"),
    "Softmax that flattens": (7, "y = Softmax <axis = 1> (x)"),
    "LogSoftmax by default": (11, "y = LogSoftmax (x)"),
    "Upsample": (7, "y = Upsample <scales = [1.0, 1.0, 2.0, 2.0]> (x)"),
    "Resize": (
        11,
        "e = Constant <value = float[0] {}> () s = Constant <value = float[4] {1, 1, 2, 2}> () "
        'y = Resize <mode = "linear"> (x, e, s)',
    ),
    "BatchNormalization": (
        7,
        "s = Constant <value = float[4] {1, 2, 3, 4}> () y = BatchNormalization (x, s, s, s, s)",
    ),
    "GridSample": (16, f'{GRID} y = GridSample <mode = "bilinear"> (x, g)'),
    "GridSample by default": (16, f"{GRID} y = GridSample (x, g)"),
    "Scatter": (
        9,
        "i = Constant <value = int64[1, 1, 1, 1] {2}> () u = Constant <value = float[1, 1, 1, 1] {9}> () "
        "y = Scatter <axis = 1> (x, i, u)",
    ),
    "Flatten": (9, "y = Flatten <axis = 2> (x)"),
}
NEWER = (9, 11, 12, 13, 15, 17, 18, 19, 21, 23)


def model(opset: int, body: str) -> onnx.ModelProto:
    head = f'<ir_version: 4, opset_import: ["" : {opset}]>'
    return parser.parse_model(f"{head} g (float[1, 4, 6, 6] x) => (float y) {{ {body} }}")


def without_output_shape(built: onnx.ModelProto) -> onnx.ModelProto:
    built.graph.output[0].type.tensor_type.ClearField("shape")
    return built


def output(built: onnx.ModelProto) -> np.ndarray:  # type: ignore[type-arg]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(built.SerializeToString(), options)
    (y,) = session.run(None, {"x": X})
    return np.asarray(y)


@pytest.mark.parametrize("name", OLD_FORMS)
def test_an_old_form_means_the_same_in_its_own_opset_and_every_newer_one(name: str) -> None:
    opset, body = OLD_FORMS[name]
    original = without_output_shape(model(opset, body))
    expected = output(original)
    np.testing.assert_array_equal(output(load(original).to_onnx()), expected)
    for newer in (o for o in NEWER if o > opset):
        moved = export_model(load(original), opset=newer)
        assert moved.opset_import[0].version == newer
        np.testing.assert_allclose(output(moved), expected, rtol=1e-6, atol=1e-6, err_msg=f"opset {newer}")


@pytest.mark.parametrize("name", OLD_FORMS)
def test_a_form_that_went_up_comes_down_again(name: str) -> None:
    opset, body = OLD_FORMS[name]
    original = without_output_shape(model(opset, body))
    up = export_model(load(original), opset=21)
    down = export_model(load(up), opset=max(opset, 9))
    np.testing.assert_allclose(output(down), output(original), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("body", "opset", "needed"),
    [
        ("y = Gelu (x)", 17, 20),
        ("y = Softmax <axis = 1> (x)", 12, 13),
        ("h = Cast <to = 16> (x) z = Relu (h) y = Cast <to = 1> (z)", 12, 13),
        ("k = Cast <to = 7> (x) y = ReduceMax <keepdims = 0> (x)", 17, 0),
    ],
)
def test_an_opset_that_cannot_say_it_is_refused_with_the_one_that_can(
    body: str, opset: int, needed: int
) -> None:
    graph = load(without_output_shape(model(21, body)))
    if not needed:
        export_model(graph, opset=opset)
        return
    with pytest.raises(ModelError, match=f"needs opset {needed}, not {opset}"):
        export_model(graph, opset=opset)


def test_an_op_that_a_rewrite_brought_raises_the_opset() -> None:
    from y10c.rewrite.rewriter import Rewriter

    graph = load(without_output_shape(model(13, "y = Relu (x)")))
    rewriter = Rewriter(graph)
    with rewriter.before(graph.terminator):
        gelu = rewriter.op.Gelu(graph.outputs[0])
    rewriter.set_outputs([gelu], ["y"])
    assert graph.to_onnx().opset_import[0].version == 20


@pytest.mark.parametrize("move", MOVES, ids=lambda m: f"{m.ops[0]}.{m.attr}")
def test_declared_moves_are_what_the_schemas_say(move: object) -> None:
    """Before `since` the attribute stands in the schema, from then on it does not."""
    from y10c.ops.versions import BecameOperand

    assert isinstance(move, BecameOperand)
    for op in move.ops:
        before, after = find_schema(op, move.since - 1), find_schema(op, min(move.since, IR_OPSET))
        assert before is not None
        assert after is not None
        assert move.attr in before.attributes
        assert move.attr not in after.attributes
