"""A model that runs on pictures and gives boxes in the pictures' own pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from y10c.calib.pixels import Pixels, pixels_of
from y10c.calib.preprocess import Preprocess
from y10c.detect.decode import Detections, decode
from y10c.detect.head_info import HeadInfo
from y10c.errors import ModelError

if TYPE_CHECKING:
    from PIL.Image import Image

THREADS = 2


@dataclass
class Detector:
    """Runs a model in onnxruntime on pictures.

    Args:
        model: Path, or a model's bytes.
        info: How to decode its outputs.
        preprocess: How pictures become tensors; the letterbox is undone in the boxes.
        score: Least score.
        iou: Overlap from which boxes of one class are suppressed, where the head needs that.

    Raises:
        ModelError: onnxruntime refuses the model, or its inputs are not one picture.
    """

    model: Path | bytes
    info: HeadInfo
    preprocess: Preprocess = field(default_factory=Preprocess)
    score: float = 0.25
    iou: float = 0.7

    def __post_init__(self) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = THREADS, 3
        source = self.model if isinstance(self.model, bytes) else str(self.model)
        try:
            self._session: Any = onnxruntime.InferenceSession(
                source, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors have no common base that it exports
            where = None if isinstance(self.model, bytes) else str(self.model)
            raise ModelError(f"onnxruntime refuses the model: {error}", where=where) from error
        self._feeder = _feeder_of(self._session, self.metadata, self.info, self.preprocess)

    @property
    def metadata(self) -> dict[str, str]:
        """The model's metadata."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    def __call__(self, image: Image) -> Detections:
        """The detections in a picture, in its pixels, best first."""
        from PIL import ImageOps

        names = [o.name for o in self._session.get_outputs()]
        made = self._session.run(names, self._feeder(image))
        outputs = {name: value[:1] for name, value in zip(names, made, strict=True)}
        found = decode(outputs, self.info, score=self.score, iou=self.iou)
        return unboxed(found, ImageOps.exif_transpose(image).size, self.info.input_size)


def _feeder_of(
    session: Any, metadata: Mapping[str, str], info: HeadInfo, preprocess: Preprocess
) -> Callable[[Image], dict[str, Any]]:
    """What makes the inputs of a model from a picture."""
    inputs = session.get_inputs()
    pixels = pixels_of(metadata)
    if len(pixels) == 1 and set(pixels[0].names) == {one.name for one in inputs}:
        return _PixelFeeder(pixels[0], info.input_size, inputs[0].shape[0], preprocess)
    return _Feeder.of(session, info, preprocess)


@dataclass(frozen=True)
class _PixelFeeder:
    """Feeds a runtime form, which says itself which pixels it takes (see `y10c.calib.pixels`)."""

    pixels: Pixels
    size: tuple[int, int]
    batch: int
    preprocess: Preprocess

    def __call__(self, image: Image) -> dict[str, Any]:
        rgb = replace(self.preprocess, order="RGB").canvas(image, (1, 3, *self.size))
        return {n: np.repeat(a, self.batch, axis=0) for n, a in self.pixels.feeds(rgb).items()}


@dataclass(frozen=True)
class _Feeder:
    """Fills the one input of a model with a picture, as often as its batch asks for."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    preprocess: Preprocess

    @classmethod
    def of(cls, session: Any, info: HeadInfo, preprocess: Preprocess) -> _Feeder:
        first, *others = session.get_inputs()
        dtype = _TYPES.get(first.type)
        if others or dtype is None or len(first.shape) != 4:
            given = ", ".join(f"{i.name} {i.type} {i.shape}" for i in session.get_inputs())
            raise ModelError(
                f"detect feeds one picture, as floats or bytes; this model takes {given}",
                code="Y3003",
                help="take the float or the ptq model of the same compilation",
            )
        if dtype.kind == "u":  # the model scales the pixels itself
            preprocess = replace(preprocess, mean=(0.0,), scale=(1.0,), std=(1.0,))
        height, width = info.input_size
        last = preprocess.layout_of(tuple(d if isinstance(d, int) else 0 for d in first.shape)) == "NHWC"
        batch = first.shape[0] if isinstance(first.shape[0], int) else 1
        shape = (batch, height, width, 3) if last else (batch, 3, height, width)
        return cls(first.name, shape, dtype, preprocess)

    def __call__(self, image: Image) -> dict[str, Any]:
        canvas = self.preprocess.canvas(image, self.shape)
        tensor = self.preprocess.tensor(canvas, self.shape, self.dtype)
        return {self.name: np.repeat(tensor, self.shape[0], axis=0)}


_TYPES: dict[str, np.dtype[Any]] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(float16)": np.dtype(np.float16),
    "tensor(uint8)": np.dtype(np.uint8),
}
"""Element types that hold pixels."""


def unboxed(found: Detections, image: tuple[int, int], network: tuple[int, int]) -> Detections:
    """Boxes on the letterboxed input as boxes on the picture, cut at its edges.

    Args:
        found: In pixels of the network's input.
        image: Width and height of the picture.
        network: Height and width of the input.
    """
    ratio = min(network[1] / image[0], network[0] / image[1])
    inner = [max(1, round(side * ratio)) for side in image]
    offset = np.array([(network[1] - inner[0]) // 2, (network[0] - inner[1]) // 2] * 2)
    scale = np.array([side / fitted for side, fitted in zip(image, inner, strict=True)] * 2)
    boxes = np.clip((found.boxes - offset) * scale, 0, np.array([*image, *image]))
    return Detections(boxes, found.scores, found.classes)
