"""What calibration and the two INT8 passes do to a small network."""

from __future__ import annotations

import numpy as np
import onnx.parser
import pytest

from y10c.calib.feeds import Feeds, generated_feeds
from y10c.errors import PipelineError
from y10c.frontend.importer import load
from y10c.ir import DType, Graph, TensorType
from y10c.ir.value import Op
from y10c.ops.reference import evaluate
from y10c.passes.canonicalize.recognize import RecognizeFunctions
from y10c.passes.int8.quantize_activations import QuantizeActivations
from y10c.passes.int8.quantize_weights import BIAS_LIMIT, QuantizeWeights, weight_axis
from y10c.passes.observe.calibrate import Calibrate
from y10c.pipeline.manager import run_passes
from y10c.quant.scheme import QuantScheme
from y10c.rewrite.passes import Pass, PassContext
from y10c.targets.j6.scheme import SCHEME
from y10c.targets.ort.split_silu import SplitSilu
from y10c.targets.ort.target import SCHEME as ORT

J6 = SCHEME.without_zero_points()

MODEL = """<ir_version: 8, opset_import: ["" : 17]>
net (float[1,2,8,8] image) => (float[1,2,8,8] out)
<float[2,2,1,1] w1 = {1, -0.5, 0.01, 0.02}, float[2] b1 = {0.5, -0.25}, float[2,2,1,1] w2 = {1, 2, 3, 4}>
{
    conv = Conv(image, w1, b1)
    gate = Sigmoid(conv)
    act = Mul(conv, gate)
    out = Conv(act, w2)
}"""


def quantized(scheme: QuantScheme = J6, *passes: Pass) -> Graph:
    graph = load(onnx.parser.parse_model(MODEL))
    feeds = generated_feeds({v.name: v.tensor_type for v in graph.inputs})
    context = PassContext(tables={QuantScheme: scheme, Feeds: feeds})
    legal = [SplitSilu()] if scheme is ORT else []
    run_passes(graph, [RecognizeFunctions(), *legal, Calibrate(), QuantizeActivations(), *passes], context)
    return graph


def named(graph: Graph, name: str) -> Op:
    return next(op for op in graph.ops if op.results[0].name == name)


def integers_behind(graph: Graph, op: Op, index: int) -> TensorType:
    value = op.operands[index]
    assert value is not None
    assert value.producer is not None
    stored = value.producer.operands[0]
    assert stored is not None
    return stored.tensor_type


def test_activations_get_one_pair_a_tensor() -> None:
    assert [op.name for op in quantized().ops] == [
        "QuantizeLinear",
        "DequantizeLinear",
        "Conv",
        "QuantizeLinear",
        "DequantizeLinear",
        "y10c.SiLU",
        "QuantizeLinear",
        "DequantizeLinear",
        "Conv",
    ]


def test_the_edge_into_a_table_has_16_bits_and_the_others_8() -> None:
    graph = quantized()
    kinds = {op.name: integers_behind(graph, op, 0).dtype for op in graph.ops if "Linear" not in op.name}
    assert kinds == {"Conv": DType.i8, "y10c.SiLU": DType.i16}


def test_the_quantization_stands_in_the_type() -> None:
    graph = quantized()
    quant = integers_behind(graph, named(graph, "out"), 0).quant
    assert quant is not None
    assert quant.symmetric
    assert not quant.per_channel
    assert 0 < quant.scale[0] < 1


def test_the_last_result_stays_float() -> None:
    graph = quantized()
    assert graph.outputs[0].producer is named(graph, "out")
    assert graph.outputs[0].tensor_type.dtype is DType.f32


def test_weights_are_narrow_int8_with_a_scale_for_each_output_channel() -> None:
    graph = quantized(J6, QuantizeWeights())
    weight = named(graph, "conv").operands[1]
    assert weight is not None
    assert weight.producer is not None
    integers, scale = (v.numpy() for v in weight.producer.operands[:2] if v is not None)
    assert integers.dtype == np.int8
    np.testing.assert_allclose(scale, [1 / 127, 0.02 / 127], rtol=1e-6)
    assert np.abs(integers).reshape(2, -1).max(axis=1).tolist() == [127, 127]


def test_the_bias_is_int32_with_the_product_of_the_scales() -> None:
    graph = quantized(J6, QuantizeWeights())
    conv = named(graph, "conv")
    data, weight, bias = (v.producer for v in conv.operands if v is not None)
    assert data is not None
    assert weight is not None
    assert bias is not None
    scales = [op.operands[1].numpy() for op in (data, weight, bias) if op.operands[1] is not None]
    np.testing.assert_allclose(scales[2], scales[0] * scales[1], rtol=1e-6)
    assert integers_behind(graph, conv, 2).dtype is DType.i32


def test_int8_stays_close_to_float() -> None:
    image = np.random.default_rng(0).random((1, 2, 8, 8)).astype(np.float32)
    exact = evaluate(load(onnx.parser.parse_model(MODEL)), {"image": image})["out"]
    for scheme in (J6, ORT):
        found = evaluate(quantized(scheme, QuantizeWeights()), {"image": image})["out"]
        assert np.abs(found - exact).max() < 0.03 * np.abs(exact).max()


def test_unsigned_grids_have_a_zero_point() -> None:
    graph = quantized(ORT)
    kind = integers_behind(graph, named(graph, "act"), 0)
    assert kind.dtype is DType.u8
    assert kind.quant is not None
    assert not kind.quant.symmetric


def test_a_wrong_order_is_a_sentence() -> None:
    graph = load(onnx.parser.parse_model(MODEL))
    with pytest.raises(PipelineError, match="quantize-activations needs Calibrated"):
        run_passes(graph, [QuantizeActivations()], PassContext())


def test_a_grouped_transposed_weight_has_one_scale() -> None:
    assert weight_axis(Op("ConvTranspose", attrs={"group": 2}), 1, 4) is None
    assert weight_axis(Op("ConvTranspose"), 1, 4) == 1
    assert weight_axis(Op("Gemm", attrs={"transB": 1}), 0, 2) == 0
    assert weight_axis(Op("Gemm"), 0, 2) == 1


def test_biases_fit_int32() -> None:
    assert np.iinfo(np.int32).max == BIAS_LIMIT
