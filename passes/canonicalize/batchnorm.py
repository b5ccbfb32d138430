"""Inference BatchNormalization is a scale and a shift for each channel, which a neighbour can take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from y10c.rewrite import Rewriter, Rule, decline, op, rule, variables
from y10c.rewrite.passes import RulePass

x, W, B = variables("x W B")
STATISTICS = GAMMA, BETA, MEAN, VAR = variables("GAMMA BETA MEAN VAR")


def scale_and_shift(m: Any) -> tuple[Any, Any]:
    """`y = x * scale + shift`, each `[C]`. Source: ONNX operator BatchNormalization; arXiv 1502.03167."""
    scale = m.GAMMA / np.sqrt(m.VAR + m.bn.epsilon)
    return scale, m.BETA - m.MEAN * scale


def one_type(m: Any) -> bool:
    """The statistics are of another type than the weights."""
    return bool(m.GAMMA.dtype == m.VAR.dtype == m.W.dtype)


@rule(
    match=op.BatchNormalization(
        op.Conv(x, W, B.optional(0), bind="conv", single_use=True), *STATISTICS, bind="bn", training_mode=0
    ),
    where=one_type,
)
def fold_bn_into_conv(rw: Rewriter, m: Any) -> Any:
    """Fold BatchNormalization into the weights and the bias of the Conv before it."""
    scale, shift = scale_and_shift(m)
    weight = m.W * scale.reshape(-1, *[1] * (m.W.ndim - 1))
    return rw.op.Conv(m.x, rw.const(weight), rw.const(m.B * scale + shift), **m.conv.attrs)


@rule(
    match=op.BatchNormalization(
        op.ConvTranspose(x, W, B.optional(0), bind="conv", single_use=True),
        *STATISTICS,
        bind="bn",
        training_mode=0,
    ),
    where=one_type,
)
def fold_bn_into_conv_transpose(rw: Rewriter, m: Any) -> Any:
    """Fold BatchNormalization into the weights `[C, M/group, ...]` and bias of a ConvTranspose before it."""
    scale, shift = scale_and_shift(m)
    group = m.conv.group
    grouped = m.W.reshape(group, -1, *m.W.shape[1:])
    weight = grouped * scale.reshape(group, 1, -1, *[1] * (m.W.ndim - 2))
    return rw.op.ConvTranspose(
        m.x, rw.const(weight.reshape(m.W.shape)), rw.const(m.B * scale + shift), **m.conv.attrs
    )


@rule(
    match=op.BatchNormalization(
        op.Gemm(x, W, B.optional(0), bind="gemm", single_use=True), *STATISTICS, bind="bn", training_mode=0
    ),
    where=one_type,
)
def fold_bn_into_gemm(rw: Rewriter, m: Any) -> Any:
    """Fold BatchNormalization into the weights and the bias of the Gemm before it."""
    scale, shift = scale_and_shift(m)
    weight = m.W * (scale.reshape(-1, 1) if m.gemm.transB else scale)
    bias = np.asarray(m.B, m.W.dtype) * m.gemm.beta * scale + shift
    return rw.op.Gemm(m.x, rw.const(weight), rw.const(bias), **{**m.gemm.attrs, "beta": 1.0})


behind = op.BatchNormalization(x, *STATISTICS, bind="bn", training_mode=0)


@rule(match=op.Conv(behind, W, B.optional(0), bind="conv"), where=one_type)
def fold_bn_into_next_conv(rw: Rewriter, m: Any) -> Any:
    """Fold BatchNormalization into the unpadded Conv behind it: a padding of zeros would not be shifted."""
    if np.any(m.conv.attrs.get("pads", 0)) or m.conv.auto_pad not in ("NOTSET", "VALID"):
        return decline("the Conv pads")
    scale, shift = scale_and_shift(m)
    per_input = (m.conv.group, 1, m.W.shape[1], *[1] * (m.W.ndim - 2))
    grouped = m.W.reshape(m.conv.group, -1, *m.W.shape[1:])
    weight = (grouped * scale.reshape(per_input)).reshape(m.W.shape)
    moved = (grouped * shift.reshape(per_input)).reshape(m.W.shape[0], -1).sum(axis=1)
    return rw.op.Conv(m.x, rw.const(weight), rw.const(m.B + moved), **m.conv.attrs)


@rule(match=op.Gemm(behind, W, B.optional(0), bind="gemm", transA=0), where=one_type)
def fold_bn_into_next_gemm(rw: Rewriter, m: Any) -> Any:
    """Fold BatchNormalization into the weights and the bias of the Gemm behind it."""
    scale, shift = scale_and_shift(m)
    weight = m.W * (scale if m.gemm.transB else scale.reshape(-1, 1))
    moved = m.W @ shift if m.gemm.transB else shift @ m.W
    bias = np.asarray(m.B, m.W.dtype) * m.gemm.beta + moved * m.gemm.alpha
    return rw.op.Gemm(m.x, rw.const(weight), rw.const(bias), **{**m.gemm.attrs, "beta": 1.0})


@dataclass(frozen=True)
class FoldBatchNorm(RulePass):
    """Fold inference BatchNormalization into the weights beside it."""

    name: ClassVar[str] = "fold-bn"
    rules: ClassVar[Sequence[Rule]] = (
        fold_bn_into_conv,
        fold_bn_into_conv_transpose,
        fold_bn_into_gemm,
        fold_bn_into_next_conv,
        fold_bn_into_next_gemm,
    )
