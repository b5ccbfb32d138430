"""The COCO results format: one object a detection (cocodataset.org, "Results Format")."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from y10c.detect.decode import Detections


def results(image: str, found: Detections, categories: Sequence[int]) -> Iterator[dict[str, object]]:
    """The detections of one image.

    Args:
        image: File name; a stem that is a number, as COCO's are, becomes the number.
        found: In pixels of the image.
        categories: Category number of each class.
    """
    stem = Path(image).stem
    number: int | str = int(stem) if stem.isdecimal() else stem
    for box, score, label in zip(found.boxes, found.scores, found.classes, strict=True):
        x1, y1, x2, y2 = (float(v) for v in box)
        yield {
            "image_id": number,
            "file_name": image,
            "category_id": categories[int(label)],
            "bbox": [round(v, 3) for v in (x1, y1, x2 - x1, y2 - y1)],
            "score": round(float(score), 6),
        }
