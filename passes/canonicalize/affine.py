"""Arithmetic with constants beside a Conv or Gemm, taken into its weights and bias."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from y10c.ir.types import DType
from y10c.passes.canonicalize.extents import dims
from y10c.rewrite import Rewriter, Rule, decline, op, rule, scalar_const, variables
from y10c.rewrite.passes import RulePass

x, W, B, C = variables("x W B C")
S = scalar_const("S")
FLOATS = (DType.f16, DType.f32, DType.f64)
conv = op.Conv(x, W, B.optional(0), bind="conv", single_use=True)
gemm = op.Gemm(x, W, B.optional(), bind="gemm", single_use=True)


def per_channel(constant: Any, channels: int, rank: int, axis: int = 1) -> Any:
    """`[M]` of a constant that broadcasts along the channels alone, or None.

    Args:
        constant: The array, as it stands in the graph.
        channels: Number of output channels M.
        rank: Rank of the tensor that it meets.
        axis: The axis of the channels.
    """
    if constant.ndim > rank:
        return None
    shape = (1,) * (rank - constant.ndim) + constant.shape
    if constant.size == 1:
        return np.broadcast_to(constant.reshape(()), (channels,))
    return constant.reshape(-1) if shape[axis] == channels == constant.size else None


@rule(match=op.Mul(conv, C))
def fold_mul_into_conv(rw: Rewriter, m: Any) -> Any:
    """Fold a factor for each channel into the Conv before it."""
    factor = per_channel(m.C, m.W.shape[0], m.W.ndim)
    if factor is None:
        return decline("the constant does not go along the channels")
    weight = m.W * factor.reshape(-1, *[1] * (m.W.ndim - 1))
    return rw.op.Conv(m.x, rw.const(weight), rw.const(m.B * factor), **m.conv.attrs)


@rule(match=op.Div(conv, C))
def fold_div_into_conv(rw: Rewriter, m: Any) -> Any:
    """Fold a divisor for each channel into the Conv before it."""
    divisor = per_channel(m.C, m.W.shape[0], m.W.ndim)
    if divisor is None or not divisor.all():
        return decline("the constant does not go along the channels, or is zero")
    weight = m.W / divisor.reshape(-1, *[1] * (m.W.ndim - 1))
    return rw.op.Conv(m.x, rw.const(weight), rw.const(m.B / divisor), **m.conv.attrs)


@rule(match=op.Add(conv, C))
def fold_add_into_conv(rw: Rewriter, m: Any) -> Any:
    """Fold a summand for each channel into the bias of the Conv before it."""
    summand = per_channel(m.C, m.W.shape[0], m.W.ndim)
    if summand is None:
        return decline("the constant does not go along the channels")
    return rw.op.Conv(m.x, rw.const(m.W), rw.const(m.B + summand), **m.conv.attrs)


@rule(match=op.Sub(conv, C))
def fold_sub_into_conv(rw: Rewriter, m: Any) -> Any:
    """Fold a subtrahend for each channel into the bias of the Conv before it."""
    subtrahend = per_channel(m.C, m.W.shape[0], m.W.ndim)
    if subtrahend is None:
        return decline("the constant does not go along the channels")
    return rw.op.Conv(m.x, rw.const(m.W), rw.const(m.B - subtrahend), **m.conv.attrs)


@rule(match=op.Conv(op.Mul(x, S), W, B.optional(), bind="conv"))
def fold_mul_into_next_conv(rw: Rewriter, m: Any) -> Any:
    """Fold a factor into the Conv behind it; zeros that it pads with are not changed by a factor."""
    if len(dims(m.x)) != m.W.ndim:
        return decline("the constant raises the rank")
    bias = None if m.B is None else rw.const(m.B)
    return rw.op.Conv(m.x, rw.const(m.W * m.S.reshape(())), bias, **m.conv.attrs)


def columns_of(m: Any) -> int:
    """Number of columns of the result of `m.gemm`."""
    return int(m.W.shape[0] if m.gemm.transB else m.W.shape[1])


def scaled_gemm(rw: Rewriter, m: Any, factor: Any) -> Any:
    """`m.gemm` with every column times its factor."""
    weight = m.W * (factor.reshape(-1, 1) if m.gemm.transB else factor)
    bias = None if m.B is None else rw.const(m.B * factor)
    return rw.op.Gemm(m.x, rw.const(weight), bias, **m.gemm.attrs)


def shifted_gemm(rw: Rewriter, m: Any, summand: Any) -> Any:
    """`m.gemm` with a summand for each column."""
    bias = summand if m.B is None else m.B * m.gemm.beta + summand
    return rw.op.Gemm(m.x, rw.const(m.W), rw.const(bias), **{**m.gemm.attrs, "beta": 1.0})


@rule(match=op.Mul(gemm, C))
def fold_mul_into_gemm(rw: Rewriter, m: Any) -> Any:
    """Fold a factor for each column into the weights and the bias of the Gemm before it."""
    factor = per_channel(m.C, columns_of(m), 2)
    return (
        decline("the constant is not one for each column") if factor is None else scaled_gemm(rw, m, factor)
    )


@rule(match=op.Div(gemm, C))
def fold_div_into_gemm(rw: Rewriter, m: Any) -> Any:
    """Fold a divisor for each column into the weights and the bias of the Gemm before it."""
    divisor = per_channel(m.C, columns_of(m), 2)
    if divisor is None or not divisor.all():
        return decline("the constant is not one for each column, or zero")
    return scaled_gemm(rw, m, 1 / divisor)


@rule(match=op.Add(gemm, C))
def fold_add_into_gemm(rw: Rewriter, m: Any) -> Any:
    """Fold a summand for each column into the bias of the Gemm before it."""
    summand = per_channel(m.C, columns_of(m), 2)
    return (
        decline("the constant is not one for each column")
        if summand is None
        else shifted_gemm(rw, m, summand)
    )


@rule(match=op.Sub(gemm, C))
def fold_sub_into_gemm(rw: Rewriter, m: Any) -> Any:
    """Fold a subtrahend for each column into the bias of the Gemm before it."""
    summand = per_channel(m.C, columns_of(m), 2)
    return (
        decline("the constant is not one for each column")
        if summand is None
        else shifted_gemm(rw, m, -summand)
    )


@rule(match=op.Add(op.MatMul(x.ranked(2).of(*FLOATS), W.ranked(2), single_use=True), C))
def matmul_add_to_gemm(rw: Rewriter, m: Any) -> Any:
    """A MatMul of matrices and the Add of a bias are a Gemm."""
    bias = per_channel(m.C, m.W.shape[1], 2)
    if bias is None:
        return decline("the constant is no bias of a matrix product")
    return rw.op.Gemm(m.x, rw.const(m.W), rw.const(bias))


@dataclass(frozen=True)
class FoldAffine(RulePass):
    """Fold arithmetic with constants into the weights and biases beside it."""

    name: ClassVar[str] = "fold-affine"
    rules: ClassVar[Sequence[Rule]] = (
        fold_mul_into_conv,
        fold_div_into_conv,
        fold_add_into_conv,
        fold_sub_into_conv,
        fold_mul_into_next_conv,
        fold_mul_into_gemm,
        fold_div_into_gemm,
        fold_add_into_gemm,
        fold_sub_into_gemm,
        matmul_add_to_gemm,
    )
