"""The grid covers the range, holds zero, and rounds as ONNX says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from y10c.quant.qparams import choose_qparams, dequantize, integer_range, quantize, weight_qparams

reals = st.floats(-1e6, 1e6, width=32)


@given(reals, reals, st.sampled_from([8, 16]), st.booleans(), st.booleans())
def test_every_value_of_the_range_is_within_half_a_step(
    a: float, b: float, bits: int, symmetric: bool, narrow: bool
) -> None:
    low, high = min(a, b), max(a, b)
    scale, zero = choose_qparams(low, high, bits=bits, symmetric=symmetric, narrow=narrow)
    x = np.linspace(low, high, 37, dtype=np.float32)
    back = dequantize(quantize(x, scale, zero, bits, narrow=narrow), scale, zero)
    slack = 1.0 if not symmetric else 0.5  # the zero point itself is rounded by up to half a step
    assert np.all(np.abs(back - x) <= slack * scale * (1 + 1e-3) + np.abs(x) * 1e-6)


@given(reals, reals, st.booleans())
def test_zero_is_exact(a: float, b: float, symmetric: bool) -> None:
    scale, zero = choose_qparams(min(a, b), max(a, b), symmetric=symmetric)
    assert dequantize(quantize(np.zeros(1), scale, zero), scale, zero)[0] == 0


@given(reals, reals)
def test_power_of_two_scales_never_shrink_the_range(a: float, b: float) -> None:
    free, _ = choose_qparams(min(a, b), max(a, b))
    scale, _ = choose_qparams(min(a, b), max(a, b), power_of_two=True)
    assert np.log2(scale) == np.rint(np.log2(scale))
    assert scale >= free or free == 1.0


def test_symmetric_has_zero_point_zero_and_uses_the_least_integer() -> None:
    assert choose_qparams(-128, 1) == (1.0, 0)
    assert choose_qparams(-127, 127, narrow=True) == (1.0, 0)


def test_constant_zero_gives_scale_one() -> None:
    assert choose_qparams(0, 0, symmetric=False) == (1.0, -128)


@pytest.mark.parametrize(("low", "high"), [(np.nan, 1), (0, np.inf), (2, 1)])
def test_what_is_no_range_is_refused(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="not a range"):
        choose_qparams(low, high)


def test_halves_round_to_even_and_values_saturate() -> None:
    x = np.array([0.5, 1.5, 2.5, -0.5, 1e9, -1e9])
    assert quantize(x, 1.0).tolist() == [0, 2, 2, 0, 127, -128]
    assert quantize(x, 1.0, narrow=True).tolist()[-1] == -127


def test_weight_scales_are_per_channel_and_dead_channels_are_safe() -> None:
    w = np.zeros((3, 2, 1, 1))
    w[0, 0], w[1, 1] = 127, -254
    scale, zero = weight_qparams(w)
    assert scale.tolist() == [1, 2, 1]
    assert zero.tolist() == [0, 0, 0]
    assert weight_qparams(w, clip=np.array([0.5, 1, 1]))[0].tolist() == [0.5, 2, 1]
    assert weight_qparams(w, axis=None)[0].tolist() == [2]


def test_weight_with_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        weight_qparams(np.full((2, 2), np.nan))


def test_axis_broadcasts_scale_and_zero() -> None:
    x = np.array([[1.0, 2.0], [10.0, 20.0]])
    q = quantize(x, np.array([1.0, 10.0]), np.array([0, 1]), axis=0)
    assert q.tolist() == [[1, 2], [2, 3]]
    assert dequantize(q, np.array([1.0, 10.0]), np.array([0, 1]), axis=0).tolist() == x.tolist()


@pytest.mark.parametrize("bits", [4, 64])
def test_only_storable_widths_quantize(bits: int) -> None:
    with pytest.raises(ValueError, match="bits"):
        quantize(np.zeros(1), 1.0, bits=bits)


def test_integer_range() -> None:
    assert integer_range(8) == (-128, 127)
    assert integer_range(16, narrow=True) == (-32767, 32767)
    with pytest.raises(ValueError, match="2 bits"):
        integer_range(1)
