"""Twists: an example of a pattern in which one thing is otherwise, and which is valid all the same."""

from __future__ import annotations

from y10c.ir.verify import verify
from y10c.ops.infer import BuildError
from y10c.ops.reference import evaluate
from y10c.ops.sample import NoInstance
from y10c.rewrite import op, variables
from y10c.testing.draw import RandomDraw
from y10c.testing.exact import rounded
from y10c.testing.invert import Example, Inverter
from y10c.testing.twist import may_twist

x, W, PADS, PERM = variables("x W PADS PERM")
pattern = op.Transpose(op.Conv(op.Pad(x, PADS), W))


def twisted() -> list[tuple[str, str]]:
    """The text of examples before and after their twist, as far as they have one."""
    found = []
    for seed in range(400):
        draw = RandomDraw(seed)
        try:
            example: Example = Inverter(draw).example(pattern)
            before = str(rounded(example.graph))
            changed = may_twist(draw, example)
        except (NoInstance, BuildError):
            continue
        after = rounded(example.graph)
        verify(after)
        evaluate(after, example.feeds(draw))
        assert changed or str(after) == before
        if changed:
            found.append((before, str(after)))
    return found


def test_a_twist_changes_an_attribute_or_a_constant_and_leaves_a_valid_graph() -> None:
    pairs = twisted()
    assert len(pairs) > 20
    assert all(before != after for before, after in pairs)
    lines = [line for before, after in pairs for line in set(after.split("\n")) - set(before.split("\n"))]
    assert all(any(part in line for line in lines) for part in ("= const", "dilations", "perm", "mode"))
