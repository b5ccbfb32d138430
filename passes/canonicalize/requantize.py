"""What happens between a DequantizeLinear and a QuantizeLinear of one scale can happen to the integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from y10c.ops.onnx_schema import dtype_problem
from y10c.rewrite import Rewriter, Rule, decline, op, rule, scalar_const, variables
from y10c.rewrite.passes import RulePass

q, p, y = variables("q p y")
SCALE, ZERO = scalar_const("SCALE"), scalar_const("ZERO")
MOVES = ("Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "MaxPool", "DepthToSpace", "SpaceToDepth")

real = op.DequantizeLinear(q, SCALE, ZERO)


@rule(match=op.QuantizeLinear(real, SCALE, ZERO))
def drop_requantize(rw: Rewriter, m: Any) -> Any:
    """Integers that are dequantized and quantized with one scale are what they were."""
    return m.q


@rule(match=op.QuantizeLinear(op.Relu(real), SCALE, ZERO))
def clip_integers(rw: Rewriter, m: Any) -> Any:
    """A Relu between one scale is a Clip of the integers at their zero point."""
    return rw.op.Clip(m.q, rw.const(m.ZERO.reshape(())))


@rule(match=op.QuantizeLinear(op.any_of(*MOVES)(real, y.optional(), bind="move"), SCALE, ZERO))
def move_integers(rw: Rewriter, m: Any) -> Any:
    """What only moves numbers between one scale moves the integers."""
    problem = dtype_problem(m.move.op.name, (m.q.tensor_type.dtype,))
    if problem is not None:
        return decline(problem)
    operands = [] if m.y is None else [m.y]
    return rw.op[m.move.op.name](m.q, *operands, **m.move.attrs)


@rule(match=op.any_of("Greater", "Less", "Equal")(real, op.DequantizeLinear(p, SCALE, ZERO), bind="compared"))
def compare_integers(rw: Rewriter, m: Any) -> Any:
    """Comparing numbers of one scale is comparing their integers."""
    return rw.op[m.compared.op.name](m.q, m.p)


@dataclass(frozen=True)
class MergeQuantization(RulePass):
    """Work on integers where DequantizeLinear and QuantizeLinear of one scale stand around it."""

    name: ClassVar[str] = "merge-quantization"
    rules: ClassVar[Sequence[Rule]] = (drop_requantize, clip_integers, move_integers, compare_integers)
