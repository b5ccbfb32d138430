"""Generated data for the case that there is none: images of coloured 1/f noise.

The amplitude spectra of natural scenes fall with about 1/f (Field, "Relations between the statistics of
natural images", JOSA A 1987), and their colour channels are strongly correlated, luminance first
(Ruderman, Cronin, Chiao, "Statistics of cone responses to natural images", JOSA A 1998). Noise with these
two properties drives a network's activations further like photographs than white noise does; it says
nothing about accuracy.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from y10c.calib.dataset import Dataset
from y10c.calib.lint import Note, note
from y10c.calib.preprocess import Preprocess
from y10c.errors import DataError
from y10c.ir.types import DType, TensorType

COUNT = 16
"""Generated samples, unless said."""

_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)
"""Of RGB in 0..1 over photographs (published: the ImageNet statistics that torchvision documents)."""

_CORRELATION = 0.93
"""Between colour channels (assumed: natural images lie between 0.85 and 0.98)."""


@dataclass(frozen=True)
class NoiseSource:
    """One generated sample; the same seed gives the same sample everywhere."""

    index: int
    seed: int
    input: str
    type: TensorType
    preprocess: Preprocess

    @property
    def name(self) -> str:
        """The sample's number."""
        return f"generated[{self.index}]"

    def load(self) -> tuple[NDArray[Any], Note]:
        """An image where the input takes one, else noise in 0..1; integers are 0 and 1."""
        array = self._array()
        if array.dtype == object:
            return array, Note(0.0, 1.0, constant=False, digest=self.name.encode())
        return array, note(array, bool(array.min() == array.max()), array)

    def _array(self) -> NDArray[Any]:
        rng = np.random.default_rng([self.seed, self.index, zlib.crc32(self.input.encode())])
        shape, dtype = self.type.static_shape, self.type.dtype
        if not dtype.is_float:
            bits = rng.integers(0, 2, shape)
            return bits.astype(str).astype(object) if dtype is DType.str else bits.astype(dtype.numpy)
        try:
            geometry = self.preprocess.geometry(shape)
        except DataError:
            return np.asarray(_noise(rng, shape), dtype.numpy)
        images = [self._image(rng, *geometry) for _ in range(shape[0])]
        tensors = [self.preprocess.tensor(image, shape, np.dtype(dtype.numpy)) for image in images]
        return np.concatenate(tensors)

    def _image(self, rng: np.random.Generator, channels: int, height: int, width: int) -> NDArray[np.uint8]:
        shared = one_over_f(rng, height, width)
        canvas = np.empty((height, width, channels), np.uint8)
        for c in range(channels):
            own = one_over_f(rng, height, width)
            mixed = _CORRELATION**0.5 * shared + (1 - _CORRELATION) ** 0.5 * own
            pixels = 255 * (_MEAN[c] + _STD[c] * mixed)
            canvas[:, :, c] = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
        return np.ascontiguousarray(canvas[:, :, ::-1]) if self.preprocess.order == "BGR" else canvas


def one_over_f(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float64]:
    """Noise of amplitude spectrum 1/f, mean 0, standard deviation 1: float64 [height, width]."""
    white = rng.standard_normal((height, width))
    rows = np.fft.fftfreq(height)[:, None]
    columns = np.fft.rfftfreq(width)[None]
    frequency = np.hypot(rows, columns)
    frequency[0, 0] = np.inf
    noise = np.fft.irfft2(np.fft.rfft2(white) / frequency, s=(height, width))
    spread = noise.std()
    return noise / spread if spread > 0 else white


def synthetic_dataset(
    input: str,
    type: TensorType,
    count: int = COUNT,
    *,
    seed: int = 0,
    preprocess: Preprocess | None = None,
) -> Dataset:
    """Generated samples for one input of a network; nothing is generated until loaded.

    Args:
        input: The input's name, so that two inputs do not see the same noise.
        type: Its type, with a static shape.
        count: Number of samples.
        seed: Equal seeds give equal data.
        preprocess: What images go through on their way to the input.
    """
    chosen = preprocess or Preprocess()
    sources = [NoiseSource(index, seed, input, type, chosen) for index in range(count)]
    return Dataset(sources, shape=type.static_shape, synthetic=True)


def _noise(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    height, width = (1, 1, *shape)[-2:]
    planes = [one_over_f(rng, height, width) for _ in range(int(np.prod(shape)) // max(height * width, 1))]
    return np.clip(0.45 + 0.25 * np.reshape(planes, shape), 0, 1)
