"""What canonicalization leaves beside a ConvTranspose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from y10c.passes.canonicalize.affine import per_channel
from y10c.rewrite import Rewriter, Rule, decline, op, rule, variables
from y10c.rewrite.passes import RulePass

x, W, B, C = variables("x W B C")


@rule(match=op.Add(op.ConvTranspose(x, W, B.optional(0), bind="conv", single_use=True), C))
def fold_add_into_conv_transpose(rw: Rewriter, m: Any) -> Any:
    """Fold a shift for each channel into the ConvTranspose before it."""
    width = m.W.shape[1] * m.conv.group
    shift = per_channel(m.C, width, m.W.ndim)
    if shift is None or not m.x.tensor_type.dtype.is_float:
        return decline("the constant does not go along the channels alone")
    return rw.op.ConvTranspose(m.x, rw.const(m.W), rw.const(m.B + shift), **m.conv.attrs)


@dataclass(frozen=True)
class FoldShifts(RulePass):
    """Fold shifts behind a ConvTranspose into its bias, so that normalization can follow."""

    name: ClassVar[str] = "fold-shifts"
    rules: ClassVar[Sequence[Rule]] = (fold_add_into_conv_transpose,)
