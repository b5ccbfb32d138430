"""Another batch for a graph that was made for a batch of one."""

from __future__ import annotations

import numpy as np

from y10c.errors import ModelError
from y10c.ir.types import TensorType
from y10c.ir.value import Op, Value
from y10c.ops.infer import BuildError, infer_types
from y10c.rewrite.rewriter import Rewriter

SHAPE_OPERAND = {"Reshape": 1, "Expand": 1, "ConstantOfShape": 0}
"""Ops with a constant shape that may hold the batch, and where it stands."""


def set_batch(rewriter: Rewriter, batch: int) -> None:
    """Make a graph compute so many images at once.

    The first extent of every input becomes `batch`, constant shapes that begin with 1 follow, and all types
    are inferred anew.

    Raises:
        ModelError: An op does not follow, or an output does not hold one result an image.
    """
    if batch == 1:
        return
    graph = rewriter.graph
    for value in graph.inputs:
        _widen(rewriter, value, batch)
    for op in list(graph.ops):
        _follow(rewriter, op, batch)
    for name, value in zip(graph.output_names, graph.outputs, strict=True):
        if not value.tensor_type.shape or value.tensor_type.shape[0] != batch:
            raise _unfit(f"output {name!r} of {value.type} does not hold a batch of {batch}")


def _widen(rewriter: Rewriter, value: Value, batch: int) -> None:
    shape = value.tensor_type.shape
    if not shape or shape[0] != 1:
        raise _unfit(f"the first extent of input {value.name!r}, {value.type}, is not 1")
    rewriter.set_type(value, value.tensor_type.with_(shape=(batch, *shape[1:])))


def _follow(rewriter: Rewriter, op: Op, batch: int) -> None:
    index = SHAPE_OPERAND.get(op.name)
    wanted = op.operand(index) if index is not None else None
    if wanted is not None and wanted.is_constant and op.operands and _begins_with_batch(op, batch):
        extents = wanted.numpy()
        if extents.size and extents.flat[0] == 1:
            changed = np.concatenate([np.array([batch]), extents[1:]]).astype(extents.dtype)
            rewriter.set_operand(op, index or 0, rewriter.const(changed))
    _resized(rewriter, op, batch)
    retype(rewriter, op)


def _begins_with_batch(op: Op, batch: int) -> bool:
    value = op.operands[0]
    return value is not None and isinstance(value.type, TensorType) and (value.shape or (0,))[0] == batch


def _resized(rewriter: Rewriter, op: Op, batch: int) -> None:
    """A Resize with constant sizes holds the batch there."""
    sizes = op.operand(3) if op.name == "Resize" else None
    if sizes is not None and sizes.is_constant and not op.attr("axes", None) and sizes.numpy()[0] == 1:
        changed = np.concatenate([np.array([batch]), sizes.numpy()[1:]]).astype(np.int64)
        rewriter.set_operand(op, 3, rewriter.const(changed))


def retype(rewriter: Rewriter, op: Op) -> None:
    """Infer the types of an op's results anew.

    Raises:
        ModelError: The op does not take its operands as they are now.
    """
    if op.graphs:
        raise _unfit(f"{op.name} {op.location!r} holds a graph of its own")
    try:
        types = infer_types(op.name, op.operands, op.attrs, len(op.results), op.version)
    except BuildError as error:
        raise _unfit(f"{op.name} {op.location!r} takes only a batch of 1: {error.message}") from None
    for result, kind in zip(op.results, types, strict=True):
        rewriter.set_type(result, kind)


def _unfit(message: str) -> ModelError:
    return ModelError(message, code="Y3003", help="export the model with the batch that is wanted")
