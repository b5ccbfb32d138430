"""SiLU in the two ops that onnxruntime has integer kernels for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from y10c.rewrite import Rewriter, op, rule, var
from y10c.rewrite.passes import RulePass

x = var("x")


@rule(match=op["y10c.SiLU"](x))
def split_silu(rw: Rewriter, m: Any) -> Any:
    """Write SiLU as `x * sigmoid(x)`: QLinearSigmoid is a table, QLinearMul a vector kernel."""
    return rw.op.Mul(m.x, rw.op.Sigmoid(m.x))


@dataclass(frozen=True)
class SplitSilu(RulePass):
    """Undo the recognition of SiLU, which onnxruntime has no integer kernel for."""

    name: ClassVar[str] = "split-silu"
    rules = (split_silu,)
