"""Samplers keep to what is fixed, which is what inverting a pattern relies on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from y10c.ir.types import DType, TensorType
from y10c.ops.registry import declared_specs, get_spec
from y10c.ops.sample import LEFT_OUT, Given, NoInstance, Open, OpInstance, Request, Slot
from y10c.testing.draw import HypothesisDraw, draw_instance
from y10c.testing.instances import case_of

SAMPLED = [s.name for s in declared_specs() if s.sample is not None]
FEW = settings(
    max_examples=10,
    deadline=None,
    database=None,
    derandomize=True,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
IMAGE = Given(TensorType(DType.f32, (2, 4, 5, 3)))
MATRIX = Given(TensorType(DType.f32, (3, 4)))


def drawn(data: st.DataObject, name: str, request: Request | None = None) -> OpInstance:
    try:
        return draw_instance(HypothesisDraw(data.draw), name, request)
    except NoInstance:
        assume(False)
        raise


def slots_of(instance: OpInstance) -> tuple[Slot, ...]:
    return tuple(LEFT_OUT if o is None else o for o in instance.operands)


@pytest.mark.parametrize("name", SAMPLED)
def test_operands_that_are_given_are_kept(name: str) -> None:
    @FEW
    @given(st.data())
    def kept(data: st.DataObject) -> None:
        first = drawn(data, name)
        count = data.draw(st.integers(0, len(first.operands)))
        again = drawn(data, name, Request(slots_of(first)[:count], results=first.results))
        for before, after in zip(first.operands[:count], again.operands, strict=False):
            assert (before is None) == (after is None)
            assert before is None or after is None or before.type == after.type
        assert case_of(HypothesisDraw(data.draw), name, again).graph.outputs

    kept()


IMAGE_OPS = [
    "Conv",
    "ConvTranspose",
    "BatchNormalization",
    "MaxPool",
    "AveragePool",
    "Pad",
    "Resize",
    "PRelu",
]
SHAPE_OPS = [
    "Reshape",
    "Transpose",
    "Concat",
    "Split",
    "Slice",
    "Unsqueeze",
    "Flatten",
    "Gather",
    "ReduceMean",
]
ARITHMETIC = [
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Relu",
    "Sigmoid",
    "Clip",
    "Softmax",
    "LayerNormalization",
    "Identity",
]


@pytest.mark.parametrize("name", [*IMAGE_OPS, *SHAPE_OPS, *ARITHMETIC])
def test_an_image_can_be_the_first_operand(name: str) -> None:
    assert share_met(name, Request((IMAGE,))) > 0.5


@pytest.mark.parametrize("name", ["Gemm", "MatMul"])
def test_a_matrix_can_be_either_factor(name: str) -> None:
    assert share_met(name, Request((MATRIX,))) > 0.9
    assert share_met(name, Request((Open(), MATRIX))) > 0.9


@pytest.mark.parametrize(
    "name",
    ["Conv", "BatchNormalization", "Relu", "Add", "Mul", "Transpose", "Reshape", "Sub", "Div", "Sigmoid"],
)
def test_operands_can_be_derived_from_a_wanted_result(name: str) -> None:
    wanted = TensorType(DType.f32, (2, 4, 3, 5))
    x = Given(wanted) if name == "Reshape" else Open()
    share = share_met(name, Request((x,), result=wanted), wanted)
    assert share > 0.5


def share_met(name: str, request: Request, result: TensorType | None = None) -> float:
    """The share of draws that lead to an instance, each with the wanted result type."""
    met: list[bool] = []

    @FEW
    @given(st.data())
    def collect(data: st.DataObject) -> None:
        draw = HypothesisDraw(data.draw)
        try:
            instance = draw_instance(draw, name, request)
        except NoInstance:
            met.append(False)
            return
        met.append(True)
        if result is not None:
            found: Any = case_of(draw, name, instance).graph.outputs[0].type
            assert found.shape == result.shape

    collect()
    return float(np.mean(met))


@FEW
@given(st.data())
def test_wishes_for_open_operands_are_met(data: st.DataObject) -> None:
    x, single = drawn(data, "Mul", Request((IMAGE, Open(single=True)))).operands
    assert x is not None
    assert single is not None
    assert single.type.elements == 1
    (matrix,) = drawn(data, "Relu", Request((Open(ranks=frozenset({2})),))).operands
    assert matrix is not None
    assert matrix.type.rank == 2


@FEW
@given(st.data())
def test_fixed_attributes_are_kept(data: st.DataObject) -> None:
    attrs = {"kernel_shape": (1, 1), "strides": (2, 1), "group": 2, "auto_pad": None}
    instance = drawn(data, "Conv", Request((IMAGE,), attrs))
    assert {k: instance.attrs.get(k) for k in attrs} == attrs
    assert instance.operands[1] is not None
    assert instance.operands[1].shape[1:] == (2, 1, 1)


@FEW
@given(st.data())
def test_an_exact_request_has_no_further_operands(data: st.DataObject) -> None:
    instance = drawn(data, "Conv", Request((IMAGE, Open()), exact=True))
    assert all(o is None for o in instance.operands[2:])


def test_an_operand_of_a_wrong_type_gives_no_instance() -> None:
    assert share_met("Not", Request((IMAGE,))) == 0
    assert share_met("Conv", Request((MATRIX,))) == 0


def test_every_declared_op_has_a_sampler_and_there_are_many() -> None:
    assert len(SAMPLED) >= 120
    assert all(get_spec(name).sample is not None for name in SAMPLED)
