"""Matrix products as convolutions where one side is constant, else of one rank and one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np

from y10c.ir.value import Value
from y10c.passes.canonicalize.extents import extents
from y10c.passes.legalize.build import expand, number, reshape, transpose
from y10c.passes.legalize.guard import LegalizePass
from y10c.rewrite import Rewriter, Rule, decline, op, rule, variables
from y10c.rewrite.passes import RulePass

x, y, z, W, B = variables("x y z W B")


@rule(match=op.Gemm(x, W, B.optional(), bind="gemm", transA=0))
def gemm_to_conv(rw: Rewriter, m: Any) -> Any:
    """A Gemm with a constant weight is a 1x1 Conv of one pixel."""
    shape, weight = extents(m.x), m.W if m.gemm.transB else m.W.T
    if not m.x.tensor_type.dtype.is_float:
        return decline("it is of integers")
    if m.B is not None and m.B.size > 1 and m.B.size != m.B.shape[-1]:
        return decline("the bias differs by row")
    pixel = reshape(rw, m.x, (*shape, 1, 1))
    kernel = rw.const((weight * m.gemm.alpha)[:, :, None, None])
    bias = None if m.B is None else np.broadcast_to(m.B.reshape(-1) * m.gemm.beta, weight.shape[:1])
    return reshape(rw, rw.op.Conv(pixel, kernel, bias), (shape[0], weight.shape[0]))


@rule(match=op.Gemm(x, y, z.optional(), bind="gemm"))
def gemm_to_matmul(rw: Rewriter, m: Any) -> Any:
    """A Gemm of computed tensors is a MatMul, scaled and shifted."""
    if not m.x.tensor_type.dtype.is_float:
        return decline("it is of integers")
    left = transpose(rw, m.x, 1, 0) if m.gemm.transA else m.x
    right = transpose(rw, m.y, 1, 0) if m.gemm.transB else m.y
    value = rw.op.MatMul(left, right)
    if m.gemm.alpha != 1:
        value = rw.op.Mul(value, number(rw, value, m.gemm.alpha))
    if m.z is None:
        return value
    return rw.op.Add(value, m.z if m.gemm.beta == 1 else _scaled(rw, m.z, m.gemm.beta))


def _scaled(rw: Rewriter, shift: Value, beta: float) -> Value:
    if shift.is_constant:
        array = shift.numpy()
        return rw.const((array * beta).astype(array.dtype))
    made: Value = rw.op.Mul(shift, number(rw, shift, beta))
    return made


@rule(match=op.MatMul(x, W.ranked(2)))
def matmul_to_conv(rw: Rewriter, m: Any) -> Any:
    """A MatMul with a constant matrix is a 1x1 Conv over the rows."""
    shape = extents(m.x)
    if len(shape) < 2 or not m.x.tensor_type.dtype.is_float:
        return decline("it has no rows, or is of integers")
    batch, rows, inner, outer = prod(shape[:-2]), shape[-2], shape[-1], m.W.shape[1]
    turned = transpose(rw, reshape(rw, m.x, (batch, rows, inner)), 0, 2, 1)
    kernel = rw.const(m.W.T[:, :, None, None])
    image = rw.op.Conv(reshape(rw, turned, (batch, inner, 1, rows)), kernel)
    back = transpose(rw, reshape(rw, image, (batch, outer, rows)), 0, 2, 1)
    return reshape(rw, back, (*shape[:-1], outer))


@rule(match=op.MatMul(x, y))
def align_matmul_ranks(rw: Rewriter, m: Any) -> Any:
    """The MatMul operand of fewer dimensions gets ones in front."""
    a, b = extents(m.x), extents(m.y)
    if len(a) == len(b) or min(len(a), len(b)) < 2:
        return decline("the ranks agree, or a vector is multiplied")
    rank = max(len(a), len(b))
    left, right = (
        v if len(s) == rank else reshape(rw, v, (1,) * (rank - len(s)) + s) for v, s in ((m.x, a), (m.y, b))
    )
    return rw.op.MatMul(left, right)


@rule(match=op.MatMul(x.ranked(4, 5), y.ranked(4, 5)))
def expand_matmul_batch(rw: Rewriter, m: Any) -> Any:
    """MatMul operands whose batches broadcast partly are expanded to one batch."""
    a, b = extents(m.x), extents(m.y)
    if len(a) != len(b) or a[:-2] == b[:-2]:
        return decline("the batches agree, or the ranks do not")
    batch = np.broadcast_shapes(a[:-2], b[:-2])
    left, right = (expand(rw, v, (*batch, *s[-2:])) for v, s in ((m.x, a), (m.y, b)))
    return rw.op.MatMul(left, right)


@dataclass(frozen=True)
class GemmToConv(RulePass):
    """Write every Gemm with constant weights as the 1x1 Conv that chips run it as (published: S11)."""

    name: ClassVar[str] = "gemm-to-conv"
    rules: ClassVar[Sequence[Rule]] = (gemm_to_conv,)


@dataclass(frozen=True)
class LegalizeProducts(LegalizePass):
    """Write matrix products as convolutions, or with operands of one rank and batch."""

    name: ClassVar[str] = "legalize-products"
    rules: ClassVar[Sequence[Rule]] = (
        gemm_to_matmul,
        matmul_to_conv,
        align_matmul_ranks,
        expand_matmul_batch,
    )
