"""`y10c info` on models that onnxruntime quantized: shares by width, float edges, whatever the form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from y10c.cli.main import main

MACS = {"conv1": 8 * 3 * 9 * 64, "conv2": 16 * 8 * 16, "fc": 16 * 8}


class Samples(CalibrationDataReader):  # type: ignore[misc]
    """Four seeded samples."""

    def __init__(self) -> None:
        draw = np.random.default_rng(1)
        self._left: Iterator[dict[str, Any]] = iter(
            [{"x": draw.random((1, 3, 16, 16), dtype=np.float32)} for _ in range(4)]
        )

    def get_next(self) -> dict[str, Any] | None:
        return next(self._left, None)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Conv, SiLU in two nodes, pooling, Conv, Relu, a product."""
    draw = np.random.default_rng(0)

    def weights(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(draw.standard_normal(shape).astype(np.float32) * 0.3, name)

    constants = [weights("w1", 8, 3, 3, 3), weights("b1", 8), weights("w2", 16, 8, 1, 1), weights("m", 16, 8)]
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], name="conv1", pads=[1] * 4, strides=[2, 2]),
        helper.make_node("Sigmoid", ["c1"], ["s1"], name="gate"),
        helper.make_node("Mul", ["c1", "s1"], ["a1"], name="silu"),
        helper.make_node("MaxPool", ["a1"], ["p1"], name="pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["p1", "w2"], ["c2"], name="conv2"),
        helper.make_node("Relu", ["c2"], ["r2"], name="relu"),
        helper.make_node("GlobalAveragePool", ["r2"], ["g"], name="mean"),
        helper.make_node("Flatten", ["g"], ["f"], name="flat"),
        helper.make_node("MatMul", ["f", "m"], ["y"], name="fc"),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 16, 16])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8])
    graph = helper.make_graph(nodes, "g", [x], [y], constants)
    opset = [helper.make_opsetid("", 17)]
    path = tmp_path_factory.mktemp("float") / "float.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


def info(path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["info", str(path), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def shares(found: dict[str, Any]) -> dict[tuple[int, int], float]:
    return {(row["activation_bits"], row["weight_bits"]): row["share"] for row in found["int8"]["mac_shares"]}


@pytest.mark.parametrize(
    ("options", "bits"),
    [
        ({}, (8, 8)),
        ({"activation_type": QuantType.QInt8, "per_channel": True}, (8, 8)),
        ({"activation_type": QuantType.QInt16}, (16, 8)),
        ({"activation_type": QuantType.QUInt16, "extra_options": {"UseQDQContribOps": True}}, (16, 8)),
        ({"weight_type": QuantType.QInt16}, (8, 16)),
    ],
    ids=["defaults", "signed per channel", "int16", "uint16 of com.microsoft", "int16 weights"],
)
def test_a_qdq_model_is_all_integers(
    network: Path,
    tmp_path: Path,
    options: dict[str, Any],
    bits: tuple[int, int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    quantize_static(network, tmp_path / "q.onnx", Samples(), quant_format=QuantFormat.QDQ, **options)
    found = info(tmp_path / "q.onnx", capsys)
    assert found["macs"] == sum(MACS.values())
    assert shares(found) == {bits: 1.0}
    assert found["int8"]["float_edges_outside_tail"] == 0


def test_a_convolution_left_out_is_float_with_its_edges(
    network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quantize_static(
        network, tmp_path / "q.onnx", Samples(), quant_format=QuantFormat.QDQ, nodes_to_exclude=["conv2"]
    )
    found = info(tmp_path / "q.onnx", capsys)
    float_share = MACS["conv2"] / sum(MACS.values())
    # Its input still comes from an integer neighbour: that operand is 8 bits, the weight is not.
    assert shares(found) == pytest.approx({(8, 8): 1 - float_share, (8, 32): float_share})
    edges = {(e["node"], e["direction"], e["tensor"]) for e in found["int8"]["float_edges"] if not e["tail"]}
    assert ("conv2", "in", "w2") in edges


def test_quantizing_products_alone_leaves_float_edges_at_the_others(
    network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quantize_static(
        network,
        tmp_path / "q.onnx",
        Samples(),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv", "MatMul"],
    )
    found = info(tmp_path / "q.onnx", capsys)
    assert shares(found) == {(8, 8): 1.0}
    nodes = {e["node"] for e in found["int8"]["float_edges"] if e["direction"] == "in" and not e["tail"]}
    assert "mean" in nodes


def test_integer_operators_count_by_their_factors(
    network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quantize_dynamic(network, tmp_path / "q.onnx")
    found = info(tmp_path / "q.onnx", capsys)
    assert found["macs"] == sum(MACS.values())
    assert shares(found) == {(8, 8): 1.0}
    assert found["int8"]["float_edges_outside_tail"] > 0


def test_an_operator_oriented_model_of_another_domain_is_read(
    network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """onnxruntime's own ops have no declared shapes: one run tells them."""
    quantize_static(network, tmp_path / "q.onnx", Samples(), quant_format=QuantFormat.QOperator)
    assert {n.domain for n in onnx.load(tmp_path / "q.onnx").graph.node} == {"", "com.microsoft"}
    found = info(tmp_path / "q.onnx", capsys)
    assert found["macs"] == sum(MACS.values())
    assert shares(found) == {(8, 8): 1.0}
    assert found["int8"]["float_edges_outside_tail"] == 0
