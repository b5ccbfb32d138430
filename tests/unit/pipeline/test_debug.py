"""bisect, reduce and repro on deliberately broken passes."""

from __future__ import annotations

import json
from math import log2
from pathlib import Path

import numpy as np
import pytest

from y10c.errors import DataError, UsageError
from y10c.pipeline.bisect import NothingBroken, bisect, empty_context
from y10c.pipeline.checks import Oracle, parse_check, relative_error, sqnr
from y10c.pipeline.diagnose import diagnose
from y10c.pipeline.manager import run_passes
from y10c.pipeline.reduce import reduce
from y10c.pipeline.repro import load_reproducer, replay, reproducer, save_reproducer
from y10c.pipeline.shrink import minimal, resized
from y10c.pipeline.textual import parse_pipeline
from y10c.rewrite.passes import PassContext

from . import samples

CANONICAL = parse_pipeline("drop-noops,cse")


@pytest.mark.parametrize(
    ("kinds", "check", "passes", "rule", "root", "number"),
    [
        ("nnsnsn", "differs", [samples.Wrong()], "wrong-silu", "s2", 3),
        ("nnsnsn", "sqnr=60", [*CANONICAL, samples.Wrong()], "wrong-silu", "s2", 6),
        ("nnntn", "crash", [samples.Raising(), *CANONICAL], "raising", "t3", 4),
        ("nrn", "verify", [*CANONICAL, samples.Breaking()], "breaking", "", 4),
    ],
)
def test_bisect_names_pass_rule_number_and_node_in_few_runs(
    kinds: str, check: str, passes: list, rule: str, root: str, number: int
) -> None:
    found = bisect(Oracle(parse_check(check), samples.chain(kinds)), passes)
    one = found.application
    assert (one.rule, one.root, one.number) == (rule, root, number)
    assert found.runs <= log2(found.applications) + 3
    assert passes[found.pass_index].name == found.pass_name


def test_one_rewrite_less_is_still_good() -> None:
    oracle = Oracle(parse_check("differs"), samples.chain("nsnsnssn"))
    number = bisect(oracle, [samples.Wrong()]).application.number
    for limit, broken in ((number - 1, False), (number, True)):
        context = PassContext(limit=limit)
        assert oracle.judge(lambda g, c=context: run_passes(g, [samples.Wrong()], c)).broken is broken


def test_where_nothing_is_broken_there_is_nothing_to_find() -> None:
    with pytest.raises(NothingBroken, match="nothing is broken after"):
        bisect(Oracle(parse_check("differs"), samples.chain("nn")), [samples.Wrong()])
    with pytest.raises(NothingBroken, match="nothing to reduce"):
        reduce(Oracle(parse_check("differs"), samples.chain("nn")), [samples.Wrong()])


@pytest.mark.parametrize("text", ["crush", "sqnr", "sqnr=x", "crash=1", "differs="])
def test_a_check_that_is_not_understood_says_what_is(text: str) -> None:
    with pytest.raises(UsageError, match="is not understood"):
        parse_check(text)


@pytest.mark.parametrize(
    ("check", "passes", "ops"),
    [
        ("differs", [samples.Wrong()], ["Sigmoid", "Mul"]),
        ("crash", [samples.Raising()], ["Tanh"]),
    ],
)
def test_reduce_leaves_what_the_rule_needs_and_nothing_else(check: str, passes: list, ops: list[str]) -> None:
    found = reduce(Oracle(parse_check(check), samples.chain("nrsnrtnsr")), passes)
    assert [op.name for op in found.graph.ops] == ops
    assert found.graph.inputs[0].shape == (1, 1, 1, 1)
    assert found.verdict.broken


def test_minimal_finds_a_pair_that_lies_apart() -> None:
    assert minimal(list(range(100)), lambda some: 13 in some and 77 in some) == [13, 77]


def test_equal_extents_shrink_together_or_not_at_all() -> None:
    graph = samples.chain("r")
    smaller = resized(graph, {2: 1, 4: 3})
    assert smaller is not None
    assert smaller.inputs[0].shape == (1, 1, 3, 3)
    assert smaller.outputs[0].shape == (1, 1, 3, 3)


def test_a_reproducer_holds_everything_and_replays(tmp_path: Path) -> None:
    graph = samples.chain("ns")
    oracle = Oracle(parse_check("differs"), graph)
    pipeline = "recognize-functions"
    verdict = oracle.judge(lambda g: run_passes(g, [samples.Wrong()], PassContext()))
    path = save_reproducer(reproducer(oracle, pipeline, verdict, limit=3), tmp_path / "r.json")
    found = load_reproducer(path)
    assert str(found.graph) == str(graph)
    assert (found.pipeline, found.check, found.limit) == (pipeline, "differs=0.0001", 3)
    assert found.verdict == verdict
    assert np.array_equal(found.feeds["x"], oracle.feeds["x"])
    assert not replay(found).broken


def test_a_failed_validation_is_diagnosed_to_one_file(tmp_path: Path) -> None:
    def save(name: str) -> Path:
        return tmp_path / name

    found = diagnose(samples.chain("nsr"), [samples.Wrong()], empty_context, None, save)
    assert found is not None
    assert (found.culprit.application.rule, found.ops) == ("wrong-silu", 2)
    assert [op.name for op in load_reproducer(found.file).graph.ops] == ["Sigmoid", "Mul"]
    assert diagnose(samples.chain("nr"), [samples.Wrong()], empty_context, None, save) is None


def test_a_damaged_reproducer_is_an_error_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    for text in ("", "[]", '{"format": "other"}', json.dumps({"format": "y10c-reproducer-1"})):
        path.write_text(text)
        with pytest.raises(DataError, match="not a reproducer"):
            load_reproducer(path)


def test_measures_of_difference() -> None:
    a = np.array([1.0, -2.0, 4.0], np.float32)
    assert relative_error(a, a) == 0
    assert relative_error(a, a + np.float32(0.04)) == pytest.approx(0.01, rel=1e-4)
    assert relative_error(np.array([np.nan, 1]), np.array([np.nan, 1])) == 0
    assert relative_error(np.array([np.nan, 1]), np.array([0, 1.0])) == np.inf
    assert sqnr(a, a) == np.inf
    assert sqnr(a, a * np.float32(1.1)) == pytest.approx(20, abs=1e-3)
