"""Rounding keeps the outputs, and never does worse than rounding to nearest."""

from __future__ import annotations

import numpy as np
import pytest

from y10c.quant.qparams import weight_qparams
from y10c.quant.rounding import descend, error_feedback, output_error, round_grouped


def correlated(seed: int, outputs: int = 12, inputs: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((400, 8)) @ rng.standard_normal((8, inputs)) + 0.1 * rng.standard_normal(
        (400, inputs)
    )
    w = rng.standard_normal((outputs, inputs))
    return w, x.T @ x / len(x), weight_qparams(w, bits=4)[0].astype(float)


def nearest(w: np.ndarray, scale: np.ndarray, bits: int = 4) -> np.ndarray:
    limit = (1 << (bits - 1)) - 1
    return np.clip(np.rint(w / scale[:, None]), -limit, limit)


@pytest.mark.parametrize("seed", range(5))
def test_error_feedback_beats_nearest_on_correlated_inputs(seed: int) -> None:
    w, second, scale = correlated(seed)
    steps = error_feedback(w, second, scale, bits=4)
    ours = output_error(steps * scale[:, None] - w, second).sum()
    theirs = output_error(nearest(w, scale) * scale[:, None] - w, second).sum()
    assert ours < 0.5 * theirs
    assert np.abs(steps).max() <= 7


@pytest.mark.parametrize("seed", range(5))
def test_descent_never_raises_the_error_of_any_output(seed: int) -> None:
    w, second, scale = correlated(seed)
    start = nearest(w, scale).astype(np.int32)
    kept = start.copy()
    better = descend(w, second, scale, start, bits=4)
    before = output_error(start * scale[:, None] - w, second)
    after = output_error(better * scale[:, None] - w, second)
    assert np.all(after <= before + 1e-9)
    assert np.array_equal(start, kept)


def test_independent_inputs_round_to_nearest() -> None:
    w, _, scale = correlated(0)
    steps = error_feedback(w, np.eye(w.shape[1]), scale, bits=4)
    assert np.array_equal(steps, nearest(w, scale))


def test_the_block_size_does_not_change_the_result() -> None:
    w, second, scale = correlated(3)
    assert np.array_equal(
        error_feedback(w, second, scale, block=7),
        error_feedback(w, second, scale, block=1000),
    )


def test_dead_inputs_and_an_all_zero_moment_are_safe() -> None:
    w, second, scale = correlated(1)
    second[3], second[:, 3] = 0, 0
    for moment in (second, np.zeros_like(second)):
        steps = error_feedback(w, moment, scale, bits=4)
        assert np.array_equal(steps[:, 3], nearest(w, scale)[:, 3])


def test_groups_are_rounded_apart() -> None:
    w, second, scale = correlated(2)
    weight = w.reshape(12, 10, 2, 2)
    whole = round_grouped(weight, np.stack([second, 2 * second]), scale, bits=4)
    assert whole.shape == weight.shape
    assert np.array_equal(whole[:6], round_grouped(weight[:6], second[None], scale[:6], bits=4))


def test_a_moment_with_nan_is_refused() -> None:
    w, second, scale = correlated(0)
    second[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        error_feedback(w, second, scale)
