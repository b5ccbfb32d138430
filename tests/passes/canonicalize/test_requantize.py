"""Data movement on integers, where ONNX has it for those integers."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import y10c


def pooled(dtype: str) -> onnx.ModelProto:
    """Q, DQ, MaxPool, Q, DQ with one scale."""
    constants = [
        numpy_helper.from_array(np.array(0.1, np.float32), "s"),
        numpy_helper.from_array(np.array(0, dtype), "z"),
    ]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("MaxPool", ["d"], ["m"], kernel_shape=[2, 2]),
        helper.make_node("QuantizeLinear", ["m", "s", "z"], ["mq"]),
        helper.make_node("DequantizeLinear", ["mq", "s", "z"], ["y"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 5, 5])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2, 4, 4])
    graph = helper.make_graph(nodes, "g", [x], [y], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


@pytest.mark.parametrize(("dtype", "pairs"), [("int8", 1), ("uint8", 1), ("int16", 2), ("uint16", 2)])
def test_a_pool_moves_the_integers_that_it_can_take(dtype: str, pairs: int) -> None:
    """ONNX has no MaxPool on 16 bits: there the pair stays, and nothing crashes."""
    made = y10c.optimize(pooled(dtype))
    assert sum(node.op_type == "QuantizeLinear" for node in made.graph.node) == pairs
