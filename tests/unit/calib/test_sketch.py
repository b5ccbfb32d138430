"""The sketch is a commutative monoid over exact facts: no order, batching or merge tree changes a bit."""

from __future__ import annotations

import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from y10c.calib.sketch import Sketch
from y10c.calib.tally import BINS, compile_tally, tally_with_numpy

FLOATS = st.floats(width=32, allow_nan=True, allow_infinity=True)
BLOCKS = arrays(np.float32, st.integers(0, 60), elements=FLOATS)
FINITE = arrays(
    np.float32, st.integers(1, 80), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)
)


@settings(deadline=None)
@given(st.lists(BLOCKS, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_order_batching_and_merge_tree_do_not_change_a_bit(blocks, random):
    whole = Sketch.of(np.concatenate(blocks), "a")
    parts = [Sketch.of(block, "a") for block in blocks]
    random.shuffle(parts)
    while len(parts) > 1:
        left, right = parts.pop(random.randrange(len(parts))), parts.pop(random.randrange(len(parts)))
        left.merge(right)
        parts.insert(random.randrange(len(parts) + 1), left)
    assert parts[0] == whole


@settings(deadline=None)
@given(FINITE)
def test_count_extrema_and_sum_are_exact(values):
    sketch = Sketch.of(values)
    assert sketch.count == values.size
    assert (sketch.low, sketch.high) == (values.min(), values.max())
    assert sketch.sum == sum(map(Fraction, values.tolist()))


@settings(deadline=None)
@given(FINITE)
def test_every_value_lies_in_a_bin_that_is_no_wider_than_the_value_is_precise(values):
    bins = Sketch.of(values).finish()
    assert bins.total == values.size
    assert np.all(bins.low <= bins.high)
    span = np.maximum(np.abs(bins.low), np.abs(bins.high)) * 2.0**-7
    assert np.all(bins.high - bins.low <= np.maximum(span, 2.0**-126))


@settings(deadline=None)
@given(BLOCKS.filter(len))
def test_numpy_and_compiled_tallies_give_the_same_bits(block):
    pytest.importorskip("numba")
    totals = np.zeros((2, 2, BINS), np.int64)
    tally_with_numpy(block, *totals[0])
    compile_tally()(block, *totals[1])
    assert np.array_equal(totals[0], totals[1])


@settings(deadline=None)
@given(BLOCKS)
def test_a_pickle_is_the_same_sketch(block):
    sketch = Sketch.of(block, "a")
    assert pickle.loads(pickle.dumps(sketch)) == sketch


def test_a_constant_tensor_is_a_point():
    bins = Sketch.of(np.full(1000, 6.0, np.float32)).finish()
    assert (bins.low.tolist(), bins.high.tolist(), bins.count.tolist()) == ([6.0], [6.0], [1000.0])


def test_an_empty_sketch_has_no_bins_and_no_mean():
    sketch = Sketch()
    assert sketch.empty
    assert sketch.finish().count.size == 0
    assert np.isnan(sketch.mean)


def test_nonfinite_values_are_counted_apart_with_the_first_sample_by_name():
    one, two = Sketch.of(np.array([1, np.nan]), "b.jpg"), Sketch.of(np.array([np.inf, -np.inf, 2]), "a.jpg")
    for merged in (Sketch.merged([one, two]), Sketch.merged([two, one])):
        assert (merged.nonfinite, merged.nonfinite_sample) == (3, "a.jpg")
        assert (merged.low, merged.high, merged.count) == (1.0, 2.0, 2)


def test_minus_zero_does_not_depend_on_order():
    zeros = [Sketch.of(np.array([value], np.float32)) for value in (0.0, -0.0)]
    for order in (zeros, zeros[::-1]):
        assert str(Sketch.merged(order).low) == "0.0"


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int32, np.uint8, np.bool_])
def test_other_types_count_as_float32(dtype):
    values = np.array([0, 1, 1, 1], dtype)
    assert Sketch.of(values) == Sketch.of(values.astype(np.float32))


def test_a_read_only_view_with_strides_is_counted():
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4).transpose(2, 0, 1)
    values.flags.writeable = False
    assert Sketch.of(values) == Sketch.of(np.arange(24))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_thinning_keeps_the_count_the_ends_and_the_second_moment(seed):
    rng = np.random.default_rng(seed)
    bins = Sketch.of(rng.standard_normal(5000) * np.exp(rng.standard_normal(5000))).finish()
    thin = bins.thinned()
    assert thin.count.size < bins.count.size
    assert (thin.total, thin.low[0], thin.high[-1]) == (bins.total, bins.low[0], bins.high[-1])
    moments = [((b.low**2 + b.low * b.high + b.high**2) / 3 * b.count).sum() for b in (bins, thin)]
    # Joined bins span at most 1/64 of an octave, so no magnitude moves by more than that.
    assert moments[1] == pytest.approx(moments[0], rel=(1 + 1 / 64) ** 2 - 1)
