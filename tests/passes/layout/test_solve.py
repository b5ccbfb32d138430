"""The two exact solvers against trying everything."""

from __future__ import annotations

from itertools import product
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from y10c.passes.layout.solve import Problem, by_cp_sat, by_elimination, solve


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(1, 5))
    problem = Problem([rng.integers(0, 20, rng.integers(1, 5)).astype(float) for _ in range(count)])
    for _ in range(draw(st.integers(0, 7))):
        i, j = (int(v) for v in rng.integers(0, count, 2))
        shape = len(problem.single[i]), len(problem.single[j])
        problem.add_pair(i, j, rng.integers(0, 15, shape).astype(float))
    return problem


def cheapest(problem: Problem) -> float:
    return min(problem.cost(states) for states in product(*(range(len(c)) for c in problem.single)))


@given(problem=problems())
@settings(max_examples=200, deadline=None)
def test_elimination_finds_the_cheapest_choice(problem: Problem) -> None:
    states = by_elimination(problem)
    assert states is not None
    assert problem.cost(states) == cheapest(problem)


@given(problem=problems())
@settings(max_examples=20, deadline=None)
def test_cp_sat_finds_the_cheapest_choice(problem: Problem) -> None:
    assert problem.cost(by_cp_sat(problem)) == cheapest(problem)


def test_a_table_that_would_be_too_large_is_left_to_cp_sat(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    problem = Problem([rng.integers(0, 9, 3).astype(float) for _ in range(5)])
    for i in range(5):
        for j in range(i):
            problem.add_pair(j, i, rng.integers(0, 9, (3, 3)).astype(float))
    assert by_elimination(problem, largest=50) is None
    monkeypatch.setattr("y10c.passes.layout.solve.by_elimination", lambda problem: None)
    assert problem.cost(solve(problem)) == cheapest(problem)


def test_among_equals_the_first_state_is_taken() -> None:
    problem = Problem([np.zeros(3), np.zeros(3)])
    problem.add_pair(0, 1, np.where(np.eye(3) > 0, 0.0, 5.0))
    assert solve(problem) == [0, 0]


def test_a_long_chain_is_solved_by_a_shortest_path() -> None:
    """An independent check: Viterbi's recursion along the chain."""
    rng = np.random.default_rng(5)
    problem = Problem([rng.random(3) for _ in range(60)])
    for i in range(59):
        problem.add_pair(i, i + 1, rng.random((3, 3)))
    best = problem.single[0]
    for i in range(59):
        best = (best[:, None] + problem.pairs[i, i + 1]).min(axis=0) + problem.single[i + 1]
    assert problem.cost(solve(problem)) == pytest.approx(min(best, default=inf))
