"""Bad samples of every kind, beside good ones."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (64, 96)
"""Height and width of the network's input in these tests."""


def picture(seed: int, size: tuple[int, int] = (120, 160)) -> Image.Image:
    """A picture of coloured blobs, another one for each seed."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BICUBIC)


def tensor(seed: int) -> np.ndarray:
    """A picture as the network wants it: float32 [1, 3, H, W] from 0 to 1."""
    pixels = np.asarray(picture(seed, SIZE), np.float32) / 255
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))[None]


def good_folder(folder: Path, count: int = 14) -> None:
    """Good pictures and two good tensors."""
    for seed in range(count):
        picture(seed).save(folder / f"good_{seed:02}.png")
    for seed in (100, 101):
        np.save(folder / f"good_{seed}.npy", tensor(seed))


def _solid(path: Path) -> None:
    Image.new("RGB", (160, 120), (30, 90, 30)).save(path.with_suffix(".png"))


def _near_constant(path: Path) -> None:
    noise = np.random.default_rng(1).integers(127, 130, (120, 160, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path.with_suffix(".png"))


def _copy(path: Path) -> None:
    picture(0).save(path.with_suffix(".png"))


def _saved_again(path: Path) -> None:
    picture(1).resize((80, 60)).save(path.with_suffix(".jpg"), quality=40)


def _truncated(path: Path) -> None:
    buffer = io.BytesIO()
    picture(200).save(buffer, "JPEG", quality=95)
    path.with_suffix(".jpg").write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])


def _text(path: Path) -> None:
    path.with_suffix(".jpg").write_text("<html>404 not found</html>")


def _empty(path: Path) -> None:
    path.with_suffix(".png").touch()


def _deep(path: Path) -> None:
    levels = np.random.default_rng(2).integers(0, 65536, (120, 160), dtype=np.uint16)
    Image.fromarray(levels).save(path.with_suffix(".png"))


def _tiny(path: Path) -> None:
    picture(201, (16, 16)).save(path.with_suffix(".png"))


def _narrow(path: Path) -> None:
    picture(202, (40, 900)).save(path.with_suffix(".png"))


def _transparent(path: Path) -> None:
    image = picture(203).convert("RGBA")
    image.putalpha(0)
    image.save(path.with_suffix(".png"))


def _overexposed(path: Path) -> None:
    pixels = np.asarray(picture(204)).copy()
    pixels[:116] = 255
    Image.fromarray(pixels).save(path.with_suffix(".png"))


def _save(array: np.ndarray) -> Callable[[Path], None]:
    return lambda path: np.save(path.with_suffix(".npy"), array)


def _with_nan() -> np.ndarray:
    array = tensor(205)
    array[0, 1, 2, 3] = np.nan
    return array


BAD: dict[str, tuple[Callable[[Path], None], str]] = {
    "solid colour": (_solid, "every pixel has the same value"),
    "nearly constant": (_near_constant, "nearly every pixel has the same value"),
    "a copy": (_copy, "the same content as"),
    "saved again smaller": (_saved_again, "nearly the same content as"),
    "a truncated file": (_truncated, "does not decode"),
    "no picture": (_text, "it is no picture"),
    "an empty file": (_empty, "the file is empty"),
    "16 bits a channel": (_deep, "more than 8 bits"),
    "too small": (_tiny, "too small"),
    "too narrow": (_narrow, "too narrow"),
    "transparent": (_transparent, "transparent"),
    "overexposed": (_overexposed, "black or white"),
    "0 to 255 in place of 0 to 1": (_save(255 * tensor(206)), "far larger than the expected 0 to 1"),
    "normalised twice": (_save(tensor(207) / 255), "far smaller than the expected 0 to 1"),
    "NaN": (_save(_with_nan()), "NaN or infinity"),
    "channels last": (_save(tensor(208).transpose(0, 2, 3, 1).copy()), "the tensor is 1x64x96x3"),
    "another type": (_save((255 * tensor(209)).astype(np.uint8)), "the tensor is uint8"),
    "a constant tensor": (_save(np.full((1, 3, *SIZE), 0.5, np.float32)), "every pixel has the same value"),
}
"""Kinds of bad samples: how each is made, and what must be said of it."""
