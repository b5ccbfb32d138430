"""The driver: it skips no match, wakes what a change makes possible far behind it, and scales."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from y10c.ir import DType, Graph, TensorType
from y10c.ops.infer import BuildError
from y10c.ops.sample import NoInstance
from y10c.rewrite import Listener, Rewriter, op, rewrite, rule, var
from y10c.rewrite import driver as driver_module
from y10c.rewrite.dispatch import Dispatch
from y10c.testing.check import FromPattern
from y10c.testing.draw import HypothesisDraw
from y10c.testing.registered import registered_rules

x = var("x")
TYPE = TensorType(DType.f32, (1, 4))
SOME_RULES = [one.rule for one in registered_rules()][::10]


@rule(match=op.Identity(x))
def drop_identity(rw: Rewriter, m: Any) -> Any:
    """Drop it."""
    return m.x


@rule(match=op.Neg(op.Abs(op.Tanh(op.Relu(op.Sigmoid(x))))))
def collapse(rw: Rewriter, m: Any) -> Any:
    """A pattern of five levels."""
    return rw.op.Identity(m.x)


@rule(match=op.Shape(x))
def fold_shape(rw: Rewriter, m: Any) -> Any:
    """All shapes are one constant."""
    return rw.const(np.array([1, 4], np.int64))


@pytest.mark.parametrize("found", SOME_RULES, ids=lambda one: one.name)
def test_the_dispatch_passes_over_no_match(found: Any) -> None:
    draw, dispatch = FromPattern(found), Dispatch([found])

    @settings(
        max_examples=8,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def check(data: Any) -> None:
        try:
            graph = draw(HypothesisDraw(data.draw)).graph
        except (NoInstance, BuildError):  # nothing fits what was drawn so far
            return
        for one in graph.walk():
            if found.match(one) is not None:
                assert found in list(dispatch.plausible(one))

    check()


def test_a_change_wakes_a_root_four_ops_behind_it() -> None:
    graph = Graph("g")
    rw = Rewriter(graph)
    value = rw.op.Sigmoid(graph.add_input(TYPE, "x"))
    # The Identity comes last in the queue, behind the root that waits for it to go.
    value = rw.op.Relu(value)
    between = rw.op.Identity(value)
    value = rw.op.Neg(rw.op.Abs(rw.op.Tanh(between)))
    graph.set_outputs([value], ["y"])
    stats = rewrite(graph, [collapse, drop_identity])
    assert stats.applied["collapse"] == 1
    assert len(graph) == 0


def visits(blocks: int, monkeypatch: pytest.MonkeyPatch) -> int:
    graph = Graph("g")
    rw = Rewriter(graph)
    value = graph.add_input(TYPE, "x")
    for _ in range(blocks):
        value = rw.op.Reshape(rw.op.Relu(value), rw.op.Shape(value))
    graph.set_outputs([value], ["y"])
    count, visit = [0], driver_module._Driver.visit

    def counted(self: Any, one: Any) -> None:
        count[0] += 1
        visit(self, one)

    with monkeypatch.context() as patch:
        patch.setattr(driver_module._Driver, "visit", counted)
        rewrite(graph, [fold_shape, drop_identity])
    return count[0]


def test_a_constant_that_all_blocks_read_costs_each_of_them_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert visits(200, monkeypatch) <= 2.1 * visits(100, monkeypatch)


def test_listeners_hear_of_rules_that_fire_and_of_those_that_raise() -> None:
    heard: list[tuple[str, str]] = []

    class Ear(Listener):
        def fired(self, rule: Any, root: Any) -> None:
            heard.append(("fired", rule.name))

        def raised(self, rule: Any, root: Any) -> None:
            heard.append(("raised", rule.name))

    @rule(match=op.Tanh(x))
    def broken(rw: Rewriter, m: Any) -> Any:
        """Raise after building something."""
        rw.op.Relu(m.x)
        raise ZeroDivisionError("no")

    graph = Graph("g")
    rw = Rewriter(graph)
    graph.set_outputs([rw.op.Tanh(rw.op.Identity(graph.add_input(TYPE, "x")), _location="t")], ["y"])
    with pytest.raises(ZeroDivisionError) as caught:
        rewrite(graph, [drop_identity, broken], listeners=[Ear()])
    assert heard == [("fired", "drop-identity"), ("raised", "broken")]
    assert caught.value.__notes__ == [f'raised by the rule broken ({broken.source}) at Tanh "t"']
    assert [one.name for one in graph.ops] == ["Tanh"]
