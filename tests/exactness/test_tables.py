"""Functions of one number as tables: every code, on many grids, against onnxruntime's floats."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from y10c.ir.types import DType, TensorType
from y10c.ir.value import Op, Value
from y10c.ops.integer import Grid, lookup_table

GRIDS = 12

NODES: dict[str, tuple[tuple[str, tuple[str, ...], dict[str, Any]], ...]] = {
    "y10c.SiLU": (("Sigmoid", ("x",), {}), ("Mul", ("x", "t0"), {})),
    "Sigmoid": (("Sigmoid", ("x",), {}),),
    "Tanh": (("Tanh", ("x",), {}),),
    "HardSwish": (("HardSwish", ("x",), {}),),
    "HardSigmoid": (("HardSigmoid", ("x",), {}),),
    "Gelu": (("Gelu", ("x",), {}),),
    "Erf": (("Erf", ("x",), {}),),
    "Elu": (("Elu", ("x",), {}),),
    "Softplus": (("Softplus", ("x",), {}),),
    "LeakyRelu": (("LeakyRelu", ("x",), {}),),
    "Exp": (("Exp", ("x",), {}),),
    "Abs": (("Abs", ("x",), {}),),
}
"""How each function stands in a file."""


def grids(name: str, source: DType, result: DType, seed: int) -> tuple[Grid, Grid]:
    """A source grid over a few units, a result grid that covers or clips what comes of it."""
    draw = np.random.default_rng([seed, *name.encode()])

    def grid(dtype: DType, span: float) -> Grid:
        low, high = dtype.integer_range
        zero = 0 if low < 0 else int(draw.integers(60, 190)) * (1 if dtype.bits == 8 else 256)
        return Grid(dtype, np.array(span / (high - low), np.float32), np.array(zero, dtype.numpy))

    return grid(source, float(draw.uniform(4, 40))), grid(result, float(draw.uniform(2, 40)))


def table_of(name: str, source: Grid, result: Grid) -> np.ndarray:
    value = Value(TensorType(DType.f32, (1,)), "x")
    return lookup_table(Op(name, [value], {}, [value.type]), source, result)


def onnxruntime_table(name: str, source: Grid, result: Grid, *, optimized: bool) -> np.ndarray:
    """The same from a file: every code through DQ, the float nodes, Q."""
    low, high = source.dtype.integer_range
    codes = np.arange(low, high + 1).astype(source.dtype.numpy)
    constants = [
        numpy_helper.from_array(array, label)
        for array, label in ((source.scale, "s"), (source.zero, "z"), (result.scale, "S"), (result.zero, "Z"))
    ]
    nodes = [helper.make_node("DequantizeLinear", ["q", "s", "z"], ["x"])]
    for index, (kind, inputs, attrs) in enumerate(NODES[name]):
        nodes.append(helper.make_node(kind, inputs, [f"t{index}"], **attrs))
    nodes.append(helper.make_node("QuantizeLinear", [f"t{len(NODES[name]) - 1}", "S", "Z"], ["r"]))
    ends = [
        helper.make_tensor_value_info(label, grid.dtype.value, [codes.size])
        for label, grid in (("q", source), ("r", result))
    ]
    graph = helper.make_graph(nodes, "table", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    options = onnxruntime.SessionOptions()
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimized else level.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    found: np.ndarray = session.run(None, {"q": codes})[0]
    return found


def differences(name: str, source: DType, result: DType, *, optimized: bool) -> np.ndarray:
    """Steps between the two tables, over all codes of all grids."""
    apart = []
    for seed in range(GRIDS):
        pair = grids(name, source, result, seed)
        ours, theirs = table_of(name, *pair), onnxruntime_table(name, *pair, optimized=optimized)
        apart.append(np.abs(ours.astype(np.int64) - theirs.astype(np.int64)))
    return np.concatenate(apart)


@pytest.mark.parametrize("optimized", [False, True], ids=["as written", "optimized"])
@pytest.mark.parametrize("types", [(DType.i8, DType.i8), (DType.u8, DType.u8)], ids=["int8", "uint8"])
@pytest.mark.parametrize("name", NODES)
def test_an_8_bit_table_is_onnxruntimes_code_for_code(
    name: str, types: tuple[DType, DType], optimized: bool
) -> None:
    apart = differences(name, *types, optimized=optimized)
    assert apart.size == 256 * GRIDS
    assert apart.max() <= 1
    # float32 may fall to the other side of a tie; the table is the exact one.
    assert np.count_nonzero(apart) <= 1


@pytest.mark.parametrize("optimized", [False, True], ids=["as written", "optimized"])
@pytest.mark.parametrize("name", ["y10c.SiLU", "Sigmoid", "HardSwish", "Gelu"])
def test_a_16_bit_source_gives_the_same_8_bits(name: str, optimized: bool) -> None:
    apart = differences(name, DType.i16, DType.i8, optimized=optimized)
    assert apart.size == 65536 * GRIDS
    assert apart.max() <= 1
    assert np.count_nonzero(apart) <= 1e-5 * apart.size


def test_silu_is_equal_everywhere() -> None:
    """The function that YOLO's tables hold: no code differs on any of these grids."""
    for optimized in (False, True):
        assert not differences("y10c.SiLU", DType.i8, DType.i8, optimized=optimized).any()
        assert not differences("y10c.SiLU", DType.u8, DType.u8, optimized=optimized).any()


def test_a_table_rounds_half_to_even_and_saturates() -> None:
    source = Grid(DType.i8, np.array(0.25, np.float32), np.array(0, np.int8))
    result = Grid(DType.i8, np.array(0.5, np.float32), np.array(0, np.int8))
    table = table_of("Abs", source, result)
    by_code = dict(zip(range(-128, 128), table.tolist(), strict=True))
    # |x| / 0.5 of the codes 1, 2, 3 and 5: 0.5, 1, 1.5 and 2.5.
    assert [by_code[code] for code in (1, 2, 3, 5)] == [0, 1, 2, 2]
    narrow = Grid(DType.i8, np.array(0.1, np.float32), np.array(0, np.int8))
    assert dict(zip(range(-128, 128), table_of("Abs", source, narrow).tolist(), strict=True))[127] == 127


def test_a_model_without_pairs_has_no_units() -> None:
    from y10c.comparison.exact import compare_units
    from y10c.zoo import yolov10

    model = yolov10("n", size=64)
    name = model.graph.input[0].name
    image = np.full((1, 3, 64, 64), 0.5, np.float32)
    assert compare_units(model, {name: image}, optimized=False) == []
