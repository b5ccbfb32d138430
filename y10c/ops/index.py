"""Gathering, scattering and searching."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from y10c.ir.types import DType, TensorType, Type
from y10c.ops.onnx_schema import onnx_op
from y10c.ops.sample import (
    Domain,
    Draw,
    Given,
    OpInstance,
    Request,
    any_operand,
    attribute,
    keep,
    need,
)
from y10c.ops.shape import ELEMENTS, MOVES
from y10c.ops.shapes import axis_of, local, shape_of, tensors
from y10c.ops.spec import Inputs


def _infer_gather(inputs: Inputs) -> Sequence[Type | None] | None:
    types = tensors(inputs, 2)
    if types is None:
        return None
    x, where = shape_of(types[0]), shape_of(types[1])
    axis = axis_of(inputs.attrs.get("axis", 0), len(x))
    return [TensorType(types[0].dtype, (*x[:axis], *where, *x[axis + 1 :]))]


def _gather(x: Any, indices: Any, *, axis: int = 0) -> Any:
    return np.take(x, np.asarray(indices).astype(np.int64), axis)


def indices_into(extent: int) -> Domain:
    """Valid indices of an axis, negative ones included."""
    return Domain(-extent, extent - 1, 1)


def _sample_gather(draw: Draw, request: Request) -> OpInstance:
    x = any_operand(draw, request, 0, dtypes=ELEMENTS, ranks=(2, 3, 1, 4))
    rank = len(x.shape)
    need(rank >= 1, "a scalar has no elements to gather")
    axis = attribute(draw, request, "axis", (0, *range(1, rank), *range(-rank, 0)), 0)
    need(-rank <= axis < rank, "axis fits")
    given = request.given(1)
    if given is not None and given.data is not None:
        return OpInstance((x, given), {"axis": axis})
    type = given.type if given else TensorType(DType.i64, draw.shape(draw.choice((1, 0, 2), "rank")))
    data = draw.array(type, indices_into(x.shape[axis]))
    made = Given(type, data, indices_into(x.shape[axis]))
    return OpInstance((x, keep(draw, request, 1, made)), {"axis": axis})


SPECS = (
    onnx_op(
        "Gather", infer=local("Gather", _infer_gather), reference=_gather, sample=_sample_gather, traits=MOVES
    ),
)
"""The declarations of this family."""
