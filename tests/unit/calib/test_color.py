"""Colour conversions: against the published numbers, and the bound of chroma subsampling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from y10c.calib.color import nv12_to_rgb, rgb_to_nv12, rgb_to_yuv, subsampling_bound, yuv_to_rgb


def test_full_range_is_that_of_jfif() -> None:
    """ITU-T T.871 prints these coefficients, rounded."""
    back = yuv_to_rgb()
    np.testing.assert_allclose(back.matrix[0], [1, 0, 1.402], atol=1e-9)
    np.testing.assert_allclose(back.matrix[1], [1, -0.344136, -0.714136], atol=1e-6)
    np.testing.assert_allclose(back.matrix[2], [1, 1.772, 0], atol=1e-9)


def test_video_range_is_that_of_bt601() -> None:
    """The usual integers of BT.601: white is 235, black 16, and red 81, 90, 240."""
    forth = rgb_to_yuv(video=True)
    rgb = np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 0, 255]])
    wanted = [[235, 128, 128], [16, 128, 128], [81, 90, 240], [41, 240, 110]]
    np.testing.assert_array_equal(np.rint(forth(rgb)), wanted)


@pytest.mark.parametrize("video", [False, True])
def test_pillow_converts_alike(video: bool) -> None:
    from PIL import Image

    rgb = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    ours = rgb_to_yuv()(rgb)
    theirs = np.asarray(Image.fromarray(rgb).convert("YCbCr"))
    assert np.abs(ours - theirs).max() <= 1
    np.testing.assert_allclose(yuv_to_rgb(video)(rgb_to_yuv(video)(rgb)), rgb, atol=1e-9)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 4, 64, 256]), st.booleans())
def test_no_pixel_moves_further_than_the_bound(seed: int, levels: int, video: bool) -> None:
    rng = np.random.default_rng(seed)
    rgb = (rng.integers(0, levels, (6, 4, 3)) * (255 // max(levels - 1, 1))).astype(np.uint8)
    moved = np.abs(nv12_to_rgb(*rgb_to_nv12(rgb, video), video) - rgb)
    assert (moved <= subsampling_bound(rgb, video) + 1e-9).all()


def test_the_bound_is_reached_nearly() -> None:
    """A bound that is far too wide would prove nothing."""
    rgb = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    moved = np.abs(nv12_to_rgb(*rgb_to_nv12(rgb)) - rgb)
    assert (moved / subsampling_bound(rgb)).max() > 0.9


def test_grey_keeps_its_levels() -> None:
    rgb = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    np.testing.assert_allclose(nv12_to_rgb(*rgb_to_nv12(rgb)), rgb, atol=1e-9)
