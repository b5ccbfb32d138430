"""Generated calibration data, for a first look without any: deterministic 1/f noise, like natural images."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np

from y10c.calib.dataset import Dataset, Sample, Source
from y10c.ir.types import TensorType

COUNT = 16
"""Generated samples."""


def synthetic_dataset(type: TensorType, count: int = COUNT) -> Dataset:
    """Samples of a type's shape in 0..1: 1/f noise over the last two axes, the same at every call.

    Source of the spectrum: D. J. Field, J. Opt. Soc. Am. A 4, 2379 (1987).
    """
    shape = type.static_shape
    return Dataset(tuple(Source(f"generated[{i}]", _reader(shape, i)) for i in range(count)))


def _reader(shape: tuple[int, ...], index: int) -> Callable[[], Sample]:
    def read() -> Sample:
        rng = np.random.default_rng([index, zlib.crc32(repr(shape).encode())])
        white = rng.standard_normal(shape)
        if len(shape) < 2:
            return np.clip(0.5 + 0.25 * white, 0, 1).astype(np.float32)
        height, width = shape[-2:]
        frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
        frequency[0, 0] = np.inf
        pink = np.fft.irfft2(np.fft.rfft2(white) / frequency, s=(height, width))
        pink /= max(float(pink.std()), 1e-12)
        return np.clip(0.45 + 0.25 * pink, 0, 1).astype(np.float32)

    return read
