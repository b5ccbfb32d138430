"""One look at each file: what it shows, and why it must be left out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from y10c.calib.lint import Note, note
from y10c.calib.sources import IMAGE_SUFFIXES

SUFFIXES = frozenset({*IMAGE_SUFFIXES, ".npy"})

LEAST_SIDE = 32
"""A picture with a shorter side has nothing to show at the size of a detector's input (assumed)."""

WIDEST = 8
"""A picture that is so many times longer than high fills little of the input but border (assumed)."""

CLIPPED = 0.9
"""A picture of whose pixels this share is black or white was taken into the sun or the dark (assumed)."""


@dataclass(frozen=True)
class Seen:
    """What one look at a file gave.

    Args:
        path: The file.
        name: Its path inside the folder that was given.
        note: What duplicates and ranges are judged by; None where it does not decode.
        problem: Why it must be left out; None where nothing speaks against it by itself.
        features: What diversity is judged by, float32 [d].
    """

    path: Path
    name: str
    note: Note | None = None
    problem: str | None = None
    features: NDArray[Any] | None = None


def files(folder: Path) -> list[Path]:
    """Pictures and tensors of a folder and its subfolders, sorted; other files are not looked at."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    return sorted(path for path in found if not path.name.startswith("."))


def look(path: Path, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Seen:
    """Look at one file.

    Args:
        path: The file.
        name: What reports call it.
        shape: Of the network's input, for tensors.
        dtype: Of the network's input, for tensors.
    """
    try:
        if path.suffix.lower() == ".npy":
            return _look_at_tensor(path, name, shape, dtype)
        return _look_at_picture(path, name)
    except _Refused as error:
        return Seen(path, name, problem=str(error))


class _Refused(Exception):
    pass


def open_picture(path: Path) -> NDArray[np.uint8]:
    """A picture as uint8 [H, W, 3] RGB, upright.

    Raises:
        ValueError: It does not decode, or has more than 8 bits a channel.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            if image.mode.startswith(("I", "F")):
                raise ValueError(f"it has more than 8 bits a channel (mode {image.mode})")
            image.load()
            upright = ImageOps.exif_transpose(image)
            _require_opaque(upright)
            return np.asarray(upright.convert("RGB"))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        known = "it is no picture" if "cannot identify" in reason else reason
        raise ValueError(f"it does not decode: {known}") from error


def _require_opaque(image: Any) -> None:
    if image.mode in ("RGBA", "LA") and image.getchannel("A").getextrema()[1] == 0:
        raise ValueError("every pixel is transparent")


def _look_at_picture(path: Path, name: str) -> Seen:
    if not path.stat().st_size:
        raise _Refused("the file is empty")
    try:
        pixels = open_picture(path)
    except ValueError as error:
        raise _Refused(str(error)) from error
    height, width = pixels.shape[:2]
    if min(height, width) < LEAST_SIDE:
        raise _Refused(f"a picture of {height}x{width} is too small: its shorter side is below {LEAST_SIDE}")
    if max(height, width) > WIDEST * min(height, width):
        raise _Refused(f"a picture of {height}x{width} is too narrow: most of the input would be border")
    seen = note(pixels, bool((pixels == pixels[:1, :1]).all()), pixels)
    clipped = float(((pixels == 0) | (pixels == 255)).mean())
    if clipped > CLIPPED and not seen.constant:
        raise _Refused(f"{clipped:.0%} of its pixels are black or white")
    return Seen(path, name, seen, features=_features(pixels))


def _features(pixels: NDArray[np.uint8]) -> NDArray[Any]:
    """Colours on an 8x8 grid and the strength of edges there, 0 to 1: float32 [256]."""
    from PIL import Image

    small = Image.fromarray(pixels).resize((64, 64), Image.Resampling.BOX)
    real = np.asarray(small, np.float32) / 255
    colors = real.reshape(8, 8, 8, 8, 3).mean(axis=(1, 3)).ravel()
    grey = real.mean(axis=2)
    edges = np.abs(np.diff(grey, axis=0, prepend=grey[:1])) + np.abs(
        np.diff(grey, axis=1, prepend=grey[:, :1])
    )
    return np.concatenate([colors, 4 * edges.reshape(8, 8, 8, 8).mean(axis=(1, 3)).ravel()])


def _look_at_tensor(path: Path, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Seen:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise _Refused(f"it is no npy tensor: {reason}") from error
    if not isinstance(array, np.ndarray):
        raise _Refused("it is an archive, not one npy tensor")
    if array.dtype != dtype:
        raise _Refused(f"the tensor is {array.dtype}, the input {dtype}")
    if array.shape not in (shape, shape[1:]):
        raise _Refused(f"the tensor is {_times(array.shape)}, the input {_times(shape)}")
    array = array.reshape(shape)
    if not np.isfinite(array).all():
        raise _Refused("it holds NaN or infinity")
    return Seen(path, name, note(array, bool(array.min() == array.max()), array), features=_coarse(array))


def _coarse(array: NDArray[Any]) -> NDArray[Any]:
    """A tensor's values, thinned to at most 256: float32 [256]."""
    flat = array.ravel().astype(np.float32)
    picked = flat[np.linspace(0, flat.size - 1, 256).astype(int)]
    scaled: NDArray[Any] = picked / (np.abs(picked).max() or 1.0)
    return scaled


def _times(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a scalar"
