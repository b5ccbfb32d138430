"""Quantize and dequantize: where the meaning of integers enters and leaves the types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from y10c.ir.tensor import Tensor
from y10c.ir.types import DType, QuantParams, TensorType, Type
from y10c.ops.conv import conv, sample_conv
from y10c.ops.onnx_schema import SchemaInference, onnx_op
from y10c.ops.sample import (
    LEFT_OUT,
    OPEN,
    POSITIVE,
    Domain,
    Draw,
    Given,
    OpInstance,
    Request,
    Sampler,
    any_operand,
    attribute,
    constant,
    keep,
    need,
    optional,
)
from y10c.ops.shapes import local
from y10c.ops.spec import Inputs, Trait

_quantize_type = SchemaInference("QuantizeLinear")


def _infer_quantize(inputs: Inputs) -> Sequence[Type | None]:
    """The integers' type, with scale and zero point in it where they are constant."""
    (found,) = _integer_type(inputs) or _quantize_type(inputs)
    scale, zero = inputs.constants[1], inputs.constants[2] if len(inputs.constants) > 2 else None
    if not isinstance(found, TensorType) or scale is None or not found.dtype.is_integer:
        return [found]
    return [found.with_(quant=quant_of(scale, zero, inputs.attrs.get("axis", 1)))]


def _integer_type(inputs: Inputs) -> Sequence[Type | None] | None:
    x, zero = inputs.types[0], inputs.types[2] if len(inputs.types) > 2 else None
    if not isinstance(x, TensorType) or not isinstance(zero, TensorType):
        return None
    return [TensorType(zero.dtype, x.shape)]


def quant_of(scale: Tensor, zero: Tensor | None, axis: Any) -> QuantParams | None:
    """The quantization that constant operands of QuantizeLinear describe; None for a blocked one."""
    if len(scale.shape) > 1:
        return None
    scales = tuple(float(s) for s in scale.numpy().reshape(-1))
    zeros = (0,) * len(scales) if zero is None else tuple(int(z) for z in zero.numpy().reshape(-1))
    return QuantParams(scales, zeros, axis=None if len(scales) == 1 else int(axis))


def _infer_dequantize(inputs: Inputs) -> Sequence[Type | None] | None:
    x, scale = inputs.types[:2]
    if not isinstance(x, TensorType) or not isinstance(scale, TensorType) or inputs.attrs.get("output_dtype"):
        return None
    return [TensorType(scale.dtype, x.shape)]


def _channels(parameter: Any, x: Any, axis: int) -> Any:
    array = np.asarray(parameter)
    if array.ndim != 1 or array.size == 1:
        return array.reshape(()) if array.size == 1 else array
    return array.reshape([-1 if i == axis % x.ndim else 1 for i in range(x.ndim)])


def _range(dtype: Any) -> tuple[int, int]:
    return DType.of(dtype).integer_range


def quantize(
    x: Any,
    scale: Any,
    zero: Any = None,
    *,
    axis: int = 1,
    output_dtype: int = 0,
    block_size: int = 0,
    **_: Any,
) -> Any:
    """Round half to even and saturate; NotImplemented for blocks and for float grids.

    Source: ONNX operator QuantizeLinear.
    """
    wanted = DType(output_dtype) if output_dtype else DType.u8
    target = wanted if zero is None else DType.of(np.asarray(zero).dtype)
    if block_size or not target.is_integer:
        return NotImplemented
    low, high = target.integer_range
    offset = 0 if zero is None else _channels(zero, x, axis).astype(np.int64)
    grid = np.rint(x / _channels(scale, x, axis)) + offset
    return np.clip(grid, low, high).astype(target.numpy)


def dequantize(
    x: Any, scale: Any, zero: Any = None, *, axis: int = 1, output_dtype: int = 0, block_size: int = 0
) -> Any:
    """`(x - zero) * scale` in the scale's type; NotImplemented for blocks and for float grids.

    Source: ONNX operator DequantizeLinear.
    """
    if block_size or not DType.of(x.dtype).is_integer:
        return NotImplemented
    offset = 0 if zero is None else _channels(zero, x, axis).astype(np.int64)
    factor = _channels(scale, x, axis)
    dtype = DType(output_dtype).numpy if output_dtype else np.asarray(scale).dtype
    return ((x.astype(np.int64) - offset) * factor).astype(dtype)


