"""What legalization does to a graph: text before, ops after, all on the chip, and equal results."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import onnxruntime as ort
import pytest

from y10c.backend.exporter import export_model
from y10c.check.report import check_graph
from y10c.check.table import OperatorTable
from y10c.frontend.importer import load
from y10c.ir.tensor import Array
from y10c.pipeline.manager import run_passes
from y10c.pipeline.target import create_target
from y10c.rewrite.passes import PassContext
from y10c.testing import assert_equivalent


def zeros(name: str, *shape: int) -> str:
    """A constant in text form, small integers in turn."""
    numbers = ", ".join(str(i % 5 - 2) for i in range(int(np.prod(shape))))
    return f"float[{','.join(map(str, shape))}] {name} = {{{numbers}}}"


IMAGE = "float[1,4,6,6] x"
CASES: dict[str, tuple[str, str, str, list[str]]] = {
    "unequal Split": (
        "j6",
        f"{IMAGE}) => (float[1,1,6,6] y, float[1,3,6,6] z",
        "<int64[2] parts = {1, 3}> { y, z = Split<axis=1>(x, parts) }",
        ["Slice", "Slice"],
    ),
    "Softmax along channels": (
        "j6",
        f"{IMAGE}) => (float[1,4,6,6] y",
        "{ y = Softmax<axis=1>(x) }",
        ["Transpose", "Softmax", "Transpose"],
    ),
    "Softmax of 3 dimensions": (
        "j6",
        "float[2,3,5] x) => (float[2,3,5] y",
        "{ y = Softmax<axis=-1>(x) }",
        ["Reshape", "Softmax", "Reshape"],
    ),
    "Softmax on the X5": (
        "x5",
        f"{IMAGE}) => (float[1,4,6,6] y",
        "{ y = Softmax<axis=3>(x) }",
        ["ReduceMax", "Sub", "Exp", "ReduceSum", "Div"],
    ),
    "LayerNormalization": (
        "j6",
        "float[2,3,8] x) => (float[2,3,8] y",
        f"<{zeros('g', 8)}, {zeros('b', 8)}> {{ y = LayerNormalization(x, g, b) }}",
        ["ReduceMean", "Sub", "Mul", "ReduceMean", "Add", "Sqrt", "Div", "Mul", "Add"],
    ),
    "InstanceNormalization": (
        "j6",
        f"{IMAGE}) => (float[1,4,6,6] y",
        f"<{zeros('g', 4)}, {zeros('b', 4)}> {{ y = InstanceNormalization(x, g, b) }}",
        ["ReduceMean", "Sub", "Mul", "ReduceMean", "Add", "Sqrt", "Div", "Mul", "Add"],
    ),
    "lone BatchNormalization": (
        "j6",
        f"{IMAGE}) => (float[1,4,6,6] y",
        f"<{zeros('g', 4)}, {zeros('b', 4)}, {zeros('m', 4)}, float[4] v = {{1, 2, 3, 4}}> "
        "{ y = BatchNormalization(x, g, b, m, v) }",
        ["Mul", "Add"],
    ),
    "Gemm": (
        "j6",
        "float[2,3] x) => (float[2,4] y",
        f"<{zeros('w', 4, 3)}, {zeros('b', 4)}> {{ y = Gemm<transB=1>(x, w, b) }}",
        ["Reshape", "Conv", "Reshape"],
    ),
    "Gemm of a turned input with a scaled constant shift": (
        "x5",
        "float[3,2] x) => (float[2,4] y",
        f"<{zeros('w', 3, 4)}, {zeros('b', 2, 4)}> {{ y = Gemm<transA=1, alpha=0.5, beta=2.0>(x, w, b) }}",
        ["Transpose", "MatMul", "Mul", "Add"],
    ),
    "MatMul with a constant": (
        "j6",
        "float[2,5,3] x) => (float[2,5,4] y",
        f"<{zeros('w', 3, 4)}> {{ y = MatMul(x, w) }}",
        ["Transpose", "Reshape", "Conv", "Reshape", "Transpose"],
    ),
    "MatMul of two ranks": (
        "j6",
        "float[1,2,4,3] x, float[2,3,4] z) => (float[1,2,4,4] y",
        "{ y = MatMul(x, z) }",
        ["Reshape", "MatMul"],
    ),
    "Conv of a sequence": (
        "j6",
        "float[1,2,9] x) => (float[1,3,4] y",
        f"<{zeros('w', 3, 2, 3)}> {{ y = Conv<strides=[2]>(x, w) }}",
        ["Unsqueeze", "Conv", "Squeeze"],
    ),
    "MaxPool of a sequence": (
        "j6",
        "float[1,2,9] x) => (float[1,2,4] y",
        "{ y = MaxPool<kernel_shape=[2], strides=[2]>(x) }",
        ["Unsqueeze", "MaxPool", "Squeeze"],
    ),
    "large kernel": (
        "j6",
        "float[1,1,40,4] x) => (float[1,1,8,4] y",
        f"<{zeros('w', 1, 1, 33, 1)}> {{ y = Conv(x, w) }}",
        ["Slice", "Slice", "Conv", "Conv", "Add"],
    ),
    "stride before a shortcut": (
        "j6",
        "float[1,2,9,9] x, float[1,2,3,3] z) => (float[1,2,3,3] y",
        f"<{zeros('w', 2, 2, 3, 3)}> {{ a = Conv<strides=[3,3]>(x, w) y = Add(a, z) }}",
        ["Reshape", "Transpose", "Reshape", "Conv", "Add"],
    ),
    "dilation that does not divide": (
        "j6",
        "float[1,1,7,7] x) => (float[1,1,3,3] y",
        f"<{zeros('w', 1, 1, 3, 3)}> {{ y = Conv<dilations=[2,2]>(x, w) }}",
        ["Pad", "Conv", "Slice", "Slice"],
    ),
    "pool that rounds up": (
        "j6",
        "float[1,2,5,5] x) => (float[1,2,3,3] y",
        "{ y = MaxPool<kernel_shape=[2,2], strides=[2,2], ceil_mode=1>(x) }",
        ["MaxPool"],
    ),
    "Resize by 3": (
        "j6",
        "float[1,2,3,3] x) => (float[1,2,9,9] y",
        "<float[4] s = {1, 1, 3, 3}> "
        '{ y = Resize<mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor">'
        "(x, , s) }",
        ["Reshape", "Expand", "Reshape", "Expand", "Reshape"],
    ),
    "blocks of 4": (
        "j6",
        "float[1,16,2,2] x) => (float[1,1,8,8] y",
        "{ y = DepthToSpace<blocksize=4>(x) }",
        ["Reshape", "Transpose", "Reshape"],
    ),
    "reflection": (
        "j6",
        f"{IMAGE}) => (float[1,4,8,6] y",
        '<int64[8] p = {0, 0, 1, 0, 0, 0, 1, 0}> { y = Pad<mode="reflect">(x, p) }',
        ["Slice", "Slice", "Concat"],
    ),
    "Concat along the batch": (
        "j6",
        "float[1,2,3,3] x, float[2,2,3,3] z) => (float[3,2,3,3] y",
        "{ y = Concat<axis=0>(x, z) }",
        ["Reshape", "Reshape", "Concat", "Reshape"],
    ),
    "ReduceMean without its axes": (
        "j6",
        "float[1,4,6,6] x) => (float[1,4] y",
        "<int64[2] axes = {2, 3}> { y = ReduceMean<keepdims=0>(x, axes) }",
        ["ReduceMean", "Squeeze"],
    ),
    "ReduceL2": (
        "j6",
        f"{IMAGE}) => (float[1,1,6,6] y",
        "<int64[1] axes = {1}> { y = ReduceL2(x, axes) }",
        ["Mul", "ReduceSum", "Sqrt"],
    ),
    "Min with a number": (
        "j6",
        f"{IMAGE}) => (float[1,4,6,6] y",
        "<float six = {6}> { y = Min(x, six) }",
        ["Clip"],
    ),
    "Neg": ("j6", f"{IMAGE}) => (float[1,4,6,6] y", "{ y = Neg(x) }", ["Mul"]),
    "PRelu with one slope": (
        "j6",
        "float[1,4,6] x) => (float[1,4,6] y",
        "<float[1] s = {0.25}> { y = PRelu(x, s) }",
        ["LeakyRelu"],
    ),
    "Mish": (
        "j6",
        f"{IMAGE}) => (float[1,4,6,6] y",
        "{ a = Softplus(x) b = Tanh(a) y = Mul(x, b) }",
        ["Mish"],
    ),
    "arithmetic with indices": (
        "j6",
        "float[1,64] x, float[1,8] t) => (float[1,1] y",
        "<int64[1] k = {1}, int64 eight = {8}> "
        "{ v, i = TopK(x, k) row = Div(i, eight) y = GatherElements<axis=1>(t, row) }",
        ["TopK", "Cast", "Div", "GatherElements"],
    ),
    "shift behind a ConvTranspose": (
        "j6",
        "float[1,2,4,4] x) => (float[1,3,8,8] y",
        f"<{zeros('w', 2, 3, 2, 2)}, {zeros('c', 1, 3, 1, 1)}> "
        "{ a = ConvTranspose<strides=[2,2]>(x, w) y = Add(a, c) }",
        ["ConvTranspose"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_before_and_after(case: str) -> None:
    target_name, interface, body, expected = CASES[case]
    text = f'<ir_version: 10, opset_import: ["" : 21]> net ({interface}) {body}'
    graph = load(onnx.parser.parse_model(text))
    before = graph.clone()
    target = create_target(target_name)
    table = target.operators()
    assert table is not None
    run_passes(graph, target.legalization(), PassContext(tables={OperatorTable: table}))
    assert [op.name for op in graph.ops] == expected
    report = check_graph(graph, table, target.name)
    assert all(verdict.on_chip for verdict in report.verdicts), report.problems
    assert_equivalent(before, graph)


@pytest.mark.parametrize("axis", [1, 2, 3])
@pytest.mark.parametrize("name", ["Softmax", "LogSoftmax"])
def test_softmaxes_of_old_opsets_flatten(name: str, axis: int) -> None:
    text = '<ir_version: 3, opset_import: ["" : 7]> net (float[2,3,4,5] x) => (float[2,3,4,5] y)'
    model = onnx.parser.parse_model(f"{text} {{ y = {name}<axis={axis}>(x) }}")
    graph = load(model)
    target = create_target("x5")
    table = target.operators()
    assert table is not None
    run_passes(graph, target.legalization(), PassContext(tables={OperatorTable: table}))
    assert all(verdict.on_chip for verdict in check_graph(graph, table, target.name).verdicts)
    # onnx's own reference gives these ops today's meaning at every opset, so onnxruntime is asked.
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5), np.float32)
    np.testing.assert_allclose(_in_onnxruntime(export_model(graph), x), _in_onnxruntime(model, x), atol=1e-6)


def _in_onnxruntime(model: onnx.ModelProto, x: Array) -> Array:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": x})
    return np.asarray(found)


def test_the_kept_form_of_opset_11_gets_todays_once_its_rank_is_known() -> None:
    text = '<ir_version: 6, opset_import: ["" : 11]> net (float[2,3] x) => (float[2,3] y) {'
    text += " s = Shape(x) r = Reshape(x, s) y = Softmax<axis=1>(r) }"
    graph = load(onnx.parser.parse_model(text))
    from y10c.passes.legalize.unpin import Unpin
    from y10c.passes.pipelines import canonicalization

    run_passes(graph, canonicalization(), PassContext())
    before = graph.clone()
    assert [op.version for op in graph.ops if op.name == "Softmax"] in ([11], [None])
    run_passes(graph, [Unpin()], PassContext())
    assert [op.version for op in graph.ops if op.name == "Softmax"] == [None]
    assert_equivalent(before, graph)
