"""COCO results, class names, pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from y10c.detect.classes import COCO_CATEGORIES, COCO_NAMES, category_ids, class_names
from y10c.detect.coco import image_ids, results
from y10c.detect.decode import Detections
from y10c.detect.draw import colour, draw

ONE = Detections(np.array([[10.0, 20.0, 40.0, 60.0]]), np.array([0.5]), np.array([79]))


def test_coco_numbers_80_of_its_categories() -> None:
    assert len(COCO_NAMES) == len(set(COCO_NAMES)) == len(COCO_CATEGORIES) == 80
    numbers = dict(zip(COCO_NAMES, COCO_CATEGORIES, strict=True))
    some = {"person": 1, "stop sign": 13, "dining table": 67, "toilet": 70, "toothbrush": 90}
    assert some.items() <= numbers.items()
    assert list(category_ids(2)) == [0, 1]


def test_results_hold_corner_and_size() -> None:
    (row,) = results("000000000139.jpg", 139, ONE, COCO_CATEGORIES)
    assert row["image_id"] == 139
    assert row["bbox"] == [10.0, 20.0, 30.0, 40.0]
    assert row["category_id"] == 90


def test_an_image_is_known_by_its_number_or_name_and_by_its_path_where_others_have_it_too() -> None:
    bus, one, same, number = (Path(p) for p in ("a/bus.png", "a/7.png", "b/007.jpg", "b/000000000139.jpg"))
    assert image_ids([bus, one, same, number]) == {bus: "bus", one: "a/7.png", same: "b/007.jpg", number: 139}


def test_names_come_from_the_model_first() -> None:
    assert class_names(2, {"names": "{0: 'cat', 1: 'dog'}"}) == ["cat", "dog"]
    assert class_names(2, {"names": "__import__('os')"}) == ["0", "1"]
    assert class_names(2, {}) == ["0", "1"]
    assert class_names(80, {})[5] == "bus"


def test_boxes_are_drawn_in_the_colour_of_their_class() -> None:
    picture = draw(Image.new("RGB", (80, 80)), ONE, COCO_NAMES)
    assert picture.getpixel((10, 40)) == colour(79)
    assert picture.getpixel((25, 40)) == (0, 0, 0)
    assert colour(0) != colour(1)


def test_label_at_the_upper_edge_stays_inside() -> None:
    top = Detections(np.array([[0.0, 0.0, 40.0, 60.0]]), np.array([0.5]), np.array([0]))
    picture = draw(Image.new("RGB", (80, 80)), top, COCO_NAMES)
    assert picture.getpixel((30, 1)) == colour(0)
