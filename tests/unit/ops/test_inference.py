"""Local type inference with named and unknown extents, against onnx's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from y10c.errors import VerifyError
from y10c.ir.attrs import Attrs
from y10c.ir.graph import Graph
from y10c.ir.tensor import Tensor
from y10c.ir.types import DType, TensorType
from y10c.ir.verify import verify
from y10c.ops.infer import BuildError
from y10c.ops.onnx_schema import SchemaInference, dtype_problem
from y10c.ops.registry import declared_specs, get_spec
from y10c.ops.sample import Given, NoInstance
from y10c.ops.shapes import broadcast
from y10c.ops.spec import Inputs
from y10c.rewrite.rewriter import Rewriter
from y10c.testing.draw import HypothesisDraw, draw_instance

LOCAL = [s.name for s in declared_specs() if not isinstance(s.infer, SchemaInference) and "." not in s.name]
FEW = settings(
    max_examples=15,
    deadline=None,
    database=None,
    derandomize=True,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("name", LOCAL)
def test_named_extents_come_out_as_onnx_has_them_or_better(name: str) -> None:
    onnx_infer = SchemaInference(name)

    @FEW
    @given(st.data())
    def agree(data: st.DataObject) -> None:
        draw = HypothesisDraw(data.draw)
        try:
            instance = draw_instance(draw, name)
        except NoInstance:
            assume(False)
            raise
        inputs = inputs_with_symbols(draw, instance.operands, instance.attrs, instance.results)
        found, wanted = get_spec(name).infer(inputs), onnx_infer(inputs)
        for ours, theirs in zip(found, wanted, strict=True):
            if theirs is None:
                continue
            assert isinstance(ours, TensorType)
            assert isinstance(theirs, TensorType)
            assert ours.dtype is theirs.dtype
            if theirs.shape is None:
                continue
            assert ours.shape is not None, (inputs, theirs)
            assert len(ours.shape) == len(theirs.shape)
            for a, b in zip(ours.shape, theirs.shape, strict=True):
                assert b is None or a == b, (inputs, ours, theirs)

    agree()


def inputs_with_symbols(
    draw: HypothesisDraw, operands: tuple[Given | None, ...], attrs: Any, results: int
) -> Inputs:
    """The instance's inputs with some extents of operand 0 named or unknown."""
    types: list[TensorType | None] = [None if o is None else o.type for o in operands]
    first = operands[0]
    if first is not None and first.data is None:
        names = ("N", "M", "K", "L", "P")
        shape = [draw.choice((d, names[i], None)) for i, d in enumerate(first.shape)]
        types[0] = first.type.with_(shape=tuple(shape))
    constants = tuple(None if o is None or o.data is None else Tensor.of(o.data) for o in operands)
    return Inputs(tuple(types), constants, Attrs(dict(attrs)), results)


@pytest.mark.parametrize(
    ("shapes", "common"),
    [
        ([(2, 3), (3,)], (2, 3)),
        ([("N", 3), (1, 3)], ("N", 3)),
        ([("N", 3), (4, 1)], (4, 3)),
        ([("N",), ("M",)], (None,)),
        ([(), (2, 1)], (2, 1)),
        ([("N",), ("N",)], ("N",)),
    ],
)
def test_broadcasting(shapes: list[Any], common: Any) -> None:
    assert broadcast(*shapes) == common


def infer(name: str, *operands: Any, **attrs: Any) -> Any:
    types = [o if isinstance(o, TensorType) else Tensor.of(o).type for o in operands]
    constants = [None if isinstance(o, TensorType) else Tensor.of(o) for o in operands]
    return get_spec(name).infer(Inputs(tuple(types), tuple(constants), Attrs(attrs)))


def f32(*shape: Any) -> TensorType:
    return TensorType(DType.f32, shape)


@pytest.mark.parametrize(
    ("name", "operands", "attrs", "sentence"),
    [
        ("Add", (f32(2), f32(3)), {}, r"shapes \[2\], \[3\] cannot be broadcast together"),
        ("Add", (f32(2), TensorType(DType.i64, (2,))), {}, "different element types: f32, i64"),
        ("Conv", (f32(1, 4, 3, 3), f32(8, 3, 1, 1)), {}, "input of 4 channels, weights for 3 x 1 groups"),
        ("MatMul", (f32(2, 3), f32(4, 5)), {}, "inner extents 3 and 4 differ"),
        ("Concat", (f32(2, 3), f32(2, 4)), {"axis": 0}, "extents 3, 4 of axis 1 differ"),
        ("Reshape", (f32(2, 3), np.array([4])), {}, "6 elements cannot take the shape"),
        ("Transpose", (f32(2, 3),), {"perm": (0, 0)}, "no order of 2 axes"),
        ("Squeeze", (f32(2, 3), np.array([0])), {}, "axis 0 has extent 2, not 1"),
        ("Split", (f32(4), np.array([1, 2])), {"axis": 0}, "2 parts for 1 results"),
        ("Gather", (f32(4), np.array([1])), {"axis": 2}, "axis 2 is outside a tensor of rank 1"),
    ],
)
def test_what_does_not_fit_is_said_in_a_sentence(name: str, operands: Any, attrs: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        infer(name, *operands, **attrs)


def test_a_dynamic_batch_goes_through_a_convolution() -> None:
    (found,) = infer("Conv", f32("N", 3, 8, 8), f32(16, 3, 3, 3), pads=(1, 1, 1, 1), strides=(2, 2))
    assert found == f32("N", 16, 4, 4)


def test_element_types_that_onnx_refuses() -> None:
    assert dtype_problem("Conv", (DType.f32, DType.f32, None)) is None
    assert dtype_problem("Not", (DType.f32,)) == "operand X of Not cannot be f32"
    assert dtype_problem("Add", (DType.f32, DType.i64)) == "operand B of Add is i64, not f32"
    assert dtype_problem("y10c.SiLU", (DType.str,)) is None


def test_an_op_is_not_built_on_element_types_that_onnx_refuses() -> None:
    graph = Graph("types")
    rewriter = Rewriter(graph)
    x = graph.add_input(TensorType(DType.f32, (2,)), "x")
    with pytest.raises(BuildError, match="operand X of Not cannot be f32"):
        rewriter.op.Not(x)
    assert len(graph) == 0


def test_the_verifier_refuses_element_types_that_onnx_refuses() -> None:
    graph = Graph("types")
    x = graph.add_input(TensorType(DType.f32, (2,)), "x")
    made = Rewriter(graph).op.Not(x, _types=(TensorType(DType.bool, (2,)),))
    graph.set_outputs([made], ["y"])
    with pytest.raises(VerifyError, match="operand X of Not cannot be f32"):
        verify(graph)
