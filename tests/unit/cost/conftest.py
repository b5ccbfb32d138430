"""Machines of the repository and small graphs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from y10c.cost.machine import Machine, load_machine
from y10c.ir import Graph

TARGETS = Path(__file__).parents[3] / "targets"


@pytest.fixture(scope="session")
def nash_e() -> Machine:
    return load_machine(TARGETS / "j6" / "marches" / "nash-e.yaml")


@pytest.fixture(scope="session")
def nv_full() -> Machine:
    return load_machine(TARGETS / "nvdla" / "nv_full.yaml")


@pytest.fixture(scope="session")
def graph_of() -> Callable[..., Graph]:
    """A graph from nodes: weights `w<n>` are 3x3 kernels of 16 channels, the input is x[1,16,32,32]."""

    def build(nodes: list[onnx.NodeProto], outputs: dict[str, list[int]], weights: int = 1) -> Graph:
        import y10c

        kernel = np.ones((16, 16, 3, 3), np.float32)
        initializers = [numpy_helper.from_array(kernel * i, f"w{i}") for i in range(weights)]
        scalars = {"scale": np.float32(0.1), "zero": np.int8(0), "zero16": np.int16(0)}
        initializers += [numpy_helper.from_array(np.array(v), k) for k, v in scalars.items()]
        graph = helper.make_graph(
            nodes,
            "small",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 16, 32, 32])],
            [helper.make_tensor_value_info(k, TensorProto.FLOAT, v) for k, v in outputs.items()],
            initializers,
        )
        return y10c.load(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)]))

    return build
