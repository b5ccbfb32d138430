"""Error measures agree with their definitions at the points that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from y10c.quant.error import cosine, distribution_shift, probability_shift, sqnr_db


def test_noise_of_a_tenth_is_20_db() -> None:
    reference = np.ones(10, np.float32)
    assert sqnr_db(reference, reference + np.float32(0.1)) == pytest.approx(20, abs=1e-4)
    assert sqnr_db(reference, reference) == np.inf
    assert sqnr_db(np.zeros(2), np.ones(2)) == -np.inf


def test_cosine_of_right_angles_opposites_and_zeros() -> None:
    a, b = np.array([1.0, 0.0]), np.array([0.0, 2.0])
    assert cosine(a, b) == 0
    assert cosine(a, -a) == -1
    assert cosine(a, 3 * a) == 1
    assert cosine(0 * a, 0 * b) == 1
    assert cosine(a, 0 * b) == 0


def test_probabilities_shift_by_what_the_sigmoid_says() -> None:
    assert probability_shift(np.array([0.0, -1e4]), np.array([1e4, -1e4])) == pytest.approx(0.5)


def test_only_confident_anchors_count_and_by_their_confidence() -> None:
    reference, found = np.full((8, 2), -50.0), np.full((8, 2), -50.0)
    reference[0::2] = 50  # each side at bin 0
    found[1::2] = 50  # each side at bin 1
    assert distribution_shift(reference, found, np.array([0.5, 0.01])) == pytest.approx(0.5)
    assert distribution_shift(reference, found, np.zeros(2)) == 0.0
