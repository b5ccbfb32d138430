"""What `y10c info` says of a QDQ model: the precision of products, and floats around them."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import y10c
from y10c.cost.precision import FloatEdge, float_edges, mac_shares
from y10c.ir import Graph


def qdq(activation: str = "int8") -> Graph:
    """A quantized 1x1 convolution, a float one behind it, then an output."""
    constants = [
        numpy_helper.from_array(np.array(0.1, np.float32), "s"),
        numpy_helper.from_array(np.array(0, activation), "za"),
        numpy_helper.from_array(np.array(0, np.int8), "zw"),
        numpy_helper.from_array(np.ones((4, 2, 1, 1), np.int8), "w1"),
        numpy_helper.from_array(np.ones((1, 4, 1, 1), np.float32), "w2"),
    ]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "za"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "za"], ["d"]),
        helper.make_node("DequantizeLinear", ["w1", "s", "zw"], ["w1d"]),
        helper.make_node("Conv", ["d", "w1d"], ["c1"], name="first"),
        helper.make_node("Conv", ["c1", "w2"], ["c2"], name="second"),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 5, 5])
    y = helper.make_tensor_value_info("c2", TensorProto.FLOAT, [1, 1, 5, 5])
    graph = helper.make_graph(nodes, "g", [x], [y], constants)
    opset = [helper.make_opsetid("", 21)]
    return y10c.load(onnx.shape_inference.infer_shapes(helper.make_model(graph, opset_imports=opset)))


def test_shares_are_by_the_bits_of_both_operands() -> None:
    assert mac_shares(qdq()) == {(8, 8): 2 / 3, (32, 32): 1 / 3}
    assert mac_shares(qdq("int16")) == {(16, 8): 2 / 3, (32, 32): 1 / 3}


def test_the_tail_does_not_count() -> None:
    graph = qdq()
    second = graph.outputs[0].producer
    assert second is not None
    assert mac_shares(graph, {second}) == {(8, 8): 1.0}


def test_float_edges_are_named() -> None:
    edges = list(float_edges(qdq()))
    assert FloatEdge("first", "out", "c1", "Conv", False) in edges
    assert FloatEdge("second", "in", "c1", "Conv", False) in edges
    assert FloatEdge("second", "in", "w2", "constant", False) in edges
    assert FloatEdge("second", "out", "c2", "output", True) in edges
    assert len(edges) == 4
