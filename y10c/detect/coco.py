"""The COCO results format: one object a detection (cocodataset.org, "Results Format")."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from y10c.detect.decode import Detections


def image_ids(images: Sequence[Path]) -> dict[Path, int | str]:
    """What tells images apart: the stem, as a number where it is one, as COCO's are; else the whole path."""
    short = {image: int(image.stem) if image.stem.isdecimal() else image.stem for image in images}
    counts = Counter(short.values())
    return {image: one if counts[one] == 1 else image.as_posix() for image, one in short.items()}


def results(
    image: str, number: int | str, found: Detections, categories: Sequence[int]
) -> Iterator[dict[str, object]]:
    """The detections of one image.

    Args:
        image: File name.
        number: What tells it from others, see `image_ids`.
        found: In pixels of the image.
        categories: Category number of each class.
    """
    for box, score, label in zip(found.boxes, found.scores, found.classes, strict=True):
        x1, y1, x2, y2 = (float(v) for v in box)
        yield {
            "image_id": number,
            "file_name": image,
            "category_id": categories[int(label)],
            "bbox": [round(v, 3) for v in (x1, y1, x2 - x1, y2 - y1)],
            "score": round(float(score), 6),
        }
