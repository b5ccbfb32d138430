"""Generated data is the same everywhere, looks like photographs to a histogram, and fits any input."""

from __future__ import annotations

import numpy as np
import pytest

from y10c.calib.synthetic import synthetic_dataset
from y10c.ir.types import DType, TensorType


def images(**settings):
    kind = TensorType(DType.f32, (1, 3, 64, 96))
    return [sample.array for sample in synthetic_dataset("images", kind, 3, **settings).samples()]


def test_equal_seeds_give_equal_data_and_samples_differ():
    assert all(map(np.array_equal, images(), images()))
    assert not np.array_equal(images()[0], images(seed=1)[0])
    assert not np.array_equal(images()[0], images()[1])


def test_images_have_the_brightness_contrast_and_correlation_of_photographs():
    pixels = np.concatenate([image.reshape(3, -1) for image in images()], axis=1)
    assert np.all((pixels >= 0) & (pixels <= 1))
    assert pixels.mean() == pytest.approx(0.45, abs=0.06)
    assert pixels.std() == pytest.approx(0.22, abs=0.05)
    assert np.corrcoef(pixels)[0, 1] > 0.8


def test_the_amplitude_falls_with_frequency():
    spectrum = np.abs(np.fft.rfft(images()[0][0, 0], axis=1)).mean(axis=0)
    assert spectrum[1:4].mean() > 5 * spectrum[20:].mean()


@pytest.mark.parametrize(
    "shape", [(1, 3, 8, 8), (2, 3, 8, 8), (1, 8, 8, 1), (1, 77), (5,), (), (1, 4, 6, 2, 9)]
)
@pytest.mark.parametrize("dtype", [DType.f32, DType.f16, DType.u8, DType.i64, DType.bool])
def test_any_input_is_fed(shape, dtype):
    data = synthetic_dataset("x", TensorType(dtype, shape), 1)
    (sample,) = data.samples()
    assert (sample.array.shape, sample.array.dtype) == (shape, dtype.numpy)
    assert data.synthetic
