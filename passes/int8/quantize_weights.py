"""Weights become int8 and biases int32, stored as integers: the file holds no float copy of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from y10c.ir.graph import Graph
from y10c.ir.value import Op, Value
from y10c.quant.plan import QuantPlan, Weight
from y10c.quant.qparams import quantize, weight_qparams
from y10c.rewrite.passes import Pass, PassContext
from y10c.rewrite.rewriter import Rewriter

BIAS_LIMIT = 2**31 - 1


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
    axis = weight_axis(op, scheme.weight_axis)
    scale, zero = weight_qparams(value.numpy(), axis, bits)
    integers = quantize(value.numpy(), scale, 0, bits=bits, axis=axis, narrow=True)
    real = _dequantized(rewriter, value, integers, scale, zero.astype(integers.dtype), axis)
    rewriter.set_operand(op, scheme.weight, real)
    if scheme.bias is not None:
        _quantize_bias(rewriter, op, scheme.bias, scale)


def weight_axis(op: Op, axis: int | None) -> int | None:
    """The output-channel axis of an op's weight; None where channels and groups do not line up.

    A grouped ConvTranspose has `[C, M/group, kH, kW]`: one index of axis 1 serves several outputs.
    """
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
    scale = (weight_scale.astype(np.float64) * input_scale).astype(np.float32)
    integers = np.rint(bias.numpy().astype(np.float64) / scale).clip(-BIAS_LIMIT, BIAS_LIMIT).astype(np.int32)
    axis = 0 if scale.size == bias.numpy().size else None
    zero = np.zeros(scale.shape, np.int32)
    rewriter.set_operand(op, index, _dequantized(rewriter, bias, integers, scale, zero, axis))


def _scale_of(value: Value | None) -> float | None:
    producer = value.producer if value is not None else None
    if producer is None or producer.name != "DequantizeLinear" or producer.operands[1] is None:
        return None
    scale = producer.operands[1].numpy()
    return float(scale.reshape(())) if scale.size == 1 else None
