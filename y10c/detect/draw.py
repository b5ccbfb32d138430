"""Boxes drawn into a picture."""

from __future__ import annotations

from collections.abc import Sequence
from colorsys import hsv_to_rgb
from typing import TYPE_CHECKING

from y10c.detect.decode import Detections

if TYPE_CHECKING:
    from PIL import ImageDraw
    from PIL.Image import Image

GOLDEN = 0.618034
"""Steps of the golden ratio keep hues of neighbouring classes far apart."""


def draw(image: Image, found: Detections, names: Sequence[str]) -> Image:
    """A copy of a picture with boxes, class names and scores; the best is drawn last, on top."""
    from PIL import ImageDraw

    picture = image.convert("RGB")
    pen = ImageDraw.Draw(picture)
    width = max(2, round(max(picture.size) / 320))
    for i in reversed(range(len(found))):
        label = int(found.classes[i])
        corners = tuple(float(v) for v in found.boxes[i])
        _box(pen, corners, f"{names[label]} {found.scores[i]:.2f}", colour(label), width, picture.width)
    return picture


def _box(
    pen: ImageDraw.ImageDraw,
    corners: tuple[float, ...],
    text: str,
    ink: tuple[int, int, int],
    width: int,
    room: int,
) -> None:
    from PIL import ImageFont

    x1, y1, x2, y2 = corners
    pen.rectangle((x1, y1, max(x1, x2), max(y1, y2)), outline=ink, width=width)
    font = ImageFont.load_default(size=6 * width)
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    height, length = bottom - top + 2 * width, right - left + 2 * width
    above, start = max(0.0, y1 - height), max(0.0, min(x1, room - length))
    pen.rectangle((start, above, start + length, above + height), fill=ink)
    pen.text((start + width - left, above + width - top), text, font=font, fill=(0, 0, 0))


def colour(label: int) -> tuple[int, int, int]:
    """A class's colour: bright, so that black text can be read on it."""
    red, green, blue = (round(255 * part) for part in hsv_to_rgb(label * GOLDEN % 1, 0.7, 1.0))
    return red, green, blue
