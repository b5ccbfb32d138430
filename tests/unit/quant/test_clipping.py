"""A clipped range never costs more expected error than the whole one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from y10c.quant.clipping import best_range, expected_error, weight_clip
from y10c.quant.qparams import choose_qparams, weight_qparams

samples = st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=50)


@given(samples, st.booleans(), st.sampled_from([1.0, 2.0, 3.0]))
def test_the_chosen_range_is_never_worse_than_the_whole(
    xs: list[float], symmetric: bool, exponent: float
) -> None:
    values, counts = np.array(xs), np.ones(len(xs))

    def error(low: float, high: float) -> float:
        return expected_error(
            values, counts, *choose_qparams(low, high, symmetric=symmetric), exponent=exponent
        )

    low, high = best_range(values, counts, symmetric=symmetric, exponent=exponent)
    whole = error(min(xs), max(xs))
    assert min(0, min(xs)) <= low <= high <= max(0, max(xs))
    assert error(low, high) <= whole * (1 + 1e-9) + 1e-30


def test_a_larger_exponent_spares_the_tail() -> None:
    values = np.concatenate([np.linspace(0, 1, 1000), [20.0]])
    counts = np.concatenate([np.full(1000, 1000.0), [1.0]])
    bounds = [best_range(values, counts, exponent=p)[1] for p in (1.0, 2.0, 6.0)]
    assert bounds == sorted(bounds)
    assert bounds[0] < bounds[-1]


def test_the_short_side_of_silu_stays_whole() -> None:
    values, counts = np.array([-0.25, 0.1, 0.2, 50.0]), np.array([1e6, 1e6, 1e6, 1.0])
    low, high = best_range(values, counts, symmetric=False, exponent=1.0)
    assert low == -0.25
    assert high < 50


def test_an_empty_histogram_gives_an_empty_range() -> None:
    assert best_range(np.zeros(3), np.zeros(3)) == (0.0, 0.0)
    assert expected_error(np.zeros(3), np.zeros(3), 1.0, 0) == 0.0


@pytest.mark.parametrize("bits", [4, 8])
def test_weight_clip_never_raises_the_squared_error_and_lowers_it_at_4_bits(bits: int) -> None:
    w = np.random.default_rng(0).standard_t(2, (6, 400))
    share = weight_clip(w, bits=bits)

    def error(clip: np.ndarray | None) -> np.ndarray:
        scale = weight_qparams(w, bits=bits, clip=clip)[0][:, None].astype(float)
        limit = (1 << (bits - 1)) - 1
        return ((np.clip(np.rint(w / scale), -limit, limit) * scale - w) ** 2).sum(axis=1)

    assert np.all(error(share) <= error(None) * (1 + 1e-5))
    assert bits == 8 or error(share).sum() < 0.9 * error(None).sum()
