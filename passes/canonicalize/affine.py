"""Arithmetic with constants beside a Conv or Gemm, taken into its weights and bias."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from y10c.ir.types import DType, TensorType
from y10c.rewrite import Rewriter, Rule, decline, op, rule, scalar_const, variables
from y10c.rewrite.passes import RulePass

x, W, B, C = variables("x W B C")
S = scalar_const("S")
FLOATS = (DType.f16, DType.f32, DType.f64)
conv = op.Conv(x, W, B.optional(0), bind="conv", single_use=True)
gemm = op.Gemm(x, W, B.optional(), bind="gemm", single_use=True)


def per_channel(constant: Any, channels: int, rank: int) -> Any:
    """`[M]` of a constant that broadcasts along the channels alone, or None.

    Args:
        constant: The array, as it stands in the graph.
        channels: Number of output channels M.
        rank: Rank of the tensor that it meets.
    """
    if constant.size == 1 and constant.ndim <= rank:
        return np.broadcast_to(constant.reshape(()), (channels,))
    shape = (1,) * (rank - constant.ndim) + constant.shape
    if constant.ndim > rank or shape[1] != channels or constant.size != channels:
        return None
    return constant.reshape(-1)


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
    if divisor is not None and np.any(divisor == 0):
        return decline("a divisor is zero")
    if divisor is None:
        return decline("the constant does not go along the channels")
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


@rule(match=op.Conv(op.Mul(x, S, single_use=True), W, B.optional(), bind="conv"))
def fold_mul_into_next_conv(rw: Rewriter, m: Any) -> Any:
    """Fold a factor into the Conv behind it; zeros that it pads with are not changed by a factor."""
    if not isinstance(m.x.type, TensorType) or m.x.type.rank != m.W.ndim or m.S.ndim > m.W.ndim:
        return decline("the constant raises the rank")
    bias = None if m.B is None else rw.const(m.B)
    return rw.op.Conv(m.x, rw.const(m.W * m.S.reshape(())), bias, **m.conv.attrs)


@rule(match=op.Mul(gemm, S))
def fold_mul_into_gemm(rw: Rewriter, m: Any) -> Any:
    """Fold a factor into the weights and the bias of the Gemm before it."""
    if m.S.ndim > 2:
        return decline("the constant raises the rank")
    factor = m.S.reshape(())
    bias = None if m.B is None else rw.const(m.B * factor)
    return rw.op.Gemm(m.x, rw.const(m.W * factor), bias, **m.gemm.attrs)


@rule(match=op.Add(op.MatMul(x.ranked(2).of(*FLOATS), W.ranked(2), single_use=True), C))
def matmul_add_to_gemm(rw: Rewriter, m: Any) -> Any:
    """A MatMul of matrices and the Add of a bias are a Gemm."""
    if (
        m.C.ndim > 2
        or (m.C.ndim == 2 and m.C.shape[0] != 1)
        or m.C.shape[-1:] not in ((), (1,), (m.W.shape[1],))
    ):
        return decline("the constant is no bias of a matrix product")
    return rw.op.Gemm(m.x, rw.const(m.W), rw.const(m.C))


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
        matmul_add_to_gemm,
    )
