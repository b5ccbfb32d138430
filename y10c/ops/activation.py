"""Activations that networks write in several ONNX nodes and a chip runs as one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from y10c.ir.types import Type
from y10c.ir.value import Op, Value
from y10c.ops.spec import Inputs, Operand, OpSpec, Trait
from y10c.rewrite.builder import OpBuilder


def same_type(inputs: Inputs) -> Sequence[Type | None]:
    """The result has the type of the first operand."""
    return [inputs.types[0]]


def _silu(x: Any) -> Any:
    return x / (1 + np.exp(-x))


def _lower_silu(build: OpBuilder, op: Op) -> list[Value]:
    x = op.operands[0]
    gate = build.Sigmoid(x, _location=f"{op.location}/Sigmoid" if op.location else "")
    return [build.Mul(x, gate, _location=op.location)]


SPECS = (
    OpSpec(
        name="y10c.SiLU",
        operands=(Operand("x"),),
        results=(Operand("y"),),
        attrs={},
        infer=same_type,
        reference=_silu,
        traits=frozenset({Trait.elementwise}),
        lower=_lower_silu,
        doc="x * sigmoid(x), as one op (arXiv 1702.03118)",
    ),
)
"""The declarations of this family."""
