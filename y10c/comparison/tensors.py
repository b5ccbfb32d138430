"""A tensor as its readers see it: floats, or the integers of a Q/DQ pair; for QDQ models of any maker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from y10c.cost.precision import DEQUANTIZE, QUANTIZE
from y10c.ir.graph import Graph
from y10c.ir.types import DType, TensorType
from y10c.ir.value import Op, Value
from y10c.ops.integer import Grid

PAIR = (QUANTIZE, DEQUANTIZE)
"""Of ONNX's own domain or of onnxruntime's, which has the same meaning (`com.microsoft`, 16 bits early)."""


@dataclass(frozen=True)
class IntegerGrid:
    """What the integers of a Q/DQ pair can express.

    Args:
        dtype: Type of the integers.
        scale: Size of a step; the largest one where there is one a channel.
        zero_point: The integer that means 0; of the first channel where there are several.
        low: Least real value.
        high: Greatest real value.
        axis: Axis of the channels; None for one scale.
    """

    dtype: DType
    scale: float
    zero_point: int
    low: float
    high: float
    axis: int | None = None

    @property
    def threshold(self) -> float:
        """The largest magnitude that can be expressed; of a symmetric grid, with either sign."""
        return self.high if self.symmetric else max(abs(self.low), abs(self.high))

    @property
    def symmetric(self) -> bool:
        """Whether 0 is the middle of the grid."""
        low, high = self.dtype.integer_range
        return self.zero_point == (low + high + 1) // 2

    def saturated(self, values: NDArray[Any]) -> int:
        """How many finite values lie beyond the grid by more than half a step, so that they are clipped."""
        half = self.scale / 2
        return int(np.count_nonzero((values < self.low - half) | (values > self.high + half)))


@dataclass(frozen=True)
class Seen:
    """A tensor before and behind its quantization.

    Args:
        raw: The float value as its op makes it.
        value: What readers get: the dequantized integers, or `raw` itself.
        grid: The integers; None for a float tensor or scales that are not constant.
        quantized: Whether there is a Q/DQ pair.
    """

    raw: Value
    value: Value
    grid: IntegerGrid | None = None
    quantized: bool = False


def seen(value: Value) -> Seen:
    """The quantization of a tensor, whether `value` is the float before the pair or the one behind it."""
    quantize = next((u for u in value.users if u.kind == QUANTIZE and u.operand(0) is value), None)
    if quantize is None:
        quantize = _origin(value)
    if quantize is None:
        return Seen(value, value)
    raw, real = quantize.operand(0), _dequantized(quantize)
    if raw is None or real is None:
        return Seen(value, value)
    return Seen(raw, real, grid_of(quantize), quantized=True)


def grid_of(op: Op) -> IntegerGrid | None:
    """The grid of a QuantizeLinear or DequantizeLinear; None where its parameters are computed or blocked."""
    found = parameters_of(op)
    if found is None:
        return None
    scales, zeros = (array.astype(np.float64).reshape(-1) for array in (found.scale, found.zero))
    least, greatest = found.dtype.integer_range
    low, high = ((least - zeros) * scales).min(), ((greatest - zeros) * scales).max()
    return IntegerGrid(found.dtype, float(scales.max()), int(zeros[0]), float(low), float(high), found.axis)


def parameters_of(op: Op) -> Grid | None:
    """Type, scales and zero points of a Q or DQ; None where they are computed, or one a block."""
    scale, zero, dtype = op.operand(1), op.operand(2), integer_type(op)
    if scale is None or scale.tensor is None or dtype is None or len(scale.tensor.shape) > 1:
        return None
    if zero is not None and zero.tensor is None:
        return None
    scales = scale.numpy()
    zeros = np.zeros(scales.shape, dtype.numpy) if zero is None else zero.numpy()
    return Grid(dtype, scales, zeros, int(op.attr("axis", 1)) if scales.size > 1 else None)


def integer_type(op: Op) -> DType | None:
    """The type that a QuantizeLinear makes or a DequantizeLinear reads; None for float grids."""
    integers = op.result if op.kind == QUANTIZE else op.operand(0)
    zero = op.operand(2)
    kinds = [v.type for v in (integers, zero) if v is not None and isinstance(v.type, TensorType)]
    found = kinds[0].dtype if kinds else DType.u8
    return found if found.is_integer else None


def real_values(graph: Graph) -> list[Value]:
    """The float tensors of a graph in its order, inputs first; each quantized one once, as the raw value."""
    values = [*graph.inputs, *(r for op in graph.ops if op.kind not in PAIR for r in op.results)]
    return [v for v in values if isinstance(v.type, TensorType) and v.type.dtype.is_float]


def may_fit(a: Value, b: Value) -> bool:
    """Whether two tensors can have one shape: open extents fit everything."""
    first, second = a.shape, b.shape
    if first is None or second is None:
        return True
    known = ((x, y) for x, y in zip(first, second, strict=False) if isinstance(x, int) and isinstance(y, int))
    return len(first) == len(second) and all(x == y for x, y in known)


def _origin(value: Value) -> Op | None:
    """The QuantizeLinear that a dequantized value comes from; None for constants and plain floats."""
    producer = value.producer
    if producer is None or producer.kind != DEQUANTIZE:
        return None
    integers = producer.operand(0)
    source = integers.producer if integers is not None else None
    return source if source is not None and source.kind == QUANTIZE else None


def _dequantized(quantize: Op) -> Value | None:
    readers = (u for u in quantize.result.users if u.kind == DEQUANTIZE)
    return next((reader.result for reader in readers), None)
