"""Near misses: examples of a pattern in which one attribute or one constant is otherwise.

What a sampler draws for a pattern is what fits together, so a condition that asks whether it does is hardly
ever what turns a match down. A twist draws one attribute or one constant of an op again while all else stays.
Then one condition alone stands between the rule and a wrong rewrite. The near miss as the telling example is
from Winston, "Learning Structural Descriptions from Examples" (1970).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from y10c.ir.attrs import Attrs
from y10c.ir.tensor import Array
from y10c.ir.types import DType
from y10c.ir.value import Op, Value
from y10c.ops.registry import get_spec
from y10c.ops.sample import LEFT_OUT, Draw, Given, NoInstance, Open, OpInstance, Request, Slot, need
from y10c.rewrite.rewriter import Rewriter
from y10c.testing.draw import draw_instance
from y10c.testing.exact import ExactTensor
from y10c.testing.invert import Example

RARITY = 4
"""One example in so many is twisted."""


def may_twist(draw: Draw, example: Example) -> bool:
    """Twist one example in a few; gives whether it did.

    Raises:
        NoInstance: There is nothing else to draw.
        BuildError: What reads the result is not valid any more.
    """
    if draw.integer(0, RARITY - 1, "twist") < RARITY - 1:
        return False
    ops = [op for op in (example.root, *example.inner) if _constants(op) or get_spec(op.name).attrs]
    if not ops:
        return False
    op = draw.choice(ops, "twisted op")
    if _constants(op) and (not get_spec(op.name).attrs or draw.boolean("twist a constant")):
        _twist_constant(draw, example, op, draw.choice(_constants(op), "twisted constant"))
    else:
        _twist_attribute(draw, op)
    example.infer_again()
    return True


def _constants(op: Op) -> list[int]:
    return [i for i, v in enumerate(op.operands) if v is not None and v.is_constant]


def _twist_attribute(draw: Draw, op: Op) -> None:
    """Draw one attribute again, or all of them, on the same operands."""
    names = sorted(get_spec(op.name).attrs)
    kept = {name: op.attrs.get(name) for name in names}
    if not draw.boolean("all attributes"):
        del kept[draw.choice(names, "twisted attribute")]
    else:
        kept.clear()
    drawn = _drawn(draw, op, tuple(map(_given, op.operands)), kept)
    need(dict(drawn.attrs) != dict(op.attrs), "another attribute")
    op.attrs = Attrs(dict(drawn.attrs))


def _drawn(draw: Draw, op: Op, slots: tuple[Slot, ...], attrs: Mapping[str, object]) -> OpInstance:
    request = Request(slots, attrs, results=len(op.results), exact=True)
    drawn = draw_instance(draw, op.name, request)
    need(drawn.results == len(op.results), "as many results")
    return drawn


def _given(value: Value | None) -> Slot:
    if value is None:
        return LEFT_OUT
    return Given(value.tensor_type, value.numpy() if value.is_constant else None)


def _twist_constant(draw: Draw, example: Example, op: Op, index: int) -> None:
    """Draw a constant again, or one of its numbers, for this op or for all that read it."""
    old = op.operands[index]
    assert old is not None
    new = _new_constant(draw, example, op, index)
    for other in (example.root, *example.inner) if draw.boolean("for all") else (op,):
        for place, value in enumerate(other.operands):
            if value is old:
                Rewriter(example.graph).set_operand(other, place, new)


def _new_constant(draw: Draw, example: Example, op: Op, index: int) -> Value:
    old = op.operands[index]
    assert old is not None
    slots: list[Slot] = [*map(_given, op.operands)]
    slots[index] = Open(frozenset({old.tensor_type.dtype}), single=draw.boolean("single"))
    operands = _drawn(draw, op, tuple(slots), dict(op.attrs)).operands
    drawn = operands[index] if index < len(operands) else None
    if drawn is None:
        raise NoInstance("the operand is left out")
    if drawn.data is not None:
        return Rewriter(example.graph).const(drawn.data)
    same = draw.boolean("one number")
    array = _other_number(draw, old.numpy()) if same else draw.array(drawn.type, drawn.domain)
    if drawn.dtype is DType.f32:
        return example.graph.constant(ExactTensor(array.astype(np.float64)))
    return Rewriter(example.graph).const(array)


def _other_number(draw: Draw, array: Array) -> Array:
    need(array.size > 0 and array.dtype.kind == "f", "a number to change")
    other = np.array(array)
    at = draw.integer(0, array.size - 1, "element")
    other.reshape(-1)[at] += draw.choice((1, -1, 2), "difference")
    return other
