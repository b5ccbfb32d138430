"""Weights become int8 and biases int32, stored as integers: the file holds no float copy of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from y10c import progress
from y10c.errors import ModelError
from y10c.ir.graph import Graph
from y10c.ir.value import Op, Value
from y10c.passes.observe.moments import InputMoments, Shifts
from y10c.quant.bias import absorb_shift, analytic_correction, quantize_bias
from y10c.quant.clipping import weight_clip
from y10c.quant.moments import Moments
from y10c.quant.plan import QuantPlan, Weight
from y10c.quant.qparams import dequantize, quantize, weight_qparams
from y10c.quant.rounding import round_grouped
from y10c.rewrite.passes import Pass, PassContext
from y10c.rewrite.rewriter import Rewriter

BIAS_LIMIT = 2**31 - 1
SMALLEST_PRODUCT = 1e-37
"""Products of scales below this are no normal float32."""


@dataclass(frozen=True)
class Integers:
    """A weight in integers.

    Args:
        steps: int8 or int16, the weight's shape.
        scale: One an index of `axis`, or `[1]`.
        axis: Axis of the output channels; None where there is none.
        correction: What is added to the bias, `[O]`.
    """

    steps: NDArray[Any]
    scale: NDArray[np.float32]
    axis: int | None
    correction: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class QuantizeWeights(Pass):
    """Store weights as int8 with one scale an output channel, biases as int32 with scale sx * sw.

    Args:
        clip: Clip each channel of a weight to the range of least squared error.
        bias_correction: Move biases so that the mean outputs stay; needs `InputMoments`.
    """

    name: ClassVar[str] = "quantize-weights"
    exact: ClassVar[bool] = False
    requires: ClassVar[frozenset[str]] = frozenset({"IntegerActivations"})
    establishes: ClassVar[frozenset[str]] = frozenset({"IntegerWeights"})

    clip: bool = False
    bias_correction: bool = False

    def run(self, graph: Graph, context: PassContext) -> None:
        """Replace the weight and bias operands of every planned op; round by `InputMoments` where known."""
        rewriter = Rewriter(graph, context.listeners, by=self.name)
        plan: QuantPlan = context.tables[QuantPlan]
        moments: InputMoments = context.tables.pop(InputMoments, InputMoments())
        rounded = self._rounded(plan, moments, context.tables.get(Shifts, Shifts()))
        for weight, integers in progress.track(rounded, "rounding weights", len(plan.weights)):
            with rewriter.before(weight.op):
                self._replace(rewriter, weight, integers)

    def _rounded(
        self, plan: QuantPlan, moments: InputMoments, shifts: Shifts
    ) -> Iterator[tuple[Weight, Integers]]:
        """The integers of every weight, in the plan's order; ops are worked on in threads."""

        def one(weight: Weight) -> tuple[Weight, Integers]:
            known, shift = moments.pop(weight.op, None), shifts.get(weight.op)
            return weight, self._integers(weight, plan.scheme.weight.bits, known, shift)

        # One thread of BLAS each: many small products gain nothing from more, and the bits do not depend on
        # the number of cores.
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
            yield from pool.map(one, plan.weights)

    def _integers(
        self, weight: Weight, bits: int, moments: Moments | None, shift: NDArray[np.float64] | None
    ) -> Integers:
        op, scheme = weight.op, weight.scheme
        array = finite_weight(op, _weight_of(weight))
        axis = weight_axis(op, scheme.weight_axis, array.ndim)
        clip = weight_clip(array, axis=axis, bits=bits) if self.clip and axis is not None else None
        scale = _wide_enough(weight_qparams(array, axis, bits, clip=clip)[0], op, scheme.bias)
        steps = round_weight(array, scale, axis, bits, moments)
        real = dequantize(steps, scale, axis=axis)
        correction = None
        if shift is not None:  # the bias made up for it with the weights as they were
            correction = absorb_shift(real.astype(np.float64) - array, shift)
        if self.bias_correction and moments is not None and op.name == "Conv":
            found = analytic_correction(array, real, moments.mean)
            correction = found if correction is None else correction + found
        return Integers(steps, scale, axis, correction)

    def _replace(self, rewriter: Rewriter, weight: Weight, found: Integers) -> None:
        op, scheme, value = weight.op, weight.scheme, _weight_of(weight)
        assert scheme.weight is not None
        zero = np.zeros(found.scale.shape, found.steps.dtype)
        real = _dequantized(rewriter, value, found.steps, found.scale, zero, found.axis)
        rewriter.set_operand(op, scheme.weight, real)
        if scheme.bias is not None:
            _quantize_bias(rewriter, op, scheme.bias, found.scale, found.correction)


def _weight_of(weight: Weight) -> Value:
    assert weight.scheme.weight is not None
    value = weight.op.operands[weight.scheme.weight]
    assert value is not None
    return value


def finite_weight(op: Op, value: Value) -> NDArray[Any]:
    """The data of a weight.

    Raises:
        ModelError: It holds NaN or infinity.
    """
    array = value.numpy()
    if not np.isfinite(array).all():
        raise ModelError(
            f"the weight {value.name!r} holds NaN or infinity",
            where=f'node "{op.location}"',
            help="retrain or export it again",
        )
    return array


def round_weight(
    array: NDArray[Any], scale: NDArray[Any], axis: int | None, bits: int, moments: Moments | None
) -> NDArray[Any]:
    """A weight's integers: by the moments of its inputs, or to nearest where they are not known.

    Args:
        array: The weight, any rank.
        scale: One an index of `axis`, `[C]`, or `[1]`.
        axis: Axis of the output channels; None where there is none.
        bits: Width of the narrow grid.
        moments: Of what the weight multiplies.
    """
    if moments is None or axis is None or moments.count == 0:
        return quantize(array, scale, 0, bits=bits, axis=axis, narrow=True)
    second = moments.second / moments.count
    steps = round_grouped(np.moveaxis(array, axis, 0), second, scale, bits=bits)
    return np.moveaxis(steps, 0, axis).astype(np.int8 if bits == 8 else np.int16)


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


def _quantize_bias(
    rewriter: Rewriter,
    op: Op,
    index: int,
    weight_scale: NDArray[Any],
    correction: NDArray[Any] | None,
) -> None:
    bias = op.operand(index)
    input_scale = _scale_of(op.operands[0])
    if bias is None or bias.tensor is None or input_scale is None:
        return
    vector = as_vector(bias.numpy(), weight_scale.size)
    if vector is None:
        return
    if correction is not None:
        vector = vector + correction
    integers, scale = quantize_bias(vector, input_scale, weight_scale)
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
