"""Zoo models by name, for commands that take a model."""

from __future__ import annotations

from pathlib import Path

import onnx

from y10c.zoo.variants import VARIANTS
from y10c.zoo.yolov10 import yolov10

NAMES = tuple(f"yolov10{variant}" for variant in VARIANTS)
"""What can be given instead of a file."""


def file_or_named(name: str) -> Path | onnx.ModelProto:
    """The file of that name, or where there is none, the zoo model (end to end, 640x640, seeded weights)."""
    path = Path(name)
    if path.exists() or name not in NAMES:
        return path
    return yolov10(name.removeprefix("yolov10"))
