"""From a photograph to an input tensor: fit, colours, scale, layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from y10c.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Preprocess:
    """How pixels become the input: `(pixel - mean) * scale / std`, a constant or one a channel.

    Args:
        size: Height and width in pixels; None takes them from the input's shape.
        mean: In pixel units, 0 to 255.
        scale: Per pixel unit.
        std: Divides after the scale; 1 where the scale says all.
        order: Channels as the network wants them.
        layout: Of the network's input; None takes NHWC where only that leaves 1 or 3 channels.
        fit: `letterbox` keeps the aspect and fills the border; `resize` stretches.
        fill: Pixel value of the border; 114 as in YOLOv5 and its successors.
    """

    size: tuple[int, int] | None = None
    mean: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (1 / 255,)
    std: tuple[float, ...] = (1.0,)
    order: Literal["RGB", "BGR"] = "RGB"
    layout: Literal["NCHW", "NHWC"] | None = None
    fit: Literal["letterbox", "resize"] = "letterbox"
    fill: int = 114

    def geometry(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Channels, height and width of an input of the given shape.

        Raises:
            DataError: The shape cannot hold an image, or contradicts `size` or the channel values.
        """
        if len(shape) != 4:
            raise _unfit(
                f"images need an input of 4 dimensions, this one is {_times(shape)}", "pass npy tensors"
            )
        layout = self.layout_of(shape)
        channels, height, width = shape[1:] if layout == "NCHW" else (shape[3], *shape[1:3])
        if channels not in (1, 3):
            raise _unfit(
                f"images have 1 or 3 channels, the {layout} input {_times(shape)} has {channels}",
                "set the layout, or pass npy tensors",
            )
        if self.size not in (None, (height, width)):
            raise _unfit(
                f"the preprocessing makes {self.size}, the input is {(height, width)}", "leave size out"
            )
        for name in ("mean", "scale", "std"):
            if len(getattr(self, name)) not in (1, channels):
                raise _unfit(
                    f"{name} has {len(getattr(self, name))} values for {channels} channels", "give 1 or 3"
                )
        return channels, height, width

    def layout_of(self, shape: tuple[int, ...]) -> Literal["NCHW", "NHWC"]:
        """The layout of a 4-dimensional input."""
        if self.layout is not None:
            return self.layout
        return "NHWC" if shape[1] not in (1, 3) and shape[3] in (1, 3) else "NCHW"

    def levels(self, channels: int) -> NDArray[np.float32]:
        """What each pixel value becomes: float32 [channels, 256]."""
        mean, scale, std = (
            np.broadcast_to(np.asarray(v, np.float64), (channels,)) for v in (self.mean, self.scale, self.std)
        )
        pixels = np.arange(256, dtype=np.float64)
        return ((pixels[None] - mean[:, None]) * (scale / std)[:, None]).astype(np.float32)

    def canvas(self, image: Image, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """The image fitted to the input: uint8 [height, width, channels] in the network's order."""
        from PIL import ImageOps
        from PIL.Image import Resampling

        channels, height, width = self.geometry(shape)
        mode = "RGB" if channels == 3 else "L"
        image = ImageOps.exif_transpose(image).convert(mode)
        if self.fit == "resize":
            pixels = np.asarray(image.resize((width, height), Resampling.BILINEAR))
        else:
            pixels = np.asarray(letterboxed(image, height, width, self.fill))
        pixels = pixels.reshape(height, width, channels)
        return np.ascontiguousarray(pixels[:, :, ::-1] if self.order == "BGR" else pixels)

    def tensor(self, canvas: NDArray[np.uint8], shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """The canvas as a batch of one in the layout and type of the input of the given shape."""
        levels = self.levels(canvas.shape[2])
        if dtype.kind in "iu":
            limits = np.iinfo(dtype)
            levels = np.clip(np.rint(levels), limits.min, limits.max)
        planes = np.stack([table.astype(dtype)[canvas[:, :, c]] for c, table in enumerate(levels)])
        return np.ascontiguousarray(planes if self.layout_of(shape) == "NCHW" else planes.transpose(1, 2, 0))[
            None
        ]


def letterboxed(image: Image, height: int, width: int, fill: int) -> Image:
    """An image at the greatest size that fits, in the middle of a canvas of one grey value."""
    from PIL.Image import Resampling, new

    ratio = min(width / image.width, height / image.height)
    inner = (max(1, round(image.width * ratio)), max(1, round(image.height * ratio)))
    border = (fill,) * 3 if image.mode == "RGB" else fill
    whole = new(image.mode, (width, height), border)
    fitted = image.resize(inner, Resampling.BILINEAR)
    whole.paste(fitted, ((width - inner[0]) // 2, (height - inner[1]) // 2))
    return whole


def _unfit(message: str, help: str) -> DataError:
    return DataError(message, code="Y3102", help=help)


def _times(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
