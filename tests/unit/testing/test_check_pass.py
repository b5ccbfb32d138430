"""`check_pass` and `assert_equivalent`: right ones pass, wrong ones are told with a counterexample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from y10c.errors import RuleCheckError
from y10c.ir import DType, Graph, TensorType
from y10c.passes.canonicalize.cse import MergeCommonSubexpressions
from y10c.passes.canonicalize.transposes import SinkTransposes
from y10c.rewrite import Rewriter, Rule, op, rule, variables
from y10c.rewrite.passes import Pass, PassContext, RulePass
from y10c.testing import VacuousRule, WrongRewrite, assert_equivalent, check_pass

x, C = variables("x C")
F32 = TensorType(DType.f32, (2, 3))


@rule(match=op.Sub(x, C))
def sub_becomes_add(rw: Rewriter, m: Any) -> Any:
    """Forgets the sign."""
    return rw.op.Add(m.x, rw.const(m.C))


@rule(match=op.Relu(op.Neg(op.Relu(x))))
def never(rw: Rewriter, m: Any) -> Any:
    """Always declines."""
    return None


@dataclass(frozen=True)
class Wrong(RulePass):
    """A pass with a wrong rule."""

    name: ClassVar[str] = "wrong"
    rules: ClassVar[Sequence[Rule]] = (sub_becomes_add,)


@dataclass(frozen=True)
class Idle(RulePass):
    """A pass that does nothing."""

    name: ClassVar[str] = "idle"
    rules: ClassVar[Sequence[Rule]] = (never,)


@dataclass(frozen=True)
class Renames(Pass):
    """A pass that is no set of rules, and renames an output."""

    name: ClassVar[str] = "renames"

    def run(self, graph: Graph, context: PassContext) -> None:
        graph.output_names = [f"{name}_renamed" for name in graph.output_names]


@pytest.mark.parametrize("checked", [SinkTransposes, MergeCommonSubexpressions()])
def test_a_right_pass_is_accepted(checked: Any) -> None:
    report = check_pass(checked, examples=15, shrink=False)
    assert report.examples >= 15


def test_a_pass_with_a_wrong_rule_is_refused() -> None:
    with pytest.raises(WrongRewrite, match=r"wrong is wrong: float64"):
        check_pass(Wrong, examples=20, shrink=False)


def test_a_pass_that_changes_the_interface_is_refused() -> None:
    with pytest.raises(WrongRewrite, match="became"):
        check_pass(Renames(), examples=5, shrink=False)


def test_a_pass_that_never_does_anything_is_vacuous() -> None:
    with pytest.raises(VacuousRule, match="idle fired on 0 of"):
        check_pass(Idle, examples=10, shrink=False)


def graph_of(factor: float, name: str = "y") -> Graph:
    graph = Graph("g")
    rewriter = Rewriter(graph)
    value = rewriter.op.Mul(graph.add_input(F32, "x"), rewriter.const(np.float32(factor)))
    graph.set_outputs([value], [name])
    return graph


def test_graphs_of_one_meaning_are_equivalent() -> None:
    doubled = Graph("g")
    value = doubled.add_input(F32, "x")
    doubled.set_outputs([Rewriter(doubled).op.Add(value, value)], ["y"])
    assert_equivalent(graph_of(2), doubled)


@pytest.mark.parametrize("factor", [2.001, 2.00001])
def test_a_small_difference_is_no_rounding(factor: float) -> None:
    with pytest.raises(RuleCheckError, match="the graphs differ: float64: output y"):
        assert_equivalent(graph_of(2), graph_of(factor))


def test_a_difference_of_one_float32_ulp_is_rounding() -> None:
    assert_equivalent(graph_of(2), graph_of(float(np.nextafter(np.float32(2), np.float32(3)))))


def test_another_name_is_another_interface() -> None:
    with pytest.raises(RuleCheckError, match="the interface changed"):
        assert_equivalent(graph_of(2), graph_of(2, "z"))


def test_given_feeds_decide() -> None:
    assert_equivalent(graph_of(2), graph_of(3), {"x": np.zeros((2, 3), np.float32)})
