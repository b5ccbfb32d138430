"""The choice of wide tensors is the best that fits, and it always fits."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from y10c.quant.knapsack import Candidate, choose

items = st.lists(st.tuples(st.integers(-3, 50), st.integers(0, 30)), max_size=9)


def separate(pairs: list[tuple[int, int]]) -> list[Candidate]:
    return [Candidate(f"t{i}", float(gain), {f"c{i}": macs}) for i, (gain, macs) in enumerate(pairs)]


@given(items, st.integers(0, 80))
def test_it_equals_trying_every_subset(pairs: list[tuple[int, int]], budget: int) -> None:
    candidates = separate(pairs)
    best = max(
        sum(c.gain for c in some)
        for size in range(len(candidates) + 1)
        for some in combinations(candidates, size)
        if sum(sum(c.macs.values()) for c in some) <= budget
    )
    choice = choose(candidates, budget, resolution=max(budget, 1))
    assert choice.gain == best
    assert choice.cost <= budget


@given(items, st.integers(0, 80))
def test_a_coarse_resolution_still_keeps_the_budget(pairs: list[tuple[int, int]], budget: int) -> None:
    assert choose(separate(pairs), budget, resolution=7).cost <= budget


def test_an_operation_that_two_tensors_feed_is_paid_once() -> None:
    both = [Candidate("a", 5.0, {"matmul": 10}), Candidate("b", 4.0, {"matmul": 10})]
    choice = choose(both, 10)
    assert choice.names == ("a", "b")
    assert choice.cost == 10


def test_free_tensors_are_always_wide_and_useless_ones_never() -> None:
    choice = choose([Candidate("free", 0.1, {}), Candidate("harmful", -1.0, {})], 0)
    assert choice.names == ("free",)
