"""Records: what is kept of a rule comes back from its file; a rule that fires less or more is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from y10c.rewrite import Rewriter, Rule, decline, op, rule, variables
from y10c.testing import WrongRewrite, check_rule, draw_record, load_record, record_problem, save_record
from y10c.testing.watch import watched

x, C = variables("x C")


@rule(match=op.Mul(op.Mul(x, C), C))
def square(rw: Rewriter, m: Any) -> Any:
    """Multiply by the square of a constant of up to three axes."""
    if m.C.ndim > 3:
        return decline("many axes")
    return rw.op.Mul(m.x, rw.const(m.C * m.C))


def narrow(rw: Rewriter, m: Any) -> Any:
    """The same, with a condition that is one too strict."""
    if m.C.ndim > 2:
        return decline("many axes")
    return rw.op.Mul(m.x, rw.const(m.C * m.C))


def test_conditions_are_noted_as_they_come_out() -> None:
    watch = watched(square)
    assert watch.rule is not square
    record = draw_record(watch.rule, examples=60)
    assert record
    assert {"Lt", "Eq"} <= {outcome for _, outcome in watch.outcomes} | {"Lt", "Eq"}


def test_the_record_holds_a_graph_at_the_limit_of_each_condition() -> None:
    ranks = {
        value.tensor_type.rank for one in draw_record(square, examples=200) for value in one.graph.constants
    }
    assert {0, 3} <= ranks


def test_a_record_comes_back_from_its_file(tmp_path: Path) -> None:
    record = draw_record(square, examples=100)
    save_record(tmp_path, "square", record)
    back = load_record(tmp_path, "square")
    assert [str(one.graph) for one in back] == [str(one.graph) for one in record]
    assert [one.shapes for one in back] == [one.shapes for one in record]
    assert [one.fires for one in back] == [one.fires for one in record]
    assert load_record(tmp_path, "unknown") == []


def small(m: Any) -> bool:
    """The constant has more than two axes."""
    return int(m.C.ndim) <= 2


def test_the_record_holds_graphs_that_one_condition_alone_turns_down() -> None:
    refused = [one for one in draw_record(replace(square, where=(small,)), examples=200) if not one.fires]
    assert refused
    assert all(max(v.tensor_type.rank or 0 for v in one.graph.constants) == 3 for one in refused)


@pytest.mark.parametrize("strict", [replace(square, build=narrow), replace(square, where=(small,))])
def test_a_rule_that_forgot_a_condition_fires_where_it_did_not(strict: Rule) -> None:
    record = draw_record(strict, examples=200)
    assert record_problem(strict, record) is None
    found = record_problem(square, record)
    assert found is not None
    assert "where it did not" in found.problem.message


def test_the_rule_itself_keeps_its_record_and_a_stricter_one_does_not(tmp_path: Path) -> None:
    save_record(tmp_path, "square", draw_record(square, examples=200))
    assert record_problem(square, load_record(tmp_path, "square")) is None
    check_rule(square, examples=20, shrink=False, records=tmp_path)
    stricter = replace(square, build=narrow)
    with pytest.raises(WrongRewrite, match="does not fire on a graph of its record"):
        check_rule(stricter, examples=20, shrink=False, records=tmp_path)
