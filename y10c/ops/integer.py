"""What a unit of an integer chip gives for the integers that it reads: the reference of QDQ models.

A unit is an op between DequantizeLinear and QuantizeLinear. Products accumulate exactly, bias included, and
are rounded once, with one float32 factor a channel. Accumulators of 8-bit factors are int32 and wrap; where
a factor has 16 bits they are wide enough here, for nothing published says what a chip does with such sums.
Everything else is the op's own reference in double on the exact reals that the integers stand for, rounded
once. Rounding is half to even, then saturation.
Source: ONNX operators QLinearConv, QLinearMatMul and QuantizeLinear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from y10c.ir.types import DType
from y10c.ir.value import Op
from y10c.ops.reference import evaluate_op

Array = NDArray[Any]

PRODUCTS = frozenset({"Conv", "ConvTranspose", "MatMul", "Gemm"})


@dataclass(frozen=True)
class Grid:
    """The integers of a tensor.

    Args:
        dtype: Their type.
        scale: float32, one number or one a channel.
        zero: The integer that means 0, of the shape of `scale`.
        axis: Axis of the channels; None for one scale.
    """

    dtype: DType
    scale: Array
    zero: Array
    axis: int | None = None

    def along(self, values: Array, rank: int) -> Array:
        """One number a channel, shaped to broadcast over a tensor; one number stays one."""
        if values.size == 1 or self.axis is None:
            return values.reshape(())
        return values.reshape([-1 if i == self.axis % rank else 1 for i in range(rank)])

    def quantize(self, real: Array) -> Array:
        """Integers nearest to doubles, half to even, saturated."""
        low, high = self.dtype.integer_range
        scale = self.along(self.scale.astype(np.float64), real.ndim)
        steps = np.rint(real / scale) + self.along(self.zero.astype(np.float64), real.ndim)
        codes: Array = np.clip(steps, low, high).astype(self.dtype.numpy)
        return codes


@dataclass(frozen=True)
class Integers:
    """A tensor of integers and what they mean."""

    codes: Array
    grid: Grid

    @property
    def centred(self) -> Array:
        """The integers without their zero point, as doubles: exact up to 2^53."""
        zero = self.grid.along(self.grid.zero.astype(np.float64), self.codes.ndim)
        return np.asarray(self.codes.astype(np.float64) - zero)

    @property
    def real(self) -> Array:
        """The reals that the integers stand for, in doubles."""
        scale = self.grid.along(self.grid.scale.astype(np.float64), self.codes.ndim)
        return np.asarray(self.centred * scale)


Operand = Integers | Array | None
"""What a unit reads: integers, a constant that stays as it is (a shape, an axis), or nothing."""


def run_unit(op: Op, operands: Sequence[Operand], grids: Sequence[Grid]) -> tuple[Array, ...]:
    """The integers that a unit gives.

    Args:
        op: The float op between the pairs.
        operands: One an operand of the op.
        grids: Of its results.

    Raises:
        ValueError: The op has no reference.
    """
    if op.name in PRODUCTS:
        total = accumulated(op, operands)
        if total is not None:
            return (requantized(total, _factor(op, operands, grids[0], total.ndim), grids[0]),)
    reals = evaluate_op(op, [_real(operand) for operand in operands])
    return tuple(grid.quantize(np.asarray(real)) for real, grid in zip(reals, grids, strict=True))


def accumulated(op: Op, operands: Sequence[Operand]) -> Array | None:
    """The accumulators of a product, bias included: int32 for factors of 8 bits, int64 for wider ones.

    None where the product is not one of integers alone: a float operand, factors of a Gemm, a bias on
    another grid than the accumulator's.
    """
    factors = operands[:2]
    if not all(isinstance(o, Integers) for o in factors) or _scaled_gemm(op):
        return None
    bias = operands[2] if len(operands) > 2 else None
    addend = _integer_bias(bias, operands)
    if bias is not None and addend is None:
        return None
    centred = [o.centred for o in factors if isinstance(o, Integers)]
    # Doubles hold these sums exactly, and BLAS multiplies them far faster than numpy multiplies integers.
    (total,) = evaluate_op(op, [*centred, *([addend] if addend is not None else [])])
    exact = np.asarray(total).astype(np.int64)
    return exact if has_wide_factor(operands) else exact.astype(np.int32)


def has_wide_factor(operands: Sequence[Operand]) -> bool:
    """Whether a product multiplies integers of more than 8 bits."""
    return any(isinstance(o, Integers) and o.grid.dtype.bits > 8 for o in operands[:2])


def requantized(total: Array, factor: Array, grid: Grid) -> Array:
    """Accumulators on a result's grid: one product in float32, half to even, saturated."""
    low, high = grid.dtype.integer_range
    steps = np.rint(total.astype(np.float32) * factor.astype(np.float32)).astype(np.float64)
    codes: Array = np.clip(steps + float(grid.zero.reshape(-1)[0]), low, high).astype(grid.dtype.numpy)
    return codes


def lookup_table(op: Op, source: Grid, result: Grid) -> Array:
    """The table of a function of one number: a result code for every source code, from the lowest on.

    Args:
        op: Reads one activation.
        source: Grid of the codes that are looked up; 256 or 65,536 of them.
        result: Grid of the result.

    Raises:
        ValueError: The op has no reference.
    """
    low, high = source.dtype.integer_range
    codes = np.arange(low, high + 1).astype(source.dtype.numpy)
    others: list[Operand] = [None if v is None else v.numpy() for v in op.operands[1:]]
    return run_unit(op, [Integers(codes, source), *others], [result])[0]


def _real(operand: Operand) -> Array | None:
    if isinstance(operand, Integers):
        return operand.real
    if operand is not None and operand.dtype.kind == "f":
        return operand.astype(np.float64)
    return operand


def _scaled_gemm(op: Op) -> bool:
    return op.name == "Gemm" and (op.attr("alpha", 1.0), op.attr("beta", 1.0)) != (1.0, 1.0)


def _integer_bias(bias: Operand, operands: Sequence[Operand]) -> Array | None:
    """A bias as integers on the accumulator's grid; None where it is none, or on another grid."""
    data, weight = operands[:2]
    if not isinstance(bias, Integers) or not isinstance(data, Integers) or not isinstance(weight, Integers):
        return None
    product = data.grid.scale.astype(np.float64) * weight.grid.scale.astype(np.float64)
    found = bias.grid.scale.astype(np.float64).reshape(-1)
    same = np.allclose(found, np.broadcast_to(product.reshape(-1), found.shape), rtol=1e-6, atol=0)
    return bias.centred if same else None


def _factor(op: Op, operands: Sequence[Operand], grid: Grid, rank: int) -> Array:
    """What an accumulator is multiplied with, float32, one number or one an output channel."""
    data, weight = operands[:2]
    assert isinstance(data, Integers)
    assert isinstance(weight, Integers)
    scales = [np.asarray(g.scale, np.float32).reshape(-1) for g in (data.grid, weight.grid, grid)]
    factor = scales[0] * scales[1] / scales[2]
    if factor.size == 1:
        return np.asarray(factor.reshape(()))
    axis = 1 if op.name in ("Conv", "ConvTranspose") else rank - 1
    return np.asarray(factor.reshape([-1 if i == axis else 1 for i in range(rank)]))
