"""Pixels as a runtime form is fed with them, and the note of that in its metadata."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from y10c.calib.color import rgb_to_nv12, rgb_to_yuv, to_pixels

PIXELS_KEY = "y10c.pixels"
"""The entry of an ONNX model's metadata that says how its inputs are fed."""


@dataclass(frozen=True)
class Pixels:
    """How one input of a network is fed.

    Args:
        name: The network's own name for it.
        kind: `nv12`, `yuv444`, `rgb`, `bgr` or `gray`.
        video: Whether nv12 holds video range.
    """

    name: str
    kind: str
    video: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names of what is fed."""
        return (f"{self.name}_y", f"{self.name}_uv") if self.kind == "nv12" else (self.name,)

    def feeds(self, rgb: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """What feeds a batch of one with a picture, uint8 [H, W, 3] RGB."""
        if self.kind == "nv12":
            y, uv = rgb_to_nv12(rgb, self.video)
            return dict(zip(self.names, (y, uv), strict=True))
        yuv = rgb_to_yuv(self.video)(rgb.astype(np.float64)) if self.kind in ("yuv444", "gray") else rgb
        if self.kind == "gray":
            return {self.name: to_pixels(yuv[None, None, ..., 0])}
        pixels = {"yuv444": to_pixels(yuv), "bgr": rgb[..., ::-1]}.get(self.kind, rgb)
        return {self.name: np.ascontiguousarray(pixels)[None]}


def pixels_json(inputs: Iterable[Pixels]) -> str:
    """The metadata entry."""
    return json.dumps([asdict(one) for one in inputs])


def pixels_of(metadata: Mapping[str, str]) -> tuple[Pixels, ...]:
    """How a model's inputs are fed; empty where nothing says it, as for a network's own tensors."""
    return tuple(Pixels(**one) for one in json.loads(metadata.get(PIXELS_KEY, "[]")))
