"""x * sigmoid(x) is one function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from y10c.ir.value import Value
from y10c.rewrite import Rewriter, Rule, op, rule, var
from y10c.rewrite.passes import RulePass

x = var("x")


@rule(match=op.Mul(x, op.Sigmoid(x)))
def recognize_silu(rw: Rewriter, m: Any) -> Value:
    """Recognize `x * sigmoid(x)` as SiLU, which a chip runs as one table."""
    silu: Value = rw.op["y10c.SiLU"](m.x)
    return silu


@dataclass(frozen=True)
class RecognizeSiLU(RulePass):
    """Recognize activations that exporters write in several nodes."""

    name: ClassVar[str] = "recognize-silu"
    rules: ClassVar[Sequence[Rule]] = (recognize_silu,)
