"""Every kind of unit, drawn at random: onnxruntime's QDQ run is within one step of the integer reference.

With and without onnxruntime's optimizations; processors without VNNI saturate some fused products at 16 bits
(onnxruntime's quantization guide), which is the processor's and not the model's meaning.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from y10c.comparison.exact import UnitDifference, compare_units

SEEDS = range(3)


def has_vnni() -> bool:
    try:
        return "vnni" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False


@dataclass(frozen=True)
class Kind:
    """A unit to draw: its op, the shapes of its activations, what else it reads, its attributes."""

    op: str
    inputs: tuple[tuple[int, ...], ...]
    weight: tuple[int, ...] = ()
    bias: int = 0
    constants: tuple[tuple[str, Any], ...] = ()
    outputs: int = 1
    attrs: dict[str, Any] = field(default_factory=dict)
    axis: int = 0


UNITS = {
    "conv": Kind("Conv", ((1, 8, 9, 9),), (6, 8, 3, 3), 6, attrs={"pads": [1] * 4}),
    "strided conv": Kind("Conv", ((1, 3, 12, 12),), (4, 3, 3, 3), 4, attrs={"strides": [2, 2]}),
    "depthwise conv": Kind("Conv", ((1, 8, 9, 9),), (8, 1, 3, 3), 8, attrs={"group": 8, "pads": [1] * 4}),
    "pointwise conv": Kind("Conv", ((1, 256, 4, 4),), (8, 256, 1, 1), 8),
    "conv without bias": Kind("Conv", ((1, 8, 5, 5),), (6, 8, 1, 1)),
    "conv transpose": Kind(
        "ConvTranspose", ((1, 4, 5, 5),), (4, 6, 2, 2), 6, attrs={"strides": [2, 2]}, axis=1
    ),
    "matmul with weight": Kind("MatMul", ((3, 32),), (32, 8), axis=1),
    "gemm": Kind("Gemm", ((3, 16),), (8, 16), 8, attrs={"transB": 1}),
    "matmul of activations": Kind("MatMul", ((1, 2, 8, 16), (1, 2, 16, 8))),
    "add": Kind("Add", ((1, 4, 6, 6), (1, 4, 6, 6))),
    "sub": Kind("Sub", ((1, 4, 6, 6), (1, 4, 6, 6))),
    "mul": Kind("Mul", ((1, 4, 6, 6), (1, 4, 6, 6))),
    "concat": Kind("Concat", ((1, 4, 6, 6), (1, 2, 6, 6)), attrs={"axis": 1}),
    "max": Kind("Max", ((1, 4, 6, 6), (1, 4, 6, 6))),
    "softmax": Kind("Softmax", ((2, 5, 12),), attrs={"axis": -1}),
    "sigmoid": Kind("Sigmoid", ((1, 4, 16, 16),)),
    "tanh": Kind("Tanh", ((1, 4, 16, 16),)),
    "relu": Kind("Relu", ((1, 4, 16, 16),)),
    "leaky relu": Kind("LeakyRelu", ((1, 4, 16, 16),), attrs={"alpha": 0.1}),
    "hard sigmoid": Kind("HardSigmoid", ((1, 4, 16, 16),)),
    "hard swish": Kind("HardSwish", ((1, 4, 16, 16),)),
    "gelu": Kind("Gelu", ((1, 4, 16, 16),)),
    "max pool": Kind("MaxPool", ((1, 4, 8, 8),), attrs={"kernel_shape": [2, 2], "strides": [2, 2]}),
    "average pool": Kind("AveragePool", ((1, 4, 8, 8),), attrs={"kernel_shape": [3, 3]}),
    "global average pool": Kind("GlobalAveragePool", ((1, 4, 8, 8),)),
    "resize": Kind(
        "Resize",
        ((1, 4, 5, 5),),
        constants=(("", None), ("scales", np.array([1, 1, 2, 2], np.float32))),
        attrs={"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    ),
    "split": Kind(
        "Split", ((1, 6, 4, 4),), constants=(("sizes", np.array([2, 4])),), outputs=2, attrs={"axis": 1}
    ),
    "transpose": Kind("Transpose", ((1, 4, 3, 5),), attrs={"perm": [0, 2, 3, 1]}),
    "reshape": Kind("Reshape", ((1, 4, 3, 5),), constants=(("shape", np.array([1, 12, 5])),)),
}


class Drawn:
    """A model of one unit between pairs, on grids that cover what flows through it, or clip some of it."""

    def __init__(self, kind: Kind, activation: str, seed: int) -> None:
        self.draw = np.random.default_rng(seed)
        self.activation = np.dtype(activation)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.feeds: dict[str, np.ndarray] = {}
        operands = [self.pair(f"x{i}", shape) for i, shape in enumerate(kind.inputs)]
        if kind.weight:
            operands.append(self.weight(kind))
        if kind.bias:
            operands.append(self.bias(kind.bias))
        operands += [self.constant(name, value) if name else "" for name, value in kind.constants]
        results = [f"y{i}" for i in range(kind.outputs)]
        self.nodes.append(helper.make_node(kind.op, operands, results, name="unit", **kind.attrs))
        self.outputs = [self.quantized(name, self.result_scale(kind)) for name in results]

    def constant(self, name: str, value: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def grid(self, name: str, scale: float) -> list[str]:
        limits = np.iinfo(self.activation)
        middle = (int(limits.min) + int(limits.max) + 1) // 2
        zero = middle if self.activation.itemsize > 1 else middle + int(self.draw.integers(-20, 20))
        return [
            self.constant(f"{name}_s", np.float32(scale)),
            self.constant(f"{name}_z", np.array(zero, self.activation)),
        ]

    def pair(self, name: str, shape: tuple[int, ...]) -> str:
        self.feeds[name] = (self.draw.standard_normal(shape) * 1.5).astype(np.float32)
        self.input_scale = float(self.draw.uniform(0.03, 0.05)) * (
            1 if self.activation.itemsize == 1 else 1 / 256
        )
        parameters = self.grid(name, self.input_scale)
        self.nodes.append(helper.make_node("QuantizeLinear", [name, *parameters], [f"{name}_q"]))
        self.nodes.append(helper.make_node("DequantizeLinear", [f"{name}_q", *parameters], [f"{name}_d"]))
        return f"{name}_d"

    def weight(self, kind: Kind) -> str:
        channels = kind.weight[kind.axis]
        self.scales = self.draw.uniform(0.002, 0.01, channels).astype(np.float32)
        codes = self.draw.integers(-127, 128, kind.weight).astype(np.int8)
        parameters = [
            self.constant("w_q", codes),
            self.constant("w_s", self.scales),
            self.constant("w_z", np.zeros(channels, np.int8)),
        ]
        self.nodes.append(helper.make_node("DequantizeLinear", parameters, ["w"], axis=kind.axis))
        return "w"

    def bias(self, channels: int) -> str:
        scale = (self.scales * np.float32(self.input_scale)).astype(np.float32)
        codes = np.rint(self.draw.standard_normal(channels) / scale).astype(np.int32)
        parameters = [
            self.constant("b_q", codes),
            self.constant("b_s", scale),
            self.constant("b_z", np.zeros(channels, np.int32)),
        ]
        self.nodes.append(helper.make_node("DequantizeLinear", parameters, ["b"], axis=0))
        return "b"

    def result_scale(self, kind: Kind) -> float:
        """Coarse for sums of many products, fine for what a function gives; some results saturate."""
        inner = int(np.prod(kind.weight[1:])) if kind.weight else 1
        reach = 1.5 * (0.5 * np.sqrt(inner) if kind.weight else 1.0)
        scale = reach * float(self.draw.uniform(0.5, 2.5)) / 100
        return scale if self.activation.itemsize == 1 else scale / 256

    def quantized(self, name: str, scale: float) -> str:
        parameters = self.grid(name, scale)
        self.nodes.append(helper.make_node("QuantizeLinear", [name, *parameters], [f"{name}_q"]))
        self.nodes.append(helper.make_node("DequantizeLinear", [f"{name}_q", *parameters], [f"{name}_d"]))
        return f"{name}_d"

    def model(self) -> onnx.ModelProto:
        inputs = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape)
            for name, array in self.feeds.items()
        ]
        outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in self.outputs]
        graph = helper.make_graph(self.nodes, "unit", inputs, outputs, self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def unit_rows(rows: list[UnitDifference]) -> list[UnitDifference]:
    return [row for row in rows if row.node == "unit"]


@pytest.mark.parametrize("optimized", [False, True], ids=["as written", "optimized"])
@pytest.mark.parametrize("activation", ["int8", "uint8", "int16"])
@pytest.mark.parametrize("name", UNITS)
def test_a_unit_is_within_one_step(name: str, activation: str, optimized: bool) -> None:
    if optimized and not has_vnni():
        pytest.skip("onnxruntime's fused products saturate at 16 bits on this processor")
    for seed in SEEDS:
        drawn = Drawn(UNITS[name], activation, seed)
        rows = compare_units(drawn.model(), drawn.feeds, optimized=optimized)
        units = unit_rows(rows)
        assert len(units) == UNITS[name].outputs
        assert len(rows) == len(units) + len(UNITS[name].inputs)
        for row in rows:
            assert row.largest <= 1, (seed, row)


def test_a_wrong_model_is_caught() -> None:
    """The bound of one step is not met by chance: each of these mistakes breaks it."""
    for mistake in ("scale", "zero", "weight"):
        drawn = Drawn(UNITS["conv"], "int8", 0)
        right, wrong = drawn.model(), drawn.model()
        name = {"scale": "w_s", "zero": "y0_z", "weight": "w_q"}[mistake]
        tensor = next(t for t in wrong.graph.initializer if t.name == name)
        array = numpy_helper.to_array(tensor).copy()
        array = array * np.float32(1.02) if mistake == "scale" else array + (2 if mistake == "zero" else 1)
        tensor.CopyFrom(numpy_helper.from_array(array.astype(numpy_helper.to_array(tensor).dtype), name))
        reference = {row.tensor: row for row in compare_units(right, drawn.feeds, optimized=False)}
        assert reference["y0_q"].largest <= 1
        assert _largest_between(right, wrong, drawn.feeds) > 1, mistake


def _largest_between(right: onnx.ModelProto, wrong: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> int:
    import onnxruntime

    from y10c.calib.session import exposed_model

    found = [
        onnxruntime.InferenceSession(exposed_model(m, ["y0_q"]), providers=["CPUExecutionProvider"]).run(
            ["y0_q"], feeds
        )[0]
        for m in (right, wrong)
    ]
    return int(np.abs(found[0].astype(int) - found[1].astype(int)).max())
