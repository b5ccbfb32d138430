"""What changed in ONNX's own ops between opset 7 and today, declared once and read in both directions.

The IR speaks the newest opset. The frontend moves an older op up by these declarations, the backend moves
it down again for the opset that a file is written in. A change that cannot be expressed so pins the op to
its old schema (`Op.version`).

Source: ONNX operator changelog (docs/Changelog.md of the onnx package).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from y10c.ir.types import DType
from y10c.ops.onnx_schema import find_schema

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

RENAMED_OPS: dict[str, tuple[str, int]] = {"Scatter": ("ScatterElements", 11)}
"""Ops that got another name and nothing else, with the opset of the change."""

RENAMED_VALUES: dict[tuple[str, str], tuple[int, dict[str, str]]] = {
    ("GridSample", "mode"): (20, {"bilinear": "linear", "bicubic": "cubic"}),
}
"""Attribute values that got another name: opset of the change, old name to new one."""

CHANGED_DEFAULTS: dict[tuple[str, str], tuple[int, str]] = {
    ("GridSample", "mode"): (20, "linear"),
}
"""What an absent attribute meant before the opset, in today's names, where today's default differs."""

OPTIONAL_SINCE: dict[str, int] = {"Resize": 13}
"""Ops whose operands can be left out from this opset on; before it an empty list of float32 stands there."""

NEGATIVE_AXES_SINCE = 11
"""Before this opset, axes do not count from the end."""

PINNED_BEFORE: dict[str, int] = {
    "Softmax": 13,
    "LogSoftmax": 13,
    "Hardmax": 13,
    "Upsample": 1000,
    "Resize": 11,
    "Scan": 9,
    "GroupNormalization": 21,
    "BatchNormalization": 14,
    "Dropout": 12,
    "DFT": 20,
}
"""Ops whose older meaning is another one: below this opset they keep their schema version, but for the
cases that `y10c.frontend.upgrade` knows to mean the same."""


def moves_for(op: str, opset: int) -> tuple[BecameOperand, ...]:
    """The attributes that op has in `opset` and that are operands today."""
    return tuple(m for m in MOVES if op in m.ops and m.since > opset)


@lru_cache(maxsize=4096)
def is_current(op: str, opset: int) -> bool:
    """True where ONNX's op has not changed between an opset and today."""
    then, now = find_schema(op, opset), find_schema(op)
    return then is not None and now is not None and then.since_version == now.since_version
