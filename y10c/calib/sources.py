"""Where samples come from: an image file, a row of an npy file. Each decodes itself, once asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from y10c.calib.lint import Note as Note
from y10c.calib.lint import note
from y10c.calib.preprocess import Preprocess
from y10c.errors import DataError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})


class Undecodable(Exception):
    """A file that cannot be decoded; the text says why. Such a file is skipped."""


class Source(Protocol):
    """A sample that can be loaded; pickles small, so that workers get the source and not the data."""

    @property
    def name(self) -> str:
        """The file, and the row where it holds several."""

    def load(self) -> tuple[NDArray[Any], Note]:
        """The input tensor; raises Undecodable or DataError."""


@dataclass(frozen=True)
class ImageSource:
    """An image file, fitted to the input by `preprocess`."""

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    preprocess: Preprocess

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    def load(self) -> tuple[NDArray[Any], Note]:
        """The image as the input tensor."""
        canvas, constant = self._decode()
        array = self.preprocess.tensor(canvas, self.shape, self.dtype)
        return array, note(array, constant, canvas)

    def _decode(self) -> tuple[NDArray[np.uint8], bool]:
        from PIL import Image

        try:
            with Image.open(self.path) as image:
                image.load()
                return self.preprocess.canvas(image, self.shape), _solid(image.getextrema())
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise Undecodable(f"the image does not decode ({_reason(error)})") from error


@dataclass(frozen=True)
class TensorSource:
    """One sample of an npy file; `row` None where the file is the sample."""

    path: Path
    row: int | None
    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        """The file's name, with the row in brackets where it holds several."""
        return self.path.name if self.row is None else f"{self.path.name}[{self.row}]"

    def load(self) -> tuple[NDArray[Any], Note]:
        """The tensor, copied out of the file.

        Raises:
            DataError: NaN or Inf (Y3103).
        """
        whole = self._whole()
        part = whole if self.row is None else whole[self.row]
        array = np.ascontiguousarray(np.array(part)).reshape(self.shape)
        self._require_finite(array)
        return array, note(array, bool(array.min() == array.max()), array)

    def _whole(self) -> NDArray[Any]:
        whole: NDArray[Any] = np.load(self.path, mmap_mode="r", allow_pickle=False)
        return whole

    def _require_finite(self, array: NDArray[Any]) -> None:
        bad = np.argwhere(~np.isfinite(array))
        if len(bad):
            at = tuple(int(i) for i in bad[0])
            raise DataError(
                f"the calibration sample {self.name} holds {array[at]} at {list(at)}, "
                f"{len(bad)} such value{'s' * (len(bad) > 1)} in all",
                code="Y3103",
                where=str(self.path),
                help="find its cause, or leave the sample out: one such value ruins every range",
            )


@dataclass(frozen=True)
class ArchiveSource(TensorSource):
    """One sample of an array of an npz archive, which is unpacked at each look."""

    key: str = ""

    def _whole(self) -> NDArray[Any]:
        with np.load(self.path, allow_pickle=False) as archive:
            whole: NDArray[Any] = archive[self.key]
        return whole


def image_source(
    path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], preprocess: Preprocess
) -> ImageSource:
    """The source of an image file, whose header is read.

    Raises:
        Undecodable: Not an image, or one of more than 8 bits a channel.
        DataError: The input cannot take an image (Y3102).
    """
    from PIL import Image

    preprocess.geometry(shape)
    try:
        with Image.open(path) as image:
            mode = image.mode
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise Undecodable(f"the image does not decode ({_reason(error)})") from error
    if mode.startswith(("I", "F")):
        raise Undecodable(f"the image has more than 8 bits a channel (mode {mode})")
    return ImageSource(path, shape, dtype, preprocess)


def tensor_sources(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> list[TensorSource]:
    """The samples of an npy file, whose header is read: one sample, with or without its batch, or [N, ...].

    Raises:
        Undecodable: Not an npy file.
        DataError: Wrong shape or type (Y3102).
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise Undecodable(f"the npy file cannot be read ({_reason(error)})") from error
    if not isinstance(array, np.ndarray):
        raise Undecodable("the file is an npz archive, not one npy tensor")
    return [TensorSource(path, row, shape) for row in _rows(array, path, shape, dtype)]


def archive_sources(
    path: Path, key: str, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> list[ArchiveSource]:
    """The samples of one array of an npz archive, as `tensor_sources`.

    Raises:
        Undecodable: Not an npz archive.
        DataError: It has no such array (Y3101), or one of a wrong shape or type (Y3102).
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            known, array = list(archive), archive.get(key)
    except (OSError, ValueError, EOFError, BadZipFile, AttributeError, TypeError) as error:
        raise Undecodable(f"the npz archive cannot be read ({_reason(error)})") from error
    if array is None:
        raise DataError(
            f"the archive has no array {key!r}",
            code="Y3101",
            where=str(path),
            help=f"it has {', '.join(known) or 'none'}: name the arrays as the inputs",
        )
    return [ArchiveSource(path, row, shape, key) for row in _rows(array, path, shape, dtype)]


def _rows(
    array: NDArray[Any], path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Sequence[int | None]:
    """Which rows are samples; one None where the array is a sample itself."""
    if array.dtype != dtype:
        raise DataError(
            f"the tensor is {array.dtype}, the input is {dtype}",
            code="Y3102",
            where=str(path),
            help=f"save it as {dtype}, preprocessed as the network wants it",
        )
    one = shape[:1] == (1,)
    if array.shape == shape or (one and array.shape == shape[1:]):
        return [None]
    if array.shape[1:] == shape or (one and array.shape[1:] == shape[1:] and array.shape[0]):
        return range(array.shape[0])
    raise DataError(
        f"the tensor is {_times(array.shape)}, the input is {_times(shape)}",
        code="Y3102",
        where=str(path),
        help=f"save it as {_times(shape)}, or as N samples Nx{_times(shape[1:])}",
    )


def _solid(extrema: Any) -> bool:
    bands = extrema if isinstance(extrema[0], tuple) else (extrema,)
    return all(low == high for low, high in bands[:3])


def _reason(error: BaseException) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return "not an image" if "cannot identify image file" in text else text


def _times(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a scalar"
