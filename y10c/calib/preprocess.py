"""From a picture to the network's input: letterbox, channel order, scale, layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

GREY = (114, 114, 114)
"""The border that YOLO networks are trained with."""


@dataclass(frozen=True)
class Preprocess:
    """How pictures become tensors.

    Args:
        scale: Factor on 0..255 values after the mean is taken off.
        mean: Per channel, in 0..255.
        std: Divides after scaling, per channel.
        bgr: Channel order of the network.
        letterbox: Keep the aspect ratio and pad with grey; else stretch.
    """

    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    bgr: bool = False
    letterbox: bool = True

    def tensor(self, image: Image, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """The image as `[1,3,H,W]` or `[1,H,W,3]`, whichever `shape` says; one channel becomes grey."""
        nchw = shape[1] in (1, 3)
        height, width = shape[2:] if nchw else shape[1:3]
        channels = shape[1] if nchw else shape[3]
        fitted = _letterboxed(image, width, height) if self.letterbox else image.resize((width, height))
        pixels: NDArray[Any] = np.asarray(fitted.convert("L" if channels == 1 else "RGB"), np.float32)
        pixels = pixels.reshape(height, width, channels)[..., :: -1 if self.bgr else 1]
        count = slice(0, channels)
        real = (pixels - np.float32(self.mean[count])) * np.float32(self.scale) / np.float32(self.std[count])
        ordered = real.transpose(2, 0, 1) if nchw else real
        return np.ascontiguousarray(ordered[None], np.float32)


def _letterboxed(image: Image, width: int, height: int) -> Image:
    from PIL import Image as images

    ratio = min(width / image.width, height / image.height)
    size = (max(1, round(image.width * ratio)), max(1, round(image.height * ratio)))
    canvas = images.new("RGB", (width, height), GREY)
    place = ((width - size[0]) // 2, (height - size[1]) // 2)
    canvas.paste(image.convert("RGB").resize(size, images.Resampling.BILINEAR), place)
    return canvas
