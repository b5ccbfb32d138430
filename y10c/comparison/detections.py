"""Both models as detectors on the same samples: agreement, and pictures where they differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from y10c import progress
from y10c.calib.collect import run_outputs
from y10c.calib.feeds import Feeds
from y10c.calib.preprocess import Preprocess
from y10c.comparison.agreement import SCORES, Agreement, Changes, agreement, changes
from y10c.comparison.sides import Side
from y10c.detect.classes import class_names
from y10c.detect.decode import Detections, decode
from y10c.detect.draw import draw
from y10c.detect.head_info import HeadInfo
from y10c.passes.head.runnable import decodable

THREADS = 2
SHOWN_SCORE = 0.25


@dataclass(frozen=True)
class Picture:
    """An image with both models' detections.

    Args:
        sample: Name of the file.
        changes: What the candidate lost and gained.
        reference: The image with the reference's boxes.
        candidate: The image with the candidate's.
    """

    sample: str
    changes: Changes
    reference: Image.Image
    candidate: Image.Image


@dataclass(frozen=True)
class Detected:
    """What both detectors found.

    Args:
        agreements: Average precision, one a least score.
        images: What changed in each image, by sample.
        pictures: The images that changed most, first.
    """

    agreements: tuple[Agreement, ...]
    images: dict[str, Changes] = field(default_factory=dict)
    pictures: tuple[Picture, ...] = ()

    @property
    def kept(self) -> int:
        """Detections above 0.25 that both have, over all images."""
        return sum(one.kept for one in self.images.values())

    @property
    def lost(self) -> int:
        """Detections above 0.25 that only the reference has."""
        return sum(one.lost for one in self.images.values())

    @property
    def new(self) -> int:
        """Detections above 0.25 that only the candidate has."""
        return sum(one.new for one in self.images.values())


def compare_detections(
    reference: Side, candidate: Side, feeds: tuple[Feeds, Feeds], *, pictures: int = 0
) -> Detected | None:
    """Run both detectors on every sample; None where one of them is no detector that can be decoded.

    Boxes are in pixels of the network's input.

    Args:
        reference: The model that is right.
        candidate: The model to judge.
        feeds: Samples for both.
        pictures: At most so many images are drawn, those that changed most; none for a network of several
            inputs, whose data is no picture.
    """
    first, second = _Decoder.of(reference), _Decoder.of(candidate)
    if first is None or second is None:
        return None
    ours, theirs = first.run(feeds[0]), second.run(feeds[1])
    names: list[str] = []
    found: tuple[list[Detections], list[Detections]] = ([], [])
    for (sample, right), (_, judged) in progress.track(
        zip(ours, theirs, strict=True), "comparing detections", feeds[0].count
    ):
        names.append(sample)
        found[0].append(right)
        found[1].append(judged)
    each = dict(zip(names, map(changes, *found), strict=True))
    known = [agreement(*found, score) for score in SCORES]
    labels = class_names(first.info.classes, reference.graph.info.metadata)
    drawn = _pictures(labels, feeds[0], each, found, pictures) if len(feeds[0]) == 1 else ()
    return Detected(tuple(a for a in known if a is not None), each, tuple(drawn))


@dataclass(frozen=True)
class _Decoder:
    """A model whose outputs are known to be boxes."""

    model: Any
    info: HeadInfo

    @classmethod
    def of(cls, side: Side) -> _Decoder | None:
        folded, info = decodable(side.graph)
        if not info.found:
            return None
        return cls(side.source if folded is None else folded.to_onnx(), info)

    def run(self, feeds: Feeds) -> Iterator[tuple[str, Detections]]:
        """The detections of each sample, in pixels of the input."""
        for sample, outputs in run_outputs(self.model, feeds, self.info.outputs, threads=THREADS):
            yield sample, decode(outputs, self.info, score=min(SCORES))


def _pictures(
    labels: Sequence[str],
    feeds: Feeds,
    each: dict[str, Changes],
    found: tuple[list[Detections], list[Detections]],
    count: int,
) -> Iterator[Picture]:
    (data,) = feeds.values()
    places = sorted(range(len(each)), key=lambda i: (-list(each.values())[i].changed, i))
    loaded = {name: index for index, name in enumerate(data.names)}
    for place in places[:count]:
        name = list(each)[place]
        sample = data.load(loaded[name])
        if sample is not None:
            image = as_image(sample.array)
            kept = [f[place].taken(f[place].scores > SHOWN_SCORE) for f in found]
            both = [draw(image, one, labels).crop(without_border(image)) for one in kept]
            yield Picture(name, each[name], *both)


def without_border(image: Image.Image) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what a letterbox holds; the whole image where it has no border."""
    border = Image.new(image.mode, image.size, (Preprocess().fill,) * 3)
    return ImageChops.difference(image, border).getbbox() or (0, 0, *image.size)


def as_image(sample: NDArray[Any]) -> Image.Image:
    """The picture that an input tensor of 0..1 shows, whichever its layout."""
    planes = sample[0]
    if planes.shape[0] in (1, 3) and planes.shape[-1] not in (1, 3):
        planes = planes.transpose(1, 2, 0)
    pixels = np.clip(np.rint(planes.astype(np.float64) * 255), 0, 255).astype(np.uint8)
    return Image.fromarray(pixels.repeat(3, axis=2) if pixels.shape[2] == 1 else pixels)
