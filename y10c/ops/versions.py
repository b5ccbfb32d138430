"""What changed in ONNX's own ops between opset 7 and today, declared once and read in both directions.

The IR speaks the newest opset. The frontend moves an older op up by these declarations, the backend moves
it down again for the opset that a file is written in. A change that cannot be expressed so pins the op to
its old schema (`Op.version`).

Source: ONNX operator changelog (docs/Changelog.md of the onnx package).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from y10c.ir.types import DType

OLDEST_OPSET = 7
"""The oldest opset whose ops are moved up; an op that changed before it is pinned to its old schema."""


@dataclass(frozen=True)
class BecameOperand:
    """An attribute that became an operand.

    Args:
        ops: Op names.
        since: Opset of the change.
        attr: The attribute's name.
        index: The operand's position.
        dtype: Element type of the operand; None means that of operand 0.
        scalar: The operand is one number without axes; else a list.
        default: Attribute value that stood for "not given".
    """

    ops: tuple[str, ...]
    since: int
    attr: str
    index: int
    dtype: DType | None = DType.i64
    scalar: bool = False
    default: Any = None

    def operand_array(self, value: Any, dtype: DType) -> np.ndarray[Any, np.dtype[Any]]:
        """The attribute's value as the operand's data."""
        array = np.asarray(value, (self.dtype or dtype).numpy)
        return array.reshape(() if self.scalar else (-1,))


_REDUCTIONS = tuple(
    f"Reduce{kind}" for kind in ("Max", "Min", "Mean", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")
)

MOVES: tuple[BecameOperand, ...] = (
    BecameOperand(("Upsample",), 9, "scales", 1, DType.f32),
    BecameOperand(("Slice",), 10, "starts", 1),
    BecameOperand(("Slice",), 10, "ends", 2),
    BecameOperand(("Slice",), 10, "axes", 3),
    BecameOperand(("TopK",), 10, "k", 1),
    BecameOperand(("Clip",), 11, "min", 1, None, scalar=True, default=-3.4028234663852886e38),
    BecameOperand(("Clip",), 11, "max", 2, None, scalar=True, default=3.4028234663852886e38),
    BecameOperand(("Pad",), 11, "pads", 1),
    BecameOperand(("Pad",), 11, "value", 2, None, scalar=True, default=0.0),
    BecameOperand(("Dropout",), 12, "ratio", 1, DType.f32, scalar=True, default=0.5),
    BecameOperand(("Squeeze", "Unsqueeze", "ReduceSum"), 13, "axes", 1),
    BecameOperand(("Split",), 13, "split", 1),
    BecameOperand(_REDUCTIONS, 18, "axes", 1),
)
"""Attributes that became operands."""

DROPPED: dict[str, dict[str, int]] = {
    "BatchNormalization": {"spatial": 9},
    "Reshape": {"allowzero": 0},
}
"""Attributes of old schemas that today's op does not have, with the opset that dropped them."""

ADDED_ATTRS: dict[tuple[str, str], int] = {
    ("Split", "num_outputs"): 18,
    ("Reshape", "allowzero"): 14,
    ("BatchNormalization", "training_mode"): 14,
    ("AveragePool", "dilations"): 19,
    ("AveragePool", "ceil_mode"): 10,
    ("MaxPool", "ceil_mode"): 10,
    ("MaxPool", "dilations"): 10,
    ("Cast", "saturate"): 19,
    ("Cast", "round_mode"): 24,
    ("CastLike", "saturate"): 19,
    ("QuantizeLinear", "saturate"): 19,
    ("QuantizeLinear", "block_size"): 21,
    ("QuantizeLinear", "output_dtype"): 21,
    ("QuantizeLinear", "precision"): 23,
    ("DequantizeLinear", "block_size"): 21,
    ("DequantizeLinear", "output_dtype"): 23,
    ("QuantizeLinear", "axis"): 13,
    ("DequantizeLinear", "axis"): 13,
    ("TopK", "largest"): 11,
    ("TopK", "sorted"): 11,
    ("DepthToSpace", "mode"): 11,
    ("Resize", "antialias"): 18,
    ("Resize", "axes"): 18,
    ("Resize", "keep_aspect_ratio_policy"): 18,
    ("Shape", "start"): 15,
    ("Shape", "end"): 15,
    ("ScatterElements", "reduction"): 16,
    ("ScatterND", "reduction"): 16,
    ("ReduceSum", "noop_with_empty_axes"): 13,
    **{(op, "noop_with_empty_axes"): 18 for op in _REDUCTIONS},
}
"""Attributes that came later, with their opset; at its default such an attribute is left out below it."""

PINNED_BEFORE: dict[str, int] = {
    "Softmax": 13,
    "LogSoftmax": 13,
    "Hardmax": 13,
    "Upsample": 1000,
    "Resize": 11,
    "Scan": 9,
    "Scatter": 1000,
    "GroupNormalization": 21,
    "BatchNormalization": 9,
    "RNN": 14,
    "LSTM": 14,
    "GRU": 14,
    "Dropout": 12,
}
"""Ops whose older meaning is another one: below this opset they keep their schema version."""


def moves_for(op: str, opset: int) -> tuple[BecameOperand, ...]:
    """The attributes that op has in `opset` and that are operands today."""
    return tuple(m for m in MOVES if op in m.ops and m.since > opset)
