"""Weights become int8 and biases int32, stored as integers: the file holds no float copy of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from y10c.errors import ModelError
from y10c.ir.graph import Graph
from y10c.ir.value import Op, Value
from y10c.quant.plan import QuantPlan, Weight
from y10c.quant.qparams import quantize, weight_qparams
from y10c.rewrite.passes import Pass, PassContext
from y10c.rewrite.rewriter import Rewriter

BIAS_LIMIT = 2**31 - 1
SMALLEST_PRODUCT = 1e-37
"""Products of scales below this are no normal float32."""


@dataclass(frozen=True)
class QuantizeWeights(Pass):
    """Store weights as int8 with one scale an output channel, biases as int32 with scale sx * sw."""

    name: ClassVar[str] = "quantize-weights"
    requires: ClassVar[frozenset[str]] = frozenset({"IntegerActivations"})
    establishes: ClassVar[frozenset[str]] = frozenset({"IntegerWeights"})

    def run(self, graph: Graph, context: PassContext) -> None:
        """Replace the weight and bias operands of every planned op."""
        rewriter = Rewriter(graph, context.listeners, by=self.name)
        plan: QuantPlan = context.tables[QuantPlan]
        for weight in plan.weights:
            with rewriter.before(weight.op):
                _quantize_op(rewriter, weight, plan.scheme.weight.bits)


def _quantize_op(rewriter: Rewriter, weight: Weight, bits: int) -> None:
    op, scheme = weight.op, weight.scheme
    assert scheme.weight is not None
    value = op.operands[scheme.weight]
    assert value is not None
    array = value.numpy()
    if not np.isfinite(array).all():
        raise ModelError(
            f"the weight {value.name!r} holds NaN or infinity",
            where=f'node "{op.location}"',
            help="retrain or export it again",
        )
    axis = weight_axis(op, scheme.weight_axis, array.ndim)
    scale, zero = weight_qparams(array, axis, bits)
    scale = _wide_enough(scale, op, scheme.bias)
    integers = quantize(array, scale, 0, bits=bits, axis=axis, narrow=True)
    real = _dequantized(rewriter, value, integers, scale, zero.astype(integers.dtype), axis)
    rewriter.set_operand(op, scheme.weight, real)
    if scheme.bias is not None:
        _quantize_bias(rewriter, op, scheme.bias, scale)


def weight_axis(op: Op, axis: int | None, rank: int) -> int | None:
    """The output-channel axis of an op's weight; None where no axis goes along the output channels.

    A grouped ConvTranspose has `[C, M/group, kH, kW]`: one index of axis 1 serves several outputs. A MatMul
    with a vector has no output channels, one with a stack of matrices has them in each matrix.
    """
    if op.name == "MatMul" and rank != 2:
        return None
    if op.name == "ConvTranspose" and op.attr("group", 1) != 1:
        return None
    if op.name == "Gemm":
        return 0 if op.attr("transB", 0) else 1
    return axis


def _dequantized(
    rewriter: Rewriter,
    value: Value,
    integers: NDArray[Any],
    scale: NDArray[Any],
    zero: NDArray[Any],
    axis: int | None,
) -> Value:
    if axis is None:
        scale, zero = scale.reshape(()), zero.reshape(())
    real: Value = rewriter.op.DequantizeLinear(
        rewriter.const(integers),
        rewriter.const(scale.astype(np.float32)),
        rewriter.const(zero),
        axis=axis,
        _location=f"{value.name}/dequantize" if value.name else "",
    )
    real.lineage = value.lineage
    return real


def _quantize_bias(rewriter: Rewriter, op: Op, index: int, weight_scale: NDArray[Any]) -> None:
    bias = op.operand(index)
    input_scale = _scale_of(op.operands[0])
    if bias is None or bias.tensor is None or input_scale is None:
        return
    vector = as_vector(bias.numpy(), weight_scale.size)
    if vector is None:
        return
    scale = (weight_scale.astype(np.float64) * input_scale).astype(np.float32)
    integers = np.rint(vector.astype(np.float64) / scale).clip(-BIAS_LIMIT, BIAS_LIMIT).astype(np.int32)
    axis = 0 if scale.size > 1 else None
    zero = np.zeros(scale.shape, np.int32)
    rewriter.set_operand(op, index, _dequantized(rewriter, bias, integers, scale, zero, axis))


def as_vector(bias: NDArray[Any], channels: int) -> NDArray[Any] | None:
    """A bias as one number a channel; None where it differs along other axes, as a Gemm's may."""
    if bias.size == 1 and channels > 1:
        return np.broadcast_to(bias.reshape(()), (channels,))
    along_last = bias.ndim <= 1 or bias.size == bias.shape[-1]
    return bias.reshape(-1) if along_last and (channels == 1 or bias.size == channels) else None


def _wide_enough(scale: NDArray[Any], op: Op, index: int | None) -> NDArray[Any]:
    """Weight scales large enough that the bias of each channel fits int32 with the product of the scales.

    A channel of weights near zero would otherwise lose its bias, which is all that it gives.
    """
    bias, input_scale = op.operand(index) if index is not None else None, _scale_of(op.operands[0])
    vector = as_vector(bias.numpy(), scale.size) if bias is not None and bias.is_constant else None
    if vector is None or input_scale is None or scale.size != vector.size:
        return scale
    least = np.maximum(np.abs(vector.astype(np.float64)) / BIAS_LIMIT * 2, SMALLEST_PRODUCT) / input_scale
    enough: NDArray[Any] = np.maximum(scale, least).astype(np.float32)
    return enough


def _scale_of(value: Value | None) -> float | None:
    producer = value.producer if value is not None else None
    if producer is None or producer.name != "DequantizeLinear" or producer.operands[1] is None:
        return None
    scale = producer.operands[1].numpy()
    return float(scale.reshape(())) if scale.size == 1 else None
