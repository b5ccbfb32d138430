"""The declared transforms: each takes the result of the one before it, the first an RGB picture.

A picture is uint8 or float32 `[H, W, C]`; `Layout` ends the chain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from y10c.calib.color import rgb_to_yuv, to_pixels
from y10c.calib.preprocess import letterboxed
from y10c.config.inputs import Step
from y10c.errors import ConfigError

Array = NDArray[Any]
Transform = Callable[[Array], Array]

GREY = 114
"""Pixel value of borders, as in YOLOv5 and its successors."""


@dataclass(frozen=True)
class Letterbox:
    """Keep the aspect and fill the border."""

    size: tuple[int, int]
    fill: int = GREY

    def __call__(self, picture: Array) -> Array:
        """Pixels of the size given."""
        return _pixels(letterboxed(_image(picture), *self.size, self.fill))


@dataclass(frozen=True)
class Resize:
    """Stretch to a size."""

    size: tuple[int, int]

    def __call__(self, picture: Array) -> Array:
        """Pixels of the size given."""
        from PIL.Image import Resampling

        return _pixels(_image(picture).resize(self.size[::-1], Resampling.BILINEAR))


@dataclass(frozen=True)
class ShortSide:
    """Scale so that the shorter side has a length."""

    length: int

    def __call__(self, picture: Array) -> Array:
        """Pixels of the same aspect."""
        ratio = self.length / min(picture.shape[:2])
        height, width = (max(self.length, round(side * ratio)) for side in picture.shape[:2])
        return Resize((height, width))(picture)


@dataclass(frozen=True)
class Crop:
    """Cut out the middle."""

    size: tuple[int, int]

    def __call__(self, picture: Array) -> Array:
        """Pixels of the size given.

        Raises:
            ValueError: The picture is smaller.
        """
        height, width = picture.shape[:2]
        if height < self.size[0] or width < self.size[1]:
            raise ValueError(
                f"a picture of {height}x{width} cannot be cropped to {self.size[0]}x{self.size[1]}"
            )
        top, left = (height - self.size[0]) // 2, (width - self.size[1]) // 2
        return picture[top : top + self.size[0], left : left + self.size[1]]


@dataclass(frozen=True)
class Pad:
    """Fill at the right and below up to a size."""

    size: tuple[int, int]
    fill: int = GREY

    def __call__(self, picture: Array) -> Array:
        """Pixels of at least the size given."""
        more = [max(0, wanted - side) for wanted, side in zip(self.size, picture.shape[:2], strict=True)]
        return np.pad(picture, ((0, more[0]), (0, more[1]), (0, 0)), constant_values=self.fill)


@dataclass(frozen=True)
class Order:
    """Channels as the network wants them: RGB, BGR, GRAY or YUV444."""

    channels: str = "RGB"

    def __call__(self, picture: Array) -> Array:
        """The same pixels in other channels."""
        if self.channels == "BGR":
            return picture[..., ::-1]
        if self.channels == "RGB":
            return picture
        yuv = rgb_to_yuv()(picture.astype(np.float64))
        return to_pixels(yuv if self.channels == "YUV444" else yuv[..., :1])


@dataclass(frozen=True)
class Normalize:
    """`(pixel - mean) * scale / std`, one number or one a channel."""

    mean: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (1.0,)
    std: tuple[float, ...] = (1.0,)

    def __call__(self, picture: Array) -> Array:
        """float32 `[H, W, C]`."""
        mean, scale, std = (np.asarray(v, np.float64) for v in (self.mean, self.scale, self.std))
        made: Array = ((picture.astype(np.float64) - mean) * (scale / std)).astype(np.float32)
        return made


@dataclass(frozen=True)
class Layout:
    """The axes of the network's input, NCHW or NHWC; the batch is 1."""

    axes: str = "NCHW"

    def __call__(self, picture: Array) -> Array:
        """`[1, C, H, W]` or `[1, H, W, C]`."""
        return np.ascontiguousarray(picture.transpose(2, 0, 1) if self.axes == "NCHW" else picture)[None]


KINDS: Mapping[str, type[Any]] = {
    "letterbox": Letterbox,
    "resize": Resize,
    "short_side": ShortSide,
    "crop": Crop,
    "pad": Pad,
    "order": Order,
    "normalize": Normalize,
    "layout": Layout,
}
"""Transforms by the names of the config."""

AFTER_SCALING = ("layout",)
"""What may follow `normalize`: sizes and colours are of pixels."""


def declared(steps: Sequence[Step], size: tuple[int, int]) -> list[Transform]:
    """The transforms of a config.

    Args:
        steps: As declared.
        size: Height and width of the network's input, for steps that leave their size out.

    Raises:
        ConfigError: A step stands in a wrong place or lacks an option.
    """
    made: list[Transform] = []
    scaled = False
    for index, step in enumerate(steps):
        if scaled and step.name not in AFTER_SCALING:
            raise _wrong(step, f"{step.name} cannot follow normalize, since it works on pixels", "move it up")
        if step.name == "layout" and index < len(steps) - 1:
            raise _wrong(step, "layout is the last transform", "move it to the end")
        scaled |= step.name == "normalize"
        made.append(_made(step, size))
    return made


def _made(step: Step, size: tuple[int, int]) -> Transform:
    kind = KINDS[step.name]
    options = dict(step.options)
    if "size" in kind.__dataclass_fields__:
        options.setdefault("size", size)
    try:
        transform: Transform = kind(**options)
    except TypeError:
        raise _wrong(step, f"{step.name} lacks an option", "short_side: {length: 256}") from None
    return transform


def _wrong(step: Step, message: str, help: str) -> ConfigError:
    return ConfigError(f"calibration_parameters.transforms: {message}", where=str(step.place), help=help)


def _image(picture: Array) -> Any:
    from PIL import Image

    pixels = picture if picture.dtype == np.uint8 else to_pixels(picture)
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else np.ascontiguousarray(pixels))


def _pixels(image: Any) -> Array:
    pixels = np.asarray(image)
    return pixels if pixels.ndim == 3 else pixels[..., None]
