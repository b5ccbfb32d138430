"""What a target declares about quantization: which tensors take which grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from y10c.ir.types import DType, QuantParams
from y10c.quant.qparams import choose_qparams, integer_range


@dataclass(frozen=True)
class Grid:
    """A per-tensor integer grid for activations.

    Args:
        dtype: Integer type.
        symmetric: The zero point is the integer that means 0 in a signed grid.
        power_of_two: Scales are powers of two.
    """

    dtype: DType = DType.i8
    symmetric: bool = True
    power_of_two: bool = False

    def params(self, low: float, high: float) -> QuantParams:
        """The quantization whose range covers `[low, high]`."""
        scale, zero = choose_qparams(
            low, high, bits=self.dtype.bits, symmetric=self.symmetric, power_of_two=self.power_of_two
        )
        if self.dtype.name.startswith("u"):
            zero -= integer_range(self.dtype.bits)[0]
        return QuantParams((scale,), (zero,))


@dataclass(frozen=True)
class OpScheme:
    """How a target runs one op on integers.

    Args:
        data: Positions of the activation operands; empty means all.
        weight: Position of a constant weight.
        weight_axis: Its output-channel axis; None means one scale for the whole weight.
        bias: Position of a bias, int32 with the product of the scales of data and weight.
        wide_input: Activations may have 16 bits at no cost in multiply-accumulates (a table look-up, an
            elementwise op, data movement).
        keeps_scale: Results carry the operands' quantization: data is only moved or compared.
        macs: The op multiplies and accumulates.
    """

    data: tuple[int, ...] = ()
    weight: int | None = None
    weight_axis: int | None = 0
    bias: int | None = None
    wide_input: bool = False
    keeps_scale: bool = False
    macs: bool = False

    def reads_activation(self, index: int) -> bool:
        """True where operand `index` is an activation."""
        return index in self.data if self.data else True


@dataclass(frozen=True)
class QuantScheme:
    """A target's quantization: grids, and the ops it runs on integers.

    Args:
        name: For reports.
        ops: By op name; what is not listed stays float.
        activation: Grid of the tensors between ops.
        wide: Grid of edges that only wide inputs read, and of those that mixed precision chooses; None
            where the target has none.
        weight: Type of weights, symmetric with a narrow range.
        source: Where the scheme comes from.
    """

    name: str
    ops: Mapping[str, OpScheme]
    activation: Grid = Grid()
    wide: Grid | None = None
    weight: DType = DType.i8
    source: str = "assumed"

    def without_zero_points(self) -> QuantScheme:
        """The same with symmetric activations on a signed grid."""
        signed = DType.i8 if self.activation.dtype.bits == 8 else DType.i16
        return replace(self, activation=replace(self.activation, dtype=signed, symmetric=True))
