"""Normalizations and softmaxes by their parts: mean, square, root, exponential, sum, quotient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np

from y10c.ir.value import Value
from y10c.passes.canonicalize.extents import dims, extents
from y10c.passes.legalize.build import channels, number, reduce, reshape, transpose
from y10c.passes.legalize.guard import LegalizePass
from y10c.rewrite import Rewriter, Rule, decline, op, rule, variables

x, scale, bias, SCALE, BIAS, MEAN, VAR = variables("x scale bias SCALE BIAS MEAN VAR")


def standardized(rw: Rewriter, x: Value, axes: Sequence[int], epsilon: float) -> Value:
    """`(x - mean) / sqrt(variance + epsilon)` over axes."""
    centred = rw.op.Sub(x, reduce(rw, "ReduceMean", x, axes))
    variance = reduce(rw, "ReduceMean", rw.op.Mul(centred, centred), axes)
    made: Value = rw.op.Div(centred, rw.op.Sqrt(rw.op.Add(variance, number(rw, x, epsilon))))
    return made


@rule(match=op.LayerNormalization(x, scale, bias.optional(), bind="norm"))
def layer_norm_by_parts(rw: Rewriter, m: Any) -> Any:
    """A LayerNormalization is mean, square and root, then scale and shift."""
    shape = extents(m.x)
    axis = m.norm.axis % len(shape)
    value = rw.op.Mul(standardized(rw, m.x, range(axis, len(shape)), m.norm.epsilon), m.scale)
    return value if m.bias is None else rw.op.Add(value, m.bias)


@rule(match=op.GroupNormalization(x, SCALE, BIAS, bind="norm"))
def group_norm_by_parts(rw: Rewriter, m: Any) -> Any:
    """A GroupNormalization standardizes each group as an image, then scales and shifts channels."""
    shape = extents(m.x)
    groups = m.norm.num_groups
    grouped = reshape(rw, m.x, (shape[0], groups, shape[1] // groups, prod(shape[2:])))
    unit = reshape(rw, standardized(rw, grouped, (2, 3), m.norm.epsilon), shape)
    return _scaled(rw, unit, m.SCALE, m.BIAS)


@rule(match=op.InstanceNormalization(x, SCALE, BIAS, bind="norm"))
def instance_norm_by_parts(rw: Rewriter, m: Any) -> Any:
    """An InstanceNormalization standardizes each channel, then scales and shifts it."""
    shape = extents(m.x)
    unit = standardized(rw, m.x, tuple(range(2, len(shape))), m.norm.epsilon)
    return _scaled(rw, unit, m.SCALE, m.BIAS)


def _scaled(rw: Rewriter, x: Value, factor: Any, shift: Any) -> Value:
    rank = len(x.tensor_type.static_shape)
    scaled = rw.op.Mul(x, rw.const(channels(factor, rank)))
    made: Value = rw.op.Add(scaled, rw.const(channels(shift, rank)))
    return made


@rule(match=op.BatchNormalization(x, SCALE, BIAS, MEAN, VAR, bind="norm", training_mode=0))
def batch_norm_to_scale(rw: Rewriter, m: Any) -> Any:
    """A BatchNormalization that no convolution took in scales and shifts channels."""
    shape = extents(m.x)
    if len(shape) < 2:
        return decline("there are no channels")
    if len({v.tensor_type.dtype for v in m.root.operands}) > 1:
        return decline("statistics and data are of different types")
    factor = m.SCALE / np.sqrt(m.VAR + m.norm.epsilon)
    return _scaled(rw, m.x, factor, m.BIAS - m.MEAN * factor)


@rule(match=op.Softmax(x, bind="softmax"))
def softmax_by_parts(rw: Rewriter, m: Any) -> Any:
    """A Softmax is exponentials of differences from the greatest, divided by their sum."""
    shape = extents(m.x)
    axis = m.softmax.axis % len(shape)
    weights = rw.op.Exp(rw.op.Sub(m.x, reduce(rw, "ReduceMax", m.x, [axis])))
    return rw.op.Div(weights, reduce(rw, "ReduceSum", weights, [axis]))


@rule(match=op.LogSoftmax(x, bind="softmax"))
def log_softmax_by_parts(rw: Rewriter, m: Any) -> Any:
    """A LogSoftmax is the difference from the greatest, minus the logarithm of the summed exponentials."""
    shape = extents(m.x)
    axis = m.softmax.axis % len(shape)
    centred = rw.op.Sub(m.x, reduce(rw, "ReduceMax", m.x, [axis]))
    return rw.op.Sub(centred, rw.op.Log(reduce(rw, "ReduceSum", rw.op.Exp(centred), [axis])))


@rule(match=op.Softmax(x, bind="softmax"))
def lift_softmax(rw: Rewriter, m: Any) -> Any:
    """A Softmax of another rank is one of 4 dimensions."""
    shape = extents(m.x)
    if len(shape) == 4:
        return decline("it has 4 dimensions")
    axis = m.softmax.axis % len(shape)
    if len(shape) > 4:
        lifted: tuple[int, ...] = (1, prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :]))
        value = rw.op.Softmax(reshape(rw, m.x, lifted), axis=2)
    else:
        lifted = (1,) * (4 - len(shape)) + shape
        value = rw.op.Softmax(reshape(rw, m.x, lifted), axis=axis - len(shape))
    return reshape(rw, value, shape)


@rule(match=op.Softmax(x, bind="softmax"))
def softmax_to_last_axis(rw: Rewriter, m: Any) -> Any:
    """A Softmax along an inner axis is one along the last, between two Transposes."""
    rank = len(dims(m.x))
    if m.softmax.axis % rank == rank - 1:
        return decline("it goes along the last axis")
    axis = m.softmax.axis % rank
    perm = list(range(rank))
    perm[axis], perm[-1] = perm[-1], perm[axis]
    return transpose(rw, rw.op.Softmax(transpose(rw, m.x, *perm), axis=-1), *perm)


@dataclass(frozen=True)
class LegalizeNorms(LegalizePass):
    """Write normalizations and softmaxes by their parts, or in the form that the chip has."""

    name: ClassVar[str] = "legalize-norms"
    rules: ClassVar[Sequence[Rule]] = (
        layer_norm_by_parts,
        group_norm_by_parts,
        instance_norm_by_parts,
        batch_norm_to_scale,
        softmax_by_parts,
        log_softmax_by_parts,
        lift_softmax,
        softmax_to_last_axis,
    )
