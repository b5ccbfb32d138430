"""Biases keep the mean output and land on the accumulator's grid."""

from __future__ import annotations

import numpy as np
import pytest

from y10c.quant.bias import absorb_shift, analytic_correction, empirical_correction, quantize_bias
from y10c.quant.moments import Window, accumulate, patches


@pytest.mark.parametrize("group", [1, 3, 6])
def test_analytic_and_empirical_correction_agree(group: int) -> None:
    rng = np.random.default_rng(group)
    x = rng.standard_normal((2, 6, 5, 5)).astype(np.float32) + 1
    w = rng.standard_normal((12, 6 // group, 3, 3))
    v = np.rint(w * 4) / 4
    rows = patches(x, Window((3, 3), pads=(1, 1, 1, 1), group=group))

    def outputs(weight: np.ndarray) -> np.ndarray:
        y = np.einsum("gpk,gok->gop", rows, weight.reshape(group, 12 // group, -1))
        return y.reshape(1, 12, -1)

    analytic = analytic_correction(w, v, accumulate(rows).mean)
    assert np.allclose(analytic, empirical_correction(outputs(w), outputs(v)), atol=1e-5)


def test_positions_without_weight_do_not_count() -> None:
    reference = np.array([[[1.0, 5.0]]])
    assert empirical_correction(reference, 0 * reference, np.array([[1.0, 0.0]])).tolist() == [1.0]


def test_bias_is_within_half_a_step_of_the_accumulator() -> None:
    bias, weight_scale = np.array([0.1, -3.0]), np.array([0.01, 0.02])
    steps, scale = quantize_bias(bias, 0.5, weight_scale)
    assert steps.dtype == np.int32
    assert np.all(np.abs(steps * scale - bias) <= scale / 2 * 1.001)


def test_a_bias_too_large_for_int32_is_refused_by_channel() -> None:
    with pytest.raises(ValueError, match="channel 1"):
        quantize_bias(np.array([0.0, 1e6]), 1e-6, np.array([1.0, 1e-3]))


@pytest.mark.parametrize("depthwise", [False, True])
def test_a_shifted_input_with_shifted_padding_gives_the_same_outputs(depthwise: bool) -> None:
    rng = np.random.default_rng(0)
    group = 4 if depthwise else 1
    w = rng.standard_normal((4 if depthwise else 5, 4 // group, 3, 3))
    x, shift = rng.standard_normal((1, 4, 6, 6)), rng.standard_normal(4)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    moved = padded - shift.reshape(1, 4, 1, 1)

    def outputs(a: np.ndarray) -> np.ndarray:
        return np.einsum(
            "gpk,gok->gop", patches(a, Window((3, 3), group=group)), w.reshape(group, -1, w[0].size)
        ).reshape(len(w), -1)

    assert np.allclose(outputs(moved) + absorb_shift(w, shift)[:, None], outputs(padded), atol=1e-4)


def test_channels_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="channels"):
        absorb_shift(np.ones((4, 3, 1, 1)), np.ones(5))
