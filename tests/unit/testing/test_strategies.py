"""The public strategies: whatever they draw is valid, and shrinks to something small."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from y10c.backend.exporter import export_model
from y10c.ir.types import DType, TensorType
from y10c.ir.verify import verify
from y10c.ops.reference import evaluate
from y10c.ops.sample import NONZERO, POSITIVE
from y10c.testing import Case, arrays, models, op_instances, ops, tensor_types

FEW = settings(
    max_examples=15,
    deadline=None,
    database=None,
    derandomize=True,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


@FEW
@given(tensor_types(dtypes=(DType.f32, DType.i64), max_extent=2))
def test_types_are_small_and_static(type: TensorType) -> None:
    assert type.dtype in (DType.f32, DType.i64)
    assert all(1 <= d <= 2 for d in type.static_shape)


@FEW
@given(st.data())
def test_arrays_keep_to_their_domain(data: st.DataObject) -> None:
    type = data.draw(tensor_types(max_extent=5))
    array = data.draw(arrays(type, POSITIVE))
    assert array.shape == type.static_shape
    assert array.dtype == np.float32
    assert (array > 0).all()
    assert data.draw(arrays(type, NONZERO)).all()


@FEW
@given(op_instances("Conv"))
def test_instances_hold_operands_and_attributes(instance: Any) -> None:
    x, w = instance.operands[:2]
    assert len(x.shape) == len(w.shape)
    assert x.shape[1] == w.shape[1] * instance.attrs.get("group", 1)


@FEW
@given(ops(["Conv", "Relu"]))
def test_ops_are_graphs_of_one_op(case: Case) -> None:
    (op,) = case.graph.ops
    assert op.name in ("Conv", "Relu")
    assert set(case.feeds) == {v.name for v in case.graph.inputs}


@FEW
@given(models())
def test_random_models_are_valid_and_finite_and_run_in_onnxruntime(case: Case) -> None:
    verify(case.graph)
    assert all(value.uses for value in case.graph.inputs)
    found = evaluate(case.graph, case.feeds)
    for (name, array), wanted in zip(found.items(), onnxruntime_outputs(case), strict=True):
        assert array.dtype == wanted.dtype
        assert np.isfinite(array).all()
        np.testing.assert_allclose(array, wanted, rtol=1e-3, atol=1e-3, err_msg=f"{name}\n{case.graph}")


def onnxruntime_outputs(case: Case) -> list[Any]:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    model = export_model(case.graph, opset=23)
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return list(session.run(None, case.feeds))


@pytest.mark.slow  # hypothesis shrinks a model in some hundred runs
def test_a_model_shrinks_to_the_few_ops_that_matter() -> None:
    def holds_conv_behind_relu(case: Case) -> bool:
        return any(
            op.name == "Conv" and (p := op.operands[0].producer) is not None and p.name == "Relu"  # type: ignore[union-attr]
            for op in case.graph.ops
        )

    case = find(
        models(names=("Relu", "Conv"), max_ops=4),
        holds_conv_behind_relu,
        settings=settings(max_examples=200, deadline=None, database=None, derandomize=True),
    )
    assert [op.name for op in case.graph.ops] == ["Relu", "Conv"]


def test_doubles_are_doubles_throughout() -> None:
    case = find(
        models(), lambda case: len(case.graph) > 3, settings=settings(database=None, derandomize=True)
    )
    results = evaluate(case.graph, case.feeds, DType.f64)
    assert {a.dtype for a in results.values() if a.dtype.kind == "f"} <= {np.dtype(np.float64)}
