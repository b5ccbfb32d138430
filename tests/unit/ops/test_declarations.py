"""Every declaration against onnx and onnxruntime: the trust anchor of all tests derived from declarations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from y10c.backend.exporter import export_model
from y10c.ir.types import DType, TensorType, Type
from y10c.ops.onnx_schema import SchemaInference
from y10c.ops.reference import evaluate
from y10c.ops.registry import declared_specs, get_spec
from y10c.ops.sample import NoInstance
from y10c.ops.spec import Inputs
from y10c.testing.draw import HypothesisDraw, draw_instance
from y10c.testing.instances import Case, case_of

SAMPLED = [s.name for s in declared_specs() if s.sample is not None]
FEW = settings(
    max_examples=8,
    deadline=None,
    database=None,
    derandomize=True,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


def drawn_case(data: st.DataObject, name: str) -> Case:
    draw = HypothesisDraw(data.draw)
    try:
        return case_of(draw, name, draw_instance(draw, name))
    except NoInstance:
        assume(False)
        raise


def onnxruntime_outputs(case: Case) -> list[Any] | None:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    model = export_model(case.graph, opset=OPSETS.get(next(iter(case.graph.ops)).name, 21))
    try:
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except ort.capi.onnxruntime_pybind11_state.NotImplemented:
        return None
    return list(session.run(None, case.feeds))


OPSETS = {"RMSNormalization": 23}


def reference_evaluator_outputs(case: Case) -> list[Any]:
    from onnx.reference import ReferenceEvaluator

    return list(ReferenceEvaluator(export_model(case.graph)).run(None, case.feeds))


@pytest.mark.parametrize("name", SAMPLED)
def test_reference_agrees_with_onnxruntime(name: str) -> None:
    @FEW
    @given(st.data())
    def agree(data: st.DataObject) -> None:
        case = drawn_case(data, name)
        expected = onnxruntime_outputs(case)
        if expected is None:
            expected = reference_evaluator_outputs(case)
        found = evaluate(case.graph, case.feeds)
        for result, wanted in zip(found.values(), expected, strict=True):
            assert result.shape == wanted.shape, case.graph
            np.testing.assert_allclose(result, wanted, rtol=2e-5, atol=2e-5, err_msg=str(case.graph))
            assert result.dtype == wanted.dtype

    agree()


def at_least(found: Type | None, wanted: Type | None) -> bool:
    """Onnx says nothing of some shapes that we know; all else is equal."""
    assert isinstance(found, TensorType)
    if not isinstance(wanted, TensorType):
        return True
    return found.dtype is wanted.dtype and (wanted.shape is None or found.shape == wanted.shape)


@pytest.mark.parametrize("name", SAMPLED)
def test_inference_agrees_with_onnx_and_with_the_reference(name: str) -> None:
    onnx_infer = SchemaInference(name)

    @FEW
    @given(st.data())
    def agree(data: st.DataObject) -> None:
        case = drawn_case(data, name)
        (op,) = case.graph.ops
        inputs = Inputs(
            tuple(None if v is None else v.type for v in op.operands),
            tuple(None if v is None else v.tensor for v in op.operands),
            op.attrs,
            len(op.results),
        )
        if "." not in name:
            for found, wanted in zip(get_spec(name).infer(inputs), onnx_infer(inputs), strict=True):
                assert at_least(found, wanted), (case.graph, found, wanted)
        for array, value in zip(evaluate(case.graph, case.feeds).values(), op.results, strict=True):
            assert value.tensor_type.dtype is DType.of(array.dtype)
            if value.tensor_type.is_static:
                assert value.tensor_type.static_shape == array.shape

    agree()
