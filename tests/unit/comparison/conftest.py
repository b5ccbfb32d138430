"""A small detector-free network, float and quantized by onnxruntime: a pair that y10c had no hand in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

SIZE = 16


class Samples(CalibrationDataReader):  # type: ignore[misc]
    """The files of a folder."""

    def __init__(self, folder: Path, name: str = "x") -> None:
        self._name = name
        self._left: Iterator[Path] = iter(sorted(folder.glob("*.npy")))

    def get_next(self) -> dict[str, Any] | None:
        file = next(self._left, None)
        return None if file is None else {self._name: np.load(file)}


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five seeded samples."""
    folder, draw = tmp_path_factory.mktemp("data"), np.random.default_rng(3)
    for index in range(5):
        np.save(folder / f"{index}.npy", draw.random((1, 3, SIZE, SIZE), dtype=np.float32))
    return folder


def network(seed: int = 0, *, inputs: str = "x", prefix: str = "", size: int = SIZE) -> onnx.ModelProto:
    """Conv, SiLU, Conv, a sum with the SiLU, a product with a vector."""
    draw = np.random.default_rng(seed)

    def weights(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(draw.standard_normal(shape).astype(np.float32) * 0.3, name)

    constants = [weights("w1", 8, 3, 3, 3), weights("b1", 8), weights("w2", 8, 8, 3, 3)]
    p = prefix
    nodes = [
        helper.make_node("Conv", [inputs, "w1", "b1"], [f"{p}c1"], name="conv1", pads=[1] * 4),
        helper.make_node("Sigmoid", [f"{p}c1"], [f"{p}s1"], name="gate"),
        helper.make_node("Mul", [f"{p}c1", f"{p}s1"], [f"{p}a1"], name="silu"),
        helper.make_node("Conv", [f"{p}a1", "w2"], [f"{p}c2"], name="conv2", pads=[1] * 4),
        helper.make_node("Add", [f"{p}c2", f"{p}a1"], [f"{p}y"], name="sum"),
    ]
    x = helper.make_tensor_value_info(inputs, TensorProto.FLOAT, [1, 3, size, size])
    y = helper.make_tensor_value_info(f"{p}y", TensorProto.FLOAT, [1, 8, size, size])
    graph = helper.make_graph(nodes, "g", [x], [y], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(scope="session")
def float_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("float") / "float.onnx"
    onnx.save(network(), path)
    return path


@pytest.fixture(scope="session")
def quantized(float_model: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """By onnxruntime, with its own names for the tensors of a pair."""
    path = tmp_path_factory.mktemp("quantized") / "quantized.onnx"
    quantize_static(
        float_model, path, Samples(data), quant_format=QuantFormat.QDQ, activation_type=QuantType.QInt8
    )
    return path
