"""Ranges and expected errors from a sketch agree with the same computed from the values themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from y10c.calib.observers import (
    METHODS,
    candidates,
    code_limits,
    expected_error,
    kl,
    min_max,
    mse,
    observe,
    percentile,
)
from y10c.calib.sketch import Sketch
from y10c.errors import UnknownNameError, UsageError

SEEDS = st.integers(0, 2**32 - 1)


def quantization_error(values, scale, zero, bits, narrow):
    codes = np.clip(np.rint(values / scale) + zero, *code_limits(bits, narrow=narrow))
    return float(np.mean((values - (codes - zero) * scale) ** 2))


def draw(seed, count=40_000):
    rng = np.random.default_rng(seed)
    kind = int(rng.integers(4))
    values = rng.standard_normal(count) * np.exp(rng.normal())
    if kind == 1:
        values = np.maximum(values, 0)
    elif kind == 2:
        values = values / (1 + np.exp(-values))
    elif kind == 3:
        values = values**3
    return values.astype(np.float32).astype(np.float64)


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.sampled_from([8, 16]), st.booleans(), st.floats(0.3, 1.2))
def test_expected_error_is_the_error_of_the_values(seed, bits, symmetric, share):
    values = draw(seed)
    sketch = Sketch.of(values)
    whole = min_max(sketch, symmetric=symmetric)
    scale, zero = whole.scale_and_zero_point(bits, symmetric=symmetric)
    found = expected_error(sketch, scale * share, zero, bits, narrow=symmetric)
    exact = quantization_error(values, scale * share, zero, bits, narrow=symmetric)
    assert found == pytest.approx(exact, rel=0.05)


@settings(deadline=None)
@given(st.lists(st.integers(-128, 127), min_size=1, max_size=40))
def test_values_on_the_grid_cost_nothing(codes):
    sketch = Sketch.of(np.array(codes, np.float32) * 0.5)
    assert expected_error(sketch, 0.5, 0, 8) == 0.0


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.floats(50, 99.99))
def test_percentiles_are_those_of_the_values_to_the_width_of_a_bin(seed, p):
    values = draw(seed)
    sketch = Sketch.of(values)
    bound = percentile(sketch, p, symmetric=True).high
    assert (
        np.mean(np.abs(values) < bound * (1 - 2**-7))
        <= p / 100
        <= np.mean(np.abs(values) <= bound * (1 + 2**-7))
    )
    found = percentile(sketch, p)
    tail = (1 - p / 100) / 2
    assert np.mean(values > found.high * (1 + 2**-7)) <= tail + 1e-9
    assert np.mean(values < found.low * (1 + 2**-7)) <= tail + 1e-9


@settings(max_examples=10, deadline=None)
@given(SEEDS, st.booleans())
def test_mse_is_as_good_as_an_exhaustive_search(seed, symmetric):
    values = draw(seed)
    sketch = Sketch.of(values)
    whole = min_max(sketch, symmetric=symmetric)
    tried = []
    for share in np.linspace(0.05, 1, 120):
        scale, zero = whole.scale_and_zero_point(8, symmetric=symmetric)
        tried.append(quantization_error(values, scale * share, zero, 8, symmetric))
    scale, zero = mse(sketch, symmetric=symmetric).scale_and_zero_point(8, symmetric=symmetric)
    assert quantization_error(values, scale, zero, 8, symmetric) <= min(tried) * 1.03


def test_kl_clips_a_lone_outlier_and_keeps_a_uniform_range():
    bulk = np.random.default_rng(0).standard_normal(100_000)
    assert kl(Sketch.of(np.append(bulk, 100.0)), symmetric=True).high < 20
    uniform = np.random.default_rng(0).uniform(-1, 1, 100_000)
    assert kl(Sketch.of(uniform), symmetric=True).high > 0.95


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.sampled_from(list(METHODS)), st.sampled_from([8, 16]), st.booleans())
def test_every_range_holds_zero_and_exceeds_nothing_seen(seed, method, bits, symmetric):
    sketch = Sketch.of(draw(seed, 3000))
    found = observe(sketch, method, bits=bits, symmetric=symmetric)
    whole = min_max(sketch, symmetric=symmetric)
    assert whole.low <= found.low <= 0 <= found.high <= whole.high
    assert not symmetric or found.low == -found.high


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("values", [[], [0.0], [6.0] * 9, [-3.5], [1e-42], [3e38, -3e38]], ids=str)
@pytest.mark.parametrize("symmetric", [True, False])
def test_degenerate_tensors_give_a_finite_range(method, values, symmetric):
    found = observe(Sketch.of(np.array(values)), method, symmetric=symmetric)
    scale, zero = found.scale_and_zero_point(8, symmetric=symmetric)
    assert np.isfinite([found.low, found.high, scale]).all()
    assert scale > 0
    assert -128 <= zero <= 127


def test_candidates_come_best_first_and_hold_every_method_and_percentile():
    found = candidates(Sketch.of(draw(7)), percentiles=(99.0, 99.9))
    assert [one.error for one in found] == sorted(one.error for one in found)
    assert {one.range.method for one in found} == {"min-max", "percentile 99", "percentile 99.9", "kl", "mse"}


def test_an_unknown_method_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match="percentil") as caught:
        observe(Sketch(), "percentil")
    assert "did you mean 'percentile'" in str(caught.value.help)


@pytest.mark.parametrize("p", [0, -1, 100.1, float("nan")])
def test_a_percentile_outside_of_0_to_100_is_refused(p):
    with pytest.raises(UsageError, match="percentile"):
        observe(Sketch(), "percentile", p=p)