def _dynamic(x: Any) -> Any:
    """Source: ONNX operator DynamicQuantizeLinear."""
    low, high = np.minimum(x.min(), 0), np.maximum(x.max(), 0)
    scale = (high - low) / x.dtype.type(255)
    zero = np.uint8(np.clip(np.rint(-low / scale if scale else scale), 0, 255))
    return quantize(x, scale, zero), np.asarray(scale, np.float32), np.asarray(zero)


def _centered(x: Any, zero: Any, axis: int = 1) -> Any:
    return x.astype(np.int64) - (0 if zero is None else _channels(zero, x, axis).astype(np.int64))


def _requantized(total: Any, factor: Any, zero: Any) -> Any:
    low, high = _range(zero.dtype)
    grid = np.rint(total.astype(np.float32) * factor) + np.int64(zero)
    return np.clip(grid, low, high).astype(zero.dtype)


def _qlinear_conv(
    x: Any, xs: Any, xz: Any, w: Any, ws: Any, wz: Any, ys: Any, yz: Any, b: Any = None, **attrs: Any
) -> Any:
    """Exact integers, then one rounding. Source: ONNX operator QLinearConv."""
    total = conv(_centered(x, xz), _centered(w, wz, 0), None if b is None else b.astype(np.int64), **attrs)
    factor = np.asarray(xs * ws / ys, np.float32).reshape(-1, *(1,) * (x.ndim - 2))
    return _requantized(total, factor, yz)


def _qlinear_matmul(a: Any, a_s: Any, az: Any, b: Any, bs: Any, bz: Any, ys: Any, yz: Any) -> Any:
    """Exact integers, then one rounding. Source: ONNX operator QLinearMatMul."""
    left, right = _centered(a, az, a.ndim - 2), _centered(b, bz, b.ndim - 1)
    return _requantized(np.matmul(left, right), np.float32(a_s * bs / ys), yz)


def _conv_integer(x: Any, w: Any, xz: Any = None, wz: Any = None, **attrs: Any) -> Any:
    return conv(_centered(x, xz), _centered(w, wz, 0), **attrs).astype(np.int32)


JUMPS = frozenset({Trait.discontinuous})
SCALES = (0.25, 0.5, 0.125, 1.0)
"""Powers of two, so that the samples hold exact ties of rounding."""
INTEGERS = (DType.u8, DType.i8)


def scale_and_zero(
    draw: Draw, request: Request, first: int, dtype: DType, shape: tuple[int, ...] = ()
) -> tuple[Given, Given]:
    """Operands `first` and `first + 1` as constants, one number or one a channel."""
    scales = [draw.choice(SCALES, "scale") for _ in range(int(np.prod(shape, dtype=np.int64)))]
    low, high = dtype.integer_range
    zeros = [draw.integer(max(low, -3), min(high, 3), "zero point") for _ in scales]
    scale = constant(np.reshape(scales, shape), DType.f32)
    return (
        keep(draw, request, first, scale),
        keep(draw, request, first + 1, constant(np.reshape(zeros, shape), dtype)),
    )


def _sample_linear(quantizing: bool) -> Sampler:
    def sample(draw: Draw, request: Request) -> OpInstance:
        integer = request.given(2) if quantizing else request.given(0) or request.given(2)
        dtype = integer.dtype if integer else draw.choice((*INTEGERS, DType.i16), "dtype")
        floats = Domain(-40, 40, 0.125)
        if quantizing:
            x = any_operand(draw, request, 0, domain=floats)
        else:
            x = request.given(0) or keep(
                draw, request, 0, Given(TensorType(dtype, draw.shape(4)), None, _CODES)
            )
        need(x.dtype is DType.f32 if quantizing else x.dtype.is_integer, "the element type fits")
        per_channel = len(x.shape) >= 2 and request.given(1) is None and draw.boolean("per channel")
        axis = (
            attribute(draw, request, "axis", range(len(x.shape)), 1)
            if per_channel
            else request.attrs.get("axis", 1)
        )
        attrs = {"axis": axis} if per_channel or "axis" in request.attrs else {}
        if request.given(1) is not None:
            zero = optional(draw, request, 2, constant(np.zeros(request.given(1).shape), dtype))  # type: ignore[union-attr]
            return OpInstance((x, request.given(1), zero), attrs)
        shape = (x.shape[axis],) if per_channel else ()
        if request.slot(2) is LEFT_OUT:
            request = Request(request.operands[:2], request.attrs)
            return OpInstance((x, scale_and_zero(draw, request, 1, DType.u8, shape)[0]), attrs)
        return OpInstance((x, *scale_and_zero(draw, request, 1, dtype, shape)), attrs)

    return sample


