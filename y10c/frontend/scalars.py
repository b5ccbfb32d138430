"""Operands that ONNX wants without axes, given as tensors of one element.

Exporters write them, and onnxruntime's kernels take them where its type inference cannot see the axes.
Whatever makes the axes seen, such as folding, would then turn a model that runs into one that is refused.
"""

from __future__ import annotations

import numpy as np

from y10c.ir.graph import Graph
from y10c.ir.types import TensorType
from y10c.ir.value import Op, Value
from y10c.rewrite.rewriter import Rewriter

SCALAR_OPERANDS: dict[str, tuple[int, ...]] = {"Range": (0, 1, 2), "Clip": (1, 2), "Trilu": (1,)}
"""Operands that are scalars. Source: ONNX operators Range, Clip, Trilu."""


def make_scalars(graph: Graph) -> None:
    """Take the axes off operands that may have none, in the graph and those nested in it."""
    rewriter = Rewriter(graph, by="import")
    for op in graph.walk():
        make_scalar_operands(rewriter, op)


def make_scalar_operands(rewriter: Rewriter, op: Op) -> None:
    """Take the axes off an op's operands that may have none and have some, of one element each."""
    for index in SCALAR_OPERANDS.get(op.name, ()) if op.version is None else ():
        value = op.operand(index)
        if value is not None and _is_short_vector(value):
            with rewriter.before(op):
                rewriter.set_operand(op, index, _scalar(rewriter, value))


def _is_short_vector(value: Value) -> bool:
    shape = value.type.shape if isinstance(value.type, TensorType) else None
    return bool(shape) and all(d == 1 or not isinstance(d, int) for d in shape or ())


def _scalar(rewriter: Rewriter, value: Value) -> Value:
    if value.tensor is not None:
        return rewriter.const(value.numpy().reshape(()))
    made: Value = rewriter.op.Reshape(value, np.zeros(0, np.int64))
    return made
