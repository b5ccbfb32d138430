"""A rule that is wrong: it takes SiLU for HardSwish, which is close to it, and not equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from y10c.rewrite import Rewriter, Rule, op, rule, var
from y10c.rewrite.passes import RulePass

x = var("x")


@rule(match=op.Mul(x, op.Sigmoid(x)))
def silu_becomes_hardswish(rw: Rewriter, m: Any) -> Any:
    """Take SiLU for HardSwish."""
    return rw.op.HardSwish(m.x)


@dataclass(frozen=True)
class RecognizeHardSilu(RulePass):
    """Recognize SiLU, wrongly."""

    name: ClassVar[str] = "broken-silu"
    rules: ClassVar[Sequence[Rule]] = (silu_becomes_hardswish,)
