"""References hold for doubles and for expressions, and whole graphs run by them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from y10c.ir.graph import Graph
from y10c.ir.types import DType, TensorType
from y10c.ir.value import Op
from y10c.ops import math
from y10c.ops.reference import evaluate, evaluate_op
from y10c.ops.sample import NoInstance, Request
from y10c.rewrite.rewriter import Rewriter
from y10c.testing.draw import HypothesisDraw, draw_instance
from y10c.testing.instances import Case, case_of

FEW = settings(
    max_examples=6,
    deadline=None,
    database=None,
    derandomize=True,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)

LINEAR = (
    "Conv ConvTranspose BatchNormalization Gemm MatMul Einsum AveragePool GlobalAveragePool Resize ReduceSum "
    "ReduceMean LayerNormalization InstanceNormalization GroupNormalization RMSNormalization"
)
ARITHMETIC = (
    "Add Sub Mul Div Sum Mean Neg Abs Sqrt Exp Log Reciprocal Tanh Sigmoid Erf Relu LeakyRelu PRelu Clip "
    "HardSigmoid HardSwish Gelu Softplus Softmax Max Min Where ReduceMax ReduceMin ReduceProd ReduceL2 "
    "ReduceSumSquare MaxPool GlobalMaxPool y10c.SiLU"
)
MOVEMENT = (
    "Transpose Reshape Concat Split Slice Pad Gather GatherElements Squeeze Unsqueeze Flatten Expand Tile "
    "Identity DepthToSpace SpaceToDepth"
)
SYMBOLIC = f"{LINEAR} {ARITHMETIC} {MOVEMENT}".split()


def drawn_case(data: st.DataObject, name: str, **request: Any) -> Case:
    draw = HypothesisDraw(data.draw)
    try:
        return case_of(draw, name, draw_instance(draw, name, Request(**request)))
    except NoInstance:
        assume(False)
        raise


def with_expressions(case: Case) -> tuple[Op, list[Any], dict[Any, float]]:
    """The op, its operands with a symbol in place of every float that is fed, and the symbols' numbers."""
    (op,) = case.graph.ops
    numbers: dict[Any, float] = {}
    operands: list[Any] = []
    for value in op.operands:
        if value is None or value.tensor is not None:
            operands.append(None if value is None else value.numpy())
            continue
        array = case.feeds[value.name]
        if array.dtype.kind != "f":
            operands.append(array)
            continue
        symbols = np.empty(array.shape, np.object_)
        for index in np.ndindex(array.shape):
            symbols[index] = sympy.Symbol(f"{value.name}_{'_'.join(map(str, index))}", real=True)
            numbers[symbols[index]] = float(array[index])
        operands.append(symbols)
    return op, operands, numbers


@pytest.mark.parametrize("name", SYMBOLIC)
def test_references_hold_for_expressions(name: str) -> None:
    @FEW
    @given(st.data())
    def hold(data: st.DataObject) -> None:
        case = drawn_case(data, name)
        assume(all(v.tensor_type.dtype is DType.f32 for v in case.graph.outputs))
        op, operands, numbers = with_expressions(case)
        assume(0 < len(numbers) <= 30)
        results = evaluate_op(op, operands)
        wanted = evaluate(case.graph, case.feeds, DType.f64)
        for expressions, doubles in zip(results, wanted.values(), strict=True):
            assert expressions.shape == doubles.shape
            found = sympy.lambdify(list(numbers), list(expressions.ravel()), "math")(*numbers.values())
            np.testing.assert_allclose(found, doubles.ravel(), rtol=1e-6, atol=1e-6, err_msg=str(op))

    hold()


def test_functions_ask_an_element_for_its_own_method_first() -> None:
    class Element:
        def sqrt(self) -> str:
            return "my root"

    array = np.empty((1,), np.object_)
    array[0] = Element()
    assert math.sqrt(array)[0] == "my root"


def folded(op: Op) -> Any:
    (array,) = evaluate_op(op, [None if v is None else v.numpy() for v in op.operands])
    return array


def float_graph() -> tuple[Graph, Rewriter]:
    graph = Graph("g")
    graph.add_input(TensorType(DType.f32, (2,)), "x")
    return graph, Rewriter(graph)


def test_a_graph_runs_in_doubles_where_asked() -> None:
    graph, rewriter = float_graph()
    third = rewriter.op.Div(graph.inputs[0], np.array([3.0], np.float32))
    cast = rewriter.op.Cast(third, to=DType.f32.value)
    graph.set_outputs([cast], ["y"])
    feeds = {"x": np.array([1.0, 2.0], np.float32)}
    assert evaluate(graph, feeds)["y"].dtype == np.float32
    doubles = evaluate(graph, feeds, DType.f64)["y"]
    assert doubles.dtype == np.float64
    np.testing.assert_allclose(doubles, [1 / 3, 2 / 3], rtol=1e-15)


def test_inner_values_can_be_kept() -> None:
    graph, rewriter = float_graph()
    inner = rewriter.op.Relu(graph.inputs[0])
    inner.name = "inner"
    graph.set_outputs([rewriter.op.Neg(inner)], ["y"])
    found = evaluate(graph, {"x": np.array([-1.0, 2.0], np.float32)}, keep=True)
    np.testing.assert_array_equal(found["inner"], [0, 2])
    np.testing.assert_array_equal(found["y"], [0, -2])


def test_a_missing_feed_is_named() -> None:
    graph, _ = float_graph()
    graph.set_outputs(graph.inputs, ["y"])
    with pytest.raises(ValueError, match="no feed for input 'x'"):
        evaluate(graph, {})


def test_an_op_of_constants_can_be_folded() -> None:
    _, rewriter = float_graph()
    shape = rewriter.op.make("Concat", np.array([1, 2]), np.array([3]), axis=0)
    array = folded(shape)
    assert array.dtype == np.int64
    np.testing.assert_array_equal(array, [1, 2, 3])


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16])
def test_quantization_rounds_half_to_even_and_saturates(dtype: Any) -> None:
    _, rewriter = float_graph()
    x = np.array([0.5, 1.5, 2.5, -0.5, 1e9, -1e9], np.float32)
    quantized = rewriter.op.make("QuantizeLinear", x, np.float32(1), np.array(0, dtype))
    array = folded(quantized)
    info = np.iinfo(dtype)
    low = max(info.min, 0)
    np.testing.assert_array_equal(array, [0, 2, 2, low, info.max, info.min])


def test_an_op_without_a_reference_falls_back_to_onnx() -> None:
    _, rewriter = float_graph()
    hardmax = rewriter.op.make("Hardmax", np.array([[1.0, 3.0]], np.float32))
    array = folded(hardmax)
    np.testing.assert_array_equal(array, [[0, 1]])


def test_an_unknown_op_has_no_reference() -> None:
    with pytest.raises(ValueError, match="op vendor::Magic has no reference"):
        evaluate_op(Op("vendor::Magic", result_types=[None]), [])
