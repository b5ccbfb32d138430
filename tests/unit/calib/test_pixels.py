"""What feeds a runtime form, from a picture."""

from __future__ import annotations

import numpy as np

from y10c.calib.color import rgb_to_nv12, rgb_to_yuv
from y10c.calib.pixels import PIXELS_KEY, Pixels, pixels_json, pixels_of

RGB = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)


def test_every_kind_has_its_tensors() -> None:
    y, uv = rgb_to_nv12(RGB, video=True)
    found = Pixels("x", "nv12", video=True).feeds(RGB)
    np.testing.assert_array_equal(found["x_y"], y)
    np.testing.assert_array_equal(found["x_uv"], uv)
    np.testing.assert_array_equal(Pixels("x", "rgb").feeds(RGB)["x"], RGB[None])
    np.testing.assert_array_equal(Pixels("x", "bgr").feeds(RGB)["x"], RGB[None, ..., ::-1])
    yuv = rgb_to_yuv()(RGB)
    assert np.abs(Pixels("x", "yuv444").feeds(RGB)["x"] - yuv[None]).max() <= 0.51
    gray = Pixels("x", "gray").feeds(RGB)["x"]
    assert gray.shape == (1, 1, 4, 6)
    assert np.abs(gray[0, 0] - yuv[..., 0]).max() <= 0.51


def test_the_note_reads_back() -> None:
    inputs = (Pixels("a", "nv12", True), Pixels("b", "bgr"))
    assert pixels_of({PIXELS_KEY: pixels_json(inputs)}) == inputs
    assert pixels_of({}) == ()
