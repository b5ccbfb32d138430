"""YOLOv10 built from the paper, for the demo and for tests: graphs with seeded weights, no training."""

from __future__ import annotations

from y10c.zoo.cost import Cost, cost
from y10c.zoo.images import noise_images
from y10c.zoo.variants import VARIANTS, Variant
from y10c.zoo.yolov10 import OPSETS, yolov10

__all__ = ["OPSETS", "VARIANTS", "Cost", "Variant", "cost", "noise_images", "yolov10"]
