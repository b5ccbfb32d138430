"""Compiled models, unit by unit: what onnxruntime computes is what the integers say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import y10c
from tests.exactness.test_units import has_vnni
from y10c.calib.dataset import open_dataset
from y10c.comparison.exact import compare_units, units_of
from y10c.frontend.importer import load
from y10c.ir.types import DType, TensorType
from y10c.ir.value import Op, Value
from y10c.ops.integer import Grid, Integers, accumulated

TARGETS = ("j6", "ort")


def block() -> onnx.ModelProto:
    """Convolutions, SiLU, split, sum, concat, pooling, resize and an attention: what YOLOv10 is made of."""
    draw = np.random.default_rng(5)

    def weights(name: str, *shape: int) -> onnx.TensorProto:
        fan = int(np.prod(shape[1:])) or 1
        return numpy_helper.from_array((draw.standard_normal(shape) / np.sqrt(fan)).astype(np.float32), name)

    constants = [
        weights("w1", 16, 3, 3, 3),
        weights("w2", 8, 8, 3, 3),
        weights("w3", 8, 32, 1, 1),
        weights("b1", 16),
        weights("b2", 8),
        weights("b3", 8),
        numpy_helper.from_array(np.array([8, 8]), "halves"),
        numpy_helper.from_array(np.array([1, 8, 64]), "flat"),
        numpy_helper.from_array(np.array([1, 8, 8, 8]), "square"),
        numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "twice"),
    ]
    make = helper.make_node
    nodes = [
        make("Conv", ["x", "w1", "b1"], ["c1"], name="conv1", pads=[1] * 4, strides=[2, 2]),
        make("Sigmoid", ["c1"], ["g1"], name="gate1"),
        make("Mul", ["c1", "g1"], ["a1"], name="silu1"),
        make("Split", ["a1", "halves"], ["l", "r"], name="split", axis=1),
        make("Conv", ["r", "w2", "b2"], ["c2"], name="conv2", pads=[1] * 4),
        make("Sigmoid", ["c2"], ["g2"], name="gate2"),
        make("Mul", ["c2", "g2"], ["a2"], name="silu2"),
        make("Add", ["r", "a2"], ["s"], name="add"),
        make("MaxPool", ["s"], ["p"], name="pool", kernel_shape=[5, 5], pads=[2] * 4),
        make("Concat", ["l", "r", "s", "p"], ["cat"], name="concat", axis=1),
        make("Conv", ["cat", "w3", "b3"], ["c3"], name="conv3"),
        make("Reshape", ["c3", "flat"], ["k"], name="flatten"),
        make("Transpose", ["k"], ["kt"], name="transpose", perm=[0, 2, 1]),
        make("MatMul", ["k", "kt"], ["score"], name="score"),
        make("Softmax", ["score"], ["prob"], name="softmax", axis=-1),
        make("MatMul", ["prob", "k"], ["mixed"], name="attend"),
        make("Reshape", ["mixed", "square"], ["grid"], name="square"),
        make("Resize", ["grid", "", "twice"], ["big"], name="resize", mode="nearest"),
        make("Sigmoid", ["big"], ["g4"], name="gate4"),
        make("Mul", ["big", "g4"], ["a4"], name="silu4"),
        make("Conv", ["a4", "w2", "b2"], ["y"], name="conv4", pads=[1] * 4),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 16, 16])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8, 16, 16])
    graph = helper.make_graph(nodes, "block", [x], [y], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, draw = tmp_path_factory.mktemp("data"), np.random.default_rng(3)
    for index in range(4):
        np.save(folder / f"{index}.npy", draw.random((1, 3, 16, 16), dtype=np.float32))
    return folder


@pytest.fixture(scope="module", params=TARGETS)
def small(request: pytest.FixtureRequest, data: Path) -> onnx.ModelProto:
    return y10c.compile(block(), request.param, calibration=data).model


def inputs(shape: tuple[int, ...]) -> list[np.ndarray]:
    """Random samples within the calibrated range, one far beyond it, one that is flat."""
    draw = np.random.default_rng(11)
    return [
        draw.random(shape, dtype=np.float32),
        (draw.standard_normal(shape) * 4).astype(np.float32),
        np.full(shape, 0.5, np.float32),
    ]


def assert_exact(model: onnx.ModelProto, name: str, samples: list[np.ndarray], least_units: int) -> None:
    modes = (False, True) if has_vnni() else (False,)
    for optimized in modes:
        for sample in samples:
            rows = compare_units(model, {name: sample}, optimized=optimized, threads=2)
            assert len(rows) >= least_units
            worst = max(rows, key=lambda row: row.largest)
            assert worst.largest <= 1, (optimized, worst)


def test_a_small_network_is_exact(small: onnx.ModelProto) -> None:
    assert_exact(small, "x", inputs((1, 3, 16, 16)), least_units=15)


def test_every_op_outside_the_outputs_is_a_unit(small: onnx.ModelProto) -> None:
    """Nothing escapes the proof: an op is a unit, a move, a pair, or what gives the float output."""
    from y10c.comparison.exact import MOVED
    from y10c.passes.canonicalize.recognize import RecognizeFunctions
    from y10c.rewrite.passes import PassContext

    graph = load(small)
    RecognizeFunctions().run(graph, PassContext())
    proved = {unit.op for unit in units_of(graph)}
    rest = [
        op for op in graph.ops if op not in proved and op.kind not in ("QuantizeLinear", "DequantizeLinear")
    ]
    assert [op.name for op in rest if op.name not in MOVED] in (["Conv"], [])


def product(dtype: DType, factor: int, length: int) -> np.ndarray:
    """The accumulator of a dot product of one number with the largest int8."""
    grid = Grid(dtype, np.array(1.0, np.float32), np.array(0, dtype.numpy))
    weight = Grid(DType.i8, np.array(1.0, np.float32), np.array(0, np.int8))
    values = [Value(TensorType(DType.f32, shape)) for shape in ((1, length), (length, 1))]
    op = Op("MatMul", values, {}, [TensorType(DType.f32, (1, 1))])
    left = Integers(np.full((1, length), factor, dtype.numpy), grid)
    total = accumulated(op, [left, Integers(np.full((length, 1), 127, np.int8), weight)])
    assert total is not None
    return total


def test_accumulators_of_8_bits_are_int32_and_wrap() -> None:
    """The reference does not hide an overflow, which takes more than 130,000 products."""
    fits, wraps = product(DType.i8, 127, 133_000), product(DType.i8, 127, 140_000)
    assert fits.dtype == wraps.dtype == np.int32
    assert int(fits[0, 0]) == 127 * 127 * 133_000
    assert int(wraps[0, 0]) == 127 * 127 * 140_000 - 2**32


def test_accumulators_of_16_bits_are_wide() -> None:
    total = product(DType.i16, 32767, 1024)
    assert total.dtype == np.int64
    assert int(total[0, 0]) == 32767 * 127 * 1024 > 2**31


@pytest.mark.slow  # compiles YOLOv10n at 640
@pytest.mark.parametrize("target", TARGETS)
def test_a_trained_yolov10n_is_exact(shared: Path, target: str) -> None:
    images = shared / "images/calibration"
    options: dict[str, Any] = {"calibration": images, "limit": 4}
    model = y10c.compile(shared / "models/yolov10n_coco.onnx", target, **options).model
    unseen = open_dataset(shared / "images/evaluation", input_shape=[1, 3, 640, 640], limit=2)
    random = np.random.default_rng(0).random((1, 3, 640, 640), dtype=np.float32)
    samples = [*(sample.array for sample in unseen.samples()), random]
    assert_exact(model, model.graph.input[0].name, samples, least_units=150)


def test_the_tables_of_a_compiled_model_are_onnxruntimes(small: onnx.ModelProto) -> None:
    """On the grids that were chosen, every code, with optimizations off and on."""
    from tests.exactness.test_tables import NODES, onnxruntime_table, table_of
    from y10c.comparison.tensors import parameters_of
    from y10c.passes.canonicalize.recognize import RecognizeFunctions
    from y10c.rewrite.passes import PassContext

    graph = load(small)
    RecognizeFunctions().run(graph, PassContext())
    tables = 0
    for unit in units_of(graph):
        if unit.op.name not in NODES or unit.results[0] is None:
            continue
        source = unit.op.operands[0]
        assert source is not None
        assert source.producer is not None
        grids = parameters_of(source.producer), parameters_of(unit.results[0])
        assert grids[0] is not None
        assert grids[1] is not None
        ours = table_of(unit.op.name, *grids).astype(np.int64)
        for optimized in (False, True):
            theirs = onnxruntime_table(unit.op.name, *grids, optimized=optimized)
            apart = np.abs(ours - theirs.astype(np.int64))
            assert apart.max() <= 1
            # A step of 16 bits is 2^8 units in the last place of float32, which decides ties its own way.
            ties = 1 if grids[1].dtype.bits == 8 else apart.size / 2**8
            assert np.count_nonzero(apart) <= ties
        tables += 1
    assert tables == 3
