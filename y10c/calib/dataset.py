"""Calibration data: a folder of pictures or tensors, or one npy file, decoded one sample at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from y10c.calib.preprocess import Preprocess
from y10c.diagnostics import warn
from y10c.errors import DataError

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
Sample = NDArray[np.float32]


@dataclass(frozen=True)
class Source:
    """One sample that has not been read yet.

    Args:
        name: What errors call it.
        read: Gives the tensor, checked.
    """

    name: str
    read: Callable[[], Sample]


@dataclass(frozen=True)
class Dataset:
    """Samples for a model with one input, in a fixed order; iterating decodes one at a time.

    Args:
        sources: The samples.
    """

    sources: tuple[Source, ...]

    def __len__(self) -> int:
        return len(self.sources)

    def __iter__(self) -> Iterator[tuple[Sample, ...]]:
        for source in self.sources:
            yield (source.read(),)

    @property
    def names(self) -> list[str]:
        """What errors call the samples, in order."""
        return [source.name for source in self.sources]

    def limited(self, count: int) -> Dataset:
        """`count` samples spread evenly over the data, or all where there are fewer."""
        if count >= len(self.sources):
            return self
        picked = np.linspace(0, len(self.sources) - 1, count).round().astype(int)
        return replace(self, sources=tuple(self.sources[i] for i in picked))


def open_dataset(
    path: str | Path, *, input_shape: Sequence[int], preprocess: Preprocess | None = None
) -> Dataset:
    """The samples of a folder of pictures or npy tensors, or of one npy file.

    Pictures that do not decode are named in a warning and left out. An npy file holds one sample, with or
    without the batch axis, or many along axis 0.

    Args:
        path: Folder or npy file.
        input_shape: Shape of the model's input.
        preprocess: How pictures become tensors.

    Raises:
        DataError: There is nothing to read, or a tensor does not fit the input or holds NaN.
    """
    place, shape = Path(path), tuple(input_shape)
    if place.is_dir():
        sources = _folder(place, shape, preprocess or Preprocess())
    elif place.suffix == ".npy" and place.is_file():
        sources = _npy(place, shape)
    else:
        raise _no_data(place)
    if not sources:
        raise DataError(
            "no calibration data is left",
            code="Y3101",
            where=str(place),
            help="give a folder with .jpg, .png or .npy files that can be read, about 100 of them",
        )
    return Dataset(tuple(sources))


def _no_data(place: Path) -> DataError:
    problem = "this is neither a folder nor a .npy file" if place.exists() else "there is no such folder or file"
    return DataError(problem, code="Y3101", where=str(place), help="name a folder of images or a .npy file")


def _folder(folder: Path, shape: tuple[int, ...], preprocess: Preprocess) -> list[Source]:
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURES | {".npy"})
    sources: list[Source] = []
    for path in files:
        if path.suffix.lower() == ".npy":
            sources += _npy(path, shape)
        elif _decodes(path):
            sources.append(_picture(path, shape, preprocess))
    return sources


def _picture(path: Path, shape: tuple[int, ...], preprocess: Preprocess) -> Source:
    from PIL import Image

    if len(shape) != 4 or not {shape[1], shape[3]} & {1, 3}:
        raise DataError(
            f"a picture does not fit the input shape {list(shape)}", where=str(path), help="give .npy tensors"
        )

    def read() -> Sample:
        with Image.open(path) as image:
            one = preprocess.tensor(image, shape)
        return np.repeat(one, shape[0], axis=0) if shape[0] > 1 else one

    return Source(str(path), read)


def _decodes(path: Path) -> bool:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            image.load()
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        reason = "it is not an image" if isinstance(error, UnidentifiedImageError) else str(error)
        warn("Y5003", f"skipped: {reason}", where=str(path), help="remove the file or replace it")
        return False
    return True


def _npy(path: Path, shape: tuple[int, ...]) -> list[Source]:
    array = _mapped(path)
    single = array.shape in (shape, shape[1:])
    if not single and array.shape[1:] != shape[1:]:
        raise DataError(
            f"a tensor of shape {list(array.shape)} does not fit the input {list(shape)}", where=str(path)
        )
    if array.dtype.kind != "f":
        raise DataError(
            f"a tensor of type {array.dtype} where float32 is expected",
            where=str(path),
            help="save it as the network sees it: float32, normalised",
        )
    if single:
        return [Source(str(path), lambda: _checked(array, shape, str(path)))]
    return [_row(array, shape, i, f"{path}[{i}]") for i in range(len(array) // shape[0])]


def _row(array: NDArray[Any], shape: tuple[int, ...], index: int, name: str) -> Source:
    batch = shape[0]
    return Source(name, lambda: _checked(array[index * batch : (index + 1) * batch], shape, name))


def _mapped(path: Path) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"this is not a readable npy file: {error}", code="Y3101", where=str(path)) from None
    return array


def _checked(array: NDArray[Any], shape: tuple[int, ...], name: str) -> Sample:
    sample = np.ascontiguousarray(array, np.float32).reshape(shape)
    bad = np.argwhere(~np.isfinite(sample))
    if len(bad):
        place = tuple(int(i) for i in bad[0])
        raise DataError(
            f"the tensor holds {sample[place]} at {list(place)}",
            code="Y3103",
            where=name,
            help="one such value ruins every range; remove or repair the sample",
        )
    return sample
