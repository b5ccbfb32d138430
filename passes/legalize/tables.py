"""Functions of one number that exporters write in several nodes and canonicalization leaves so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from y10c.passes.legalize.build import FLOATS
from y10c.rewrite import Rewriter, Rule, op, rule, var
from y10c.rewrite.passes import RulePass

x = var("x").of(*FLOATS)


@rule(match=op.Mul(x, op.Tanh(op.Softplus(x))))
def recognize_mish(rw: Rewriter, m: Any) -> Any:
    """Recognize `x * tanh(softplus(x))` as Mish (arXiv 1908.08681)."""
    return rw.op.Mish(m.x)


@dataclass(frozen=True)
class RecognizeTables(RulePass):
    """Recognize functions of one number that a chip runs as one table."""

    name: ClassVar[str] = "recognize-tables"
    rules: ClassVar[Sequence[Rule]] = (recognize_mish,)
