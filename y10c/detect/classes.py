"""Names and category numbers of classes."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

_NAMES = """
person bicycle car motorcycle airplane bus train truck boat traffic_light fire_hydrant stop_sign
parking_meter bench bird cat dog horse sheep cow elephant bear zebra giraffe backpack umbrella
handbag tie suitcase frisbee skis snowboard sports_ball kite baseball_bat baseball_glove
skateboard surfboard tennis_racket bottle wine_glass cup fork knife spoon bowl banana apple
sandwich orange broccoli carrot hot_dog pizza donut cake chair couch potted_plant bed dining_table
toilet tv laptop mouse remote keyboard cell_phone microwave oven toaster sink refrigerator book
clock vase scissors teddy_bear hair_drier toothbrush
"""

COCO_NAMES = tuple(name.replace("_", " ") for name in _NAMES.split())
"""The 80 classes of COCO 2017 detection by category number (published: cocodataset.org)."""

_UNUSED_CATEGORIES = frozenset({12, 26, 29, 30, 45, 66, 68, 69, 71, 83})
COCO_CATEGORIES = tuple(n for n in range(1, 91) if n not in _UNUSED_CATEGORIES)
"""Category numbers of those classes; COCO numbers 91 things and uses 80 (published: cocodataset.org)."""

NAMES_KEY = "names"
"""Where ultralytics exporters put the classes' names, as a Python dict in text."""


def class_names(count: int, metadata: Mapping[str, str]) -> Sequence[str]:
    """The names of a model's classes: its own, COCO's where it has 80, else numbers."""
    try:
        told = ast.literal_eval(metadata.get(NAMES_KEY, ""))
    except (ValueError, SyntaxError):
        told = None
    if isinstance(told, dict) and len(told) == count:
        return [str(told.get(i, i)) for i in range(count)]
    return COCO_NAMES if count == len(COCO_NAMES) else [str(i) for i in range(count)]


def category_ids(count: int) -> Sequence[int]:
    """Category numbers for COCO results: COCO's own where there are 80 classes, else the class numbers."""
    return COCO_CATEGORIES if count == len(COCO_CATEGORIES) else range(count)
