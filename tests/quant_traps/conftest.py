"""A small detector compiled for both targets, and networks that peers' quantizers ruin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import y10c
from y10c.frontend.importer import load
from y10c.ir.graph import Graph
from y10c.pipeline.result import Result
from y10c.quant.options import QuantOptions
from y10c.zoo import yolov10

SIZE = 96
TARGETS = ("j6", "ort")
QUICK = QuantOptions(effort="fast", mixed="off", rounding=False)
"""What the traps are about does not depend on the accuracy passes, which take a minute here."""


@pytest.fixture(scope="session")
def detector() -> onnx.ModelProto:
    return yolov10("n", size=SIZE)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seeded samples with structure: smooth waves and noise."""
    folder, draw = tmp_path_factory.mktemp("pictures"), np.random.default_rng(7)
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    for index in range(3):
        waves = [np.sin(2 * np.pi * (x * a + y * b)) for a, b in draw.uniform(1, 5, (3, 2))]
        sample = 0.5 + 0.3 * np.stack(waves) + 0.1 * draw.standard_normal((3, SIZE, SIZE))
        np.save(folder / f"{index}.npy", np.clip(sample, 0, 1)[None].astype(np.float32))
    return folder


@pytest.fixture(scope="session", params=TARGETS)
def compiled(request: pytest.FixtureRequest, detector: onnx.ModelProto, pictures: Path) -> Result:
    """The detector with its decode tail, in INT8."""
    return y10c.compile(detector, request.param, calibration=pictures, head="e2e", quant=QUICK)


@pytest.fixture(scope="session")
def graph(compiled: Result) -> Graph:
    return load(compiled.model)


def two_ranges() -> onnx.ModelProto:
    """Boxes up to hundreds and scores below 1 from two branches, concatenated: no detector that is known."""
    draw = np.random.default_rng(2)

    def weights(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array((draw.standard_normal(shape) * 0.3).astype(np.float32), name)

    constants = [
        weights("w0", 8, 3, 3, 3),
        weights("wb", 4, 8, 1, 1),
        weights("ws", 6, 8, 1, 1),
        numpy_helper.from_array(np.array(300.0, np.float32), "size"),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w0"], ["c0"], name="stem", pads=[1] * 4),
        helper.make_node("Relu", ["c0"], ["r0"], name="relu"),
        helper.make_node("Conv", ["r0", "wb"], ["b0"], name="boxes"),
        helper.make_node("Mul", ["b0", "size"], ["b1"], name="pixels"),
        helper.make_node("Conv", ["r0", "ws"], ["s0"], name="logits"),
        helper.make_node("Sigmoid", ["s0"], ["s1"], name="scores"),
        helper.make_node("Concat", ["b1", "s1"], ["y"], name="both", axis=1),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 16, 16])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 10, 16, 16])
    made = helper.make_graph(nodes, "two ranges", [x], [y], constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