_CODES = Domain(-20, 20, 1)


def _sample_dynamic(draw: Draw, request: Request) -> OpInstance:
    x = any_operand(draw, request, 0)
    need(x.dtype is DType.f32, "floats")
    # An all-zero tensor has no scale.
    return OpInstance((Given(x.type, x.data, POSITIVE),), {}, 3)


def _sample_qlinear_conv(draw: Draw, request: Request) -> OpInstance:
    need(not request.operands, "operands are drawn together")
    fixed = {k: v for k, v in request.attrs.items() if k != "auto_pad"}
    plain = sample_conv(draw, Request(attrs={**fixed, "auto_pad": None}))
    x, w, b = plain.operands
    assert x is not None
    assert w is not None
    dtype = draw.choice(INTEGERS, "dtype")
    weights = Given(w.type.with_(dtype=DType.i8), None, _CODES)
    channels = (w.shape[0],) if draw.boolean("per channel") else ()
    ws = scale_and_zero(draw, request, 4, DType.i8, channels)[0]
    # Weights are symmetric: onnxruntime refuses other zero points per channel.
    wz = constant(np.zeros(channels), DType.i8)
    bias = Given(b.type.with_(dtype=DType.i32), None, _CODES) if b else None
    xs, out = scale_and_zero(draw, request, 1, dtype), scale_and_zero(draw, request, 6, dtype)
    data = Given(x.type.with_(dtype=dtype), None, _CODES)
    bias = None if bias is None else Given(bias.type, draw.array(bias.type, _CODES))
    return OpInstance((data, *xs, weights, ws, wz, *out, bias), plain.attrs)


def _sample_qlinear_matmul(draw: Draw, request: Request) -> OpInstance:
    need(not request.operands, "operands are drawn together")
    rows, inner, columns = draw.shape(3)
    dtype = draw.choice(INTEGERS, "dtype")
    a = Given(TensorType(dtype, (rows, inner)), None, _CODES)
    b = Given(TensorType(dtype, (inner, columns)), None, _CODES)
    quant = [scale_and_zero(draw, request, i, dtype) for i in (1, 4, 6)]
    return OpInstance((a, *quant[0], b, *quant[1], *quant[2]))


def _sample_conv_integer(draw: Draw, request: Request) -> OpInstance:
    need(not request.operands, "operands are drawn together")
    plain = sample_conv(draw, Request((OPEN, OPEN, LEFT_OUT), {**request.attrs, "auto_pad": None}))
    x, w = plain.operands[:2]
    assert x is not None
    assert w is not None
    integers = [Given(g.type.with_(dtype=DType.u8), None, Domain(0, 20, 1)) for g in (x, w)]
    zeros = [constant(draw.integer(0, 3, "zero point"), DType.u8) for _ in range(draw.integer(0, 2))]
    return OpInstance((*integers, *zeros), plain.attrs)


SPECS = (
    onnx_op(
        "QuantizeLinear", infer=_infer_quantize, reference=quantize, sample=_sample_linear(True), traits=JUMPS
    ),
    onnx_op(
        "DequantizeLinear",
        infer=local("DequantizeLinear", _infer_dequantize),
        reference=dequantize,
        sample=_sample_linear(False),
    ),
    onnx_op("DynamicQuantizeLinear", reference=_dynamic, sample=_sample_dynamic, traits=JUMPS),
    onnx_op("QLinearConv", reference=_qlinear_conv, sample=_sample_qlinear_conv, traits=JUMPS),
    onnx_op("QLinearMatMul", reference=_qlinear_matmul, sample=_sample_qlinear_matmul, traits=JUMPS),
    onnx_op("ConvInteger", reference=_conv_integer, sample=_sample_conv_integer),
)
"""The declarations of this family."""
