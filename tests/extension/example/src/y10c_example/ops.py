"""An op that ONNX does not have, and how it is written in ONNX."""

from __future__ import annotations

from typing import Any

from y10c.ir.value import Op, Value
from y10c.ops.activation import same_type
from y10c.ops.elementwise import unary_sampler
from y10c.ops.spec import Operand, OpSpec, Trait
from y10c.rewrite.builder import OpBuilder


def _square(x: Any) -> Any:
    return x * x


def _lower(build: OpBuilder, op: Op) -> list[Value]:
    x = op.operands[0]
    return [build.Mul(x, x, _location=op.location)]


SPECS = (
    OpSpec(
        name="example.Square",
        operands=(Operand("x"),),
        results=(Operand("y"),),
        attrs={},
        infer=same_type,
        reference=_square,
        sample=unary_sampler(),
        traits=frozenset({Trait.elementwise}),
        lower=_lower,
        doc="x * x, as one op",
    ),
)
