"""Quantize and dequantize: where the meaning of integers enters and leaves the types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from y10c.ir.tensor import Tensor
from y10c.ir.types import QuantParams, TensorType, Type
from y10c.ops.onnx_schema import SchemaInference, onnx_op
from y10c.ops.spec import Inputs

_quantize_type = SchemaInference("QuantizeLinear")


def _infer_quantize(inputs: Inputs) -> Sequence[Type | None]:
    """The integers' type, with scale and zero point in it where they are constant."""
    (found,) = _quantize_type(inputs)
    scale, zero = inputs.constants[1], inputs.constants[2] if len(inputs.constants) > 2 else None
    if not isinstance(found, TensorType) or scale is None or not found.dtype.is_integer:
        return [found]
    return [found.with_(quant=quant_of(scale, zero, inputs.attrs.get("axis", 1)))]


def quant_of(scale: Tensor, zero: Tensor | None, axis: Any) -> QuantParams | None:
    """The quantization that constant operands of QuantizeLinear describe; None for a blocked one."""
    if len(scale.shape) > 1:
        return None
    scales = tuple(float(s) for s in scale.numpy().reshape(-1))
    zeros = (0,) * len(scales) if zero is None else tuple(int(z) for z in zero.numpy().reshape(-1))
    return QuantParams(scales, zeros, axis=None if len(scales) == 1 else int(axis))


def _channels(parameter: Any, x: Any, axis: int) -> Any:
    array = np.asarray(parameter)
    if array.ndim != 1 or array.size == 1:
        return array.reshape(()) if array.size == 1 else array
    return array.reshape([-1 if i == axis % x.ndim else 1 for i in range(x.ndim)])


def quantize(x: Any, scale: Any, zero: Any = None, *, axis: int = 1, **_: Any) -> Any:
    """Round half to even and saturate.

    Source: ONNX operator QuantizeLinear.
    """
    dtype = np.dtype(np.uint8) if zero is None else np.asarray(zero).dtype
    info = np.iinfo(dtype)
    offset = 0 if zero is None else _channels(zero, x, axis).astype(np.int64)
    grid = np.rint(x / _channels(scale, x, axis)) + offset
    return np.clip(grid, info.min, info.max).astype(dtype)


def dequantize(x: Any, scale: Any, zero: Any = None, *, axis: int = 1, **_: Any) -> Any:
    """`(x - zero) * scale` in the scale's type.

    Source: ONNX operator DequantizeLinear.
    """
    offset = 0 if zero is None else _channels(zero, x, axis).astype(np.int64)
    factor = _channels(scale, x, axis)
    return ((x.astype(np.int64) - offset) * factor).astype(np.asarray(scale).dtype)


SPECS = (
    onnx_op("QuantizeLinear", infer=_infer_quantize, reference=quantize),
    onnx_op("DequantizeLinear", reference=dequantize),
)
"""The declarations of this family."""
