"""Equalization changes the ranges and not the function."""

from __future__ import annotations

import numpy as np
import pytest

from y10c.quant.equalize import equalizing_scales, scale_inputs, scale_outputs, smoothing_scales


def layers(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    spread = 10.0 ** rng.uniform(-2, 2, 6)
    return (
        rng.standard_normal((6, 3)) * spread[:, None],
        rng.standard_normal(6) * spread,
        rng.standard_normal((4, 6)) / spread,
    )


def test_the_two_layers_compute_the_same_through_relu() -> None:
    w1, b1, w2 = layers(0)
    x = np.random.default_rng(9).standard_normal((3, 20))
    scales = equalizing_scales(w1, w2)
    v1, c1 = scale_outputs(w1, b1, scales)
    assert c1 is not None
    before = w2 @ np.maximum(w1 @ x + b1[:, None], 0)
    after = scale_inputs(w2, scales) @ np.maximum(v1 @ x + c1[:, None], 0)
    assert np.allclose(before, after)


def test_ranges_of_both_sides_meet() -> None:
    w1, _, w2 = layers(1)
    scales = equalizing_scales(w1, w2)
    v1, _ = scale_outputs(w1, None, scales)
    assert np.allclose(np.abs(v1).max(axis=1), np.abs(scale_inputs(w2, scales)).max(axis=0))


@pytest.mark.parametrize("group", [1, 2, 6])
def test_grouped_weights_are_scaled_by_the_channel_they_read(group: int) -> None:
    weight = np.ones((6, 6 // group, 1, 1))
    scales = np.arange(1.0, 7.0)
    scaled = scale_inputs(weight, scales, group)
    for output in range(6):
        first = output // (6 // group) * (6 // group)
        assert scaled[output, :, 0, 0].tolist() == scales[first : first + 6 // group].tolist()


def test_full_strength_makes_all_activation_ranges_equal() -> None:
    peaks, weight = np.array([1.0, 4.0, 8.0]), np.ones((2, 3))
    assert np.allclose(peaks / smoothing_scales(peaks, weight, 1.0), 8.0)
    assert np.allclose(smoothing_scales(peaks, weight, 0.0), 1.0)


def test_dead_channels_stay_as_they_are() -> None:
    w1, _, w2 = layers(2)
    w1[2], w2[:, 3] = 0, 0
    scales = equalizing_scales(w1, w2)
    assert scales[2] == scales[3] == 1
    assert np.isfinite(smoothing_scales(np.zeros(6), w2)).all()
