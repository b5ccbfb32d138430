"""Small ops that the rules of this folder build with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from y10c.ir.types import DType, TensorType
from y10c.ir.value import Value
from y10c.rewrite import Rewriter

FLOATS = (DType.f32, DType.f16, DType.bf16, DType.f64)


def shape_of(value: Value) -> tuple[int, ...] | None:
    """The extents of a value, or None where one is not a number."""
    kind = value.type
    return kind.static_shape if isinstance(kind, TensorType) and kind.is_static else None


def is_float(value: Value) -> bool:
    """Whether a value holds floats."""
    return isinstance(value.type, TensorType) and value.type.dtype in FLOATS


def number(rw: Rewriter, like: Value, value: float) -> Value:
    """A scalar in the element type of another value."""
    return rw.const(np.asarray(value, like.tensor_type.dtype.numpy))


def reshape(rw: Rewriter, x: Value, shape: Sequence[int]) -> Value:
    """`x` with another shape."""
    made: Value = rw.op.Reshape(x, np.asarray(shape, np.int64))
    return made


def transpose(rw: Rewriter, x: Value, *perm: int) -> Value:
    """`x` with its axes in another order."""
    made: Value = rw.op.Transpose(x, perm=perm)
    return made


def piece(rw: Rewriter, x: Value, axis: int, start: int, stop: int, step: int = 1) -> Value:
    """`x[start:stop:step]` along an axis; as ONNX has it, -1 counts from the end."""
    starts, stops, axes, steps = (np.asarray([n], np.int64) for n in (start, stop, axis, step))
    made: Value = rw.op.Slice(x, starts, stops, axes, steps)
    return made


def repeat(rw: Rewriter, x: Value, axis: int, times: int) -> Value:
    """`x` repeated along an axis of extent one."""
    shape = list(x.tensor_type.static_shape)
    shape[axis] = times
    made: Value = rw.op.Expand(x, np.asarray(shape, np.int64)) if times != 1 else x
    return made


def expand(rw: Rewriter, x: Value, shape: Sequence[int]) -> Value:
    """`x` of the same rank broadcast to a shape, axis after axis."""
    for axis, (now, wanted) in enumerate(zip(x.tensor_type.static_shape, shape, strict=True)):
        if now != wanted:
            x = repeat(rw, x, axis, wanted)
    return x


def reduce(rw: Rewriter, kind: str, x: Value, axes: Sequence[int]) -> Value:
    """A reduction that keeps its axes, one after another; a mean over H and W is one."""
    if kind == "ReduceMean" and x.tensor_type.rank == 4 and tuple(axes) == (2, 3):
        image: Value = rw.op.ReduceMean(x, np.asarray([2, 3], np.int64), keepdims=1)
        return image
    for axis in sorted(axes, reverse=True):
        x = rw.op[kind](x, np.asarray([axis], np.int64), keepdims=1)
    return x


def along_batch(rw: Rewriter, parts: Sequence[Value]) -> Value:
    """Parts put together along their first axis, by a Concat along another one."""
    shapes = [p.tensor_type.static_shape for p in parts]
    rows = [reshape(rw, p, (1, *s)) for p, s in zip(parts, shapes, strict=True)]
    joined = rw.op.Concat(*rows, axis=1)
    return reshape(rw, joined, (sum(s[0] for s in shapes), *shapes[0][1:]))


def channels(array: Any, rank: int) -> Any:
    """`[C]` as `[C, 1, ...]`, so that it broadcasts along axis 1."""
    return array.reshape(-1, *[1] * (rank - 2))
