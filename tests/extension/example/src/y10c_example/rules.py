"""A rule on its own, and a pass that is a rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from y10c.rewrite import Rewriter, Rule, op, rule, var
from y10c.rewrite.passes import RulePass

x = var("x")


@rule(match=op.Abs(op.Abs(x)), name="example-drop-double-abs")
def drop_double_abs(rw: Rewriter, m: Any) -> Any:
    """The Abs of an Abs is the Abs."""
    return rw.op.Abs(m.x)


@rule(match=op.Mul(x, x), name="example-recognize-square")
def recognize_square(rw: Rewriter, m: Any) -> Any:
    """Recognize x * x as one op."""
    return rw.op["example.Square"](m.x)


@dataclass(frozen=True)
class RecognizeSquares(RulePass):
    """Recognize squares."""

    name: ClassVar[str] = "example-squares"
    rules: ClassVar[Sequence[Rule]] = (recognize_square,)
