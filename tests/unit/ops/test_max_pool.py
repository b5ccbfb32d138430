"""MaxPool with indices: `onnx.reference` mistakes the pads of images that are not padded alike."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from y10c.ops.pool import _max_pool

CASES = list(
    itertools.product([(0, 0, 0, 0), (2, 2, 1, 1), (1, 0, 2, 1)], [(3, 3), (3, 4)], [(1, 1), (2, 1)], [0, 1])
)


@pytest.mark.parametrize(("pads", "kernel", "strides", "order"), CASES)
def test_values_and_places_are_those_of_onnxruntime(pads: Any, kernel: Any, strides: Any, order: int) -> None:
    x = np.random.default_rng(0).integers(-5, 5, (2, 3, 6, 4)).astype(np.float32)
    attrs = {"kernel_shape": kernel, "pads": pads, "strides": strides, "storage_order": order}
    graph = helper.make_graph(
        [helper.make_node("MaxPool", ["x"], ["y", "i"], **attrs)],
        "pool",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, None),
            helper.make_tensor_value_info("i", TensorProto.INT64, None),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    expected = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    for ours, theirs in zip(_max_pool(x, outputs=2, **attrs), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
