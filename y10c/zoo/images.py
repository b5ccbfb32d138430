"""Generated images with the statistics of photographs: amplitude falls as 1 / frequency."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MEAN = 0.45
CONTRAST = 0.22
"""assumed: mean and standard deviation of a photograph's values in 0..1."""
CHROMA = 0.35
"""assumed: strength of a color channel's own pattern beside the one that all three share."""


def noise_images(count: int, size: int, *, seed: int = 0) -> NDArray[np.float32]:
    """Colored 1/f noise, `[count, 3, size, size]` float32 in 0..1, the same for the same arguments.

    The spectrum is that of natural images: D. J. Field, J. Opt. Soc. Am. A 4, 2379 (1987).
    """
    rng = np.random.default_rng([seed, size])
    shared = _pattern(rng, (count, 1, size, size))
    colors = _pattern(rng, (count, 3, size, size))
    mixed = (shared + CHROMA * colors) / np.hypot(1, CHROMA)
    return np.asarray(np.clip(MEAN + CONTRAST * mixed, 0, 1), np.float32)


def _pattern(rng: np.random.Generator, shape: tuple[int, int, int, int]) -> NDArray[np.float64]:
    """1/f noise of mean 0 and standard deviation 1 in each image and channel."""
    height, width = shape[2:]
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal(shape)) / frequency
    pattern = np.fft.irfft2(spectrum, s=(height, width))
    return np.asarray(pattern / pattern.std(axis=(2, 3), keepdims=True))
