"""Streaming similarity equals the same computed over everything at once."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from y10c.calib.similarity import Similarity, compare_streams
from y10c.errors import DataError


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 20), min_size=1, max_size=5))
def test_a_stream_equals_the_whole(seed, sizes):
    rng = np.random.default_rng(seed)
    pairs = [(rng.standard_normal(n), rng.standard_normal(n)) for n in sizes]
    stream, merged = Similarity(), Similarity()
    for a, b in pairs:
        stream.update(a, b)
        part = Similarity()
        part.update(a, b)
        merged.merge(part)
    a, b = (np.concatenate(side) for side in zip(*pairs, strict=True))
    if a.size:
        assert stream.cosine == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
        assert stream.sqnr_db == pytest.approx(10 * math.log10((a @ a) / ((a - b) @ (a - b))))
        assert stream.max_error == np.abs(a - b).max()
    assert merged.cosine == pytest.approx(stream.cosine)
    assert merged.count == stream.count == sum(sizes)


def test_equal_tensors_zeros_and_one_zero():
    same, none, gone = Similarity(), Similarity(), Similarity()
    same.update(np.ones(3), np.ones(3))
    none.update(np.zeros(3), np.zeros(3))
    gone.update(np.ones(3), np.zeros(3))
    assert (same.cosine, same.sqnr_db) == (1.0, math.inf)
    assert (none.cosine, gone.cosine) == (1.0, 0.0)


def test_nonfinite_elements_are_counted_apart():
    found = Similarity()
    found.update(np.array([1.0, np.nan, 2.0]), np.array([1.0, 0.0, np.inf]), "a.jpg")
    assert (found.nonfinite, found.count, found.cosine) == (2, 1, 1.0)


def test_integers_do_not_wrap():
    found = Similarity()
    found.update(np.array([100], np.int8), np.array([-100], np.int8), "a.jpg")
    assert (found.max_error, found.max_sample) == (200.0, "a.jpg")


def test_shapes_must_agree():
    with pytest.raises(DataError, match="shapes"):
        Similarity().update(np.zeros(3), np.zeros((1, 3)))


def test_streams_are_paired_by_sample_and_tensor():
    one = [("a", {"x": np.ones(2), "y": np.ones(2)}), ("b", {"x": np.ones(2), "y": np.ones(2)})]
    two = [("a", {"x": np.ones(2), "z": np.zeros(2)}), ("b", {"x": np.ones(2), "z": np.zeros(2)})]
    assert set(compare_streams(one, two)) == {"x"}
    assert compare_streams(one, two, {"y": "z"})["y"].cosine == 0.0
    with pytest.raises(DataError, match="number of samples"):
        compare_streams(one, two[:1])
    with pytest.raises(DataError, match="differ in their samples"):
        compare_streams(one, two[::-1])
