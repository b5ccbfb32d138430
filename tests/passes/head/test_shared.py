"""Folding real exports: equal logits across variants of the same weights, equal detections."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import y10c
from y10c.calib.preprocess import Preprocess
from y10c.passes.head.fold import fold_head
from y10c.passes.head.recognize import recognize

ONE2ONE = ("e2e", "e2e_raw", "dual", "eval_both")
"""Exports of one network with the same weights."""

SHAPES = {
    f"{role}{stride}": (1, 640 // stride, 640 // stride, channels)
    for stride in (8, 16, 32)
    for role, channels in (("cls", 80), ("box", 64))
}


@cache
def pixels(path: Path) -> Any:
    from PIL import Image

    preprocess, shape = Preprocess(), (1, 3, 640, 640)
    with Image.open(path) as image:
        return preprocess.tensor(preprocess.canvas(image, shape), shape, np.dtype(np.float32))


@pytest.mark.slow  # eight sessions of the whole network
def test_raw_gives_the_same_values_for_all_exports_of_the_same_weights(
    shared: Path, run: Any, scrambled: Any
) -> None:
    x = pixels(shared / "images/calibration/000.jpg")
    first: dict[str, Any] = {}
    for name in ONE2ONE:
        model = onnx.load(shared / f"models/yolov10n_{name}.onnx")
        for variant in (model, scrambled(model)):
            graph = y10c.load(variant)
            fold_head(graph, "raw")
            maps = run(graph.to_onnx(), x)
            assert {n: m.shape for n, m in maps.items()} == SHAPES
            assert list(maps) == list(SHAPES)
            first = first or maps
            for key, value in maps.items():
                np.testing.assert_allclose(value, first[key], atol=1e-4, rtol=0)


def e2e(
    shared: Path,
    run: Any,
    agree: Callable[[Any, Any], None],
    change: Callable[[Any], Any],
    images: list[Path],
    name: str,
) -> None:
    model = change(onnx.load(shared / f"models/yolov10n_{name}.onnx"))
    graph = y10c.load(model)
    fold_head(graph, "e2e")
    folded = graph.to_onnx()
    onnx.checker.check_model(folded, full_check=True)
    assert {op.name for op in graph.ops}.isdisjoint({"Mod", "ConstantOfShape", "Where"})
    original = y10c.load(model).to_onnx()
    for path in images:
        ours, theirs = (next(iter(run(m, pixels(path)).values()))[0] for m in (folded, original))
        assert ours.shape == (300, 6)
        agree(ours, theirs)


@pytest.mark.slow  # runs the whole network
def test_e2e_gives_the_detections_of_the_original(shared: Path, run: Any, same_detections: Any) -> None:
    images = [shared / f"images/calibration/{i:03}.jpg" for i in range(2)]
    e2e(shared, run, same_detections, lambda m: m, images, "coco")


@pytest.mark.slow  # 20 images through the whole network, for each export and again with random names
@pytest.mark.parametrize("renamed", [False, True])
@pytest.mark.parametrize("name", ["coco", "e2e", "e2e_raw", "eval_both"])
def test_e2e_on_twenty_images(
    shared: Path, run: Any, same_detections: Any, scrambled: Any, name: str, renamed: bool
) -> None:
    images = [shared / f"images/calibration/{i:03}.jpg" for i in range(20)]
    e2e(shared, run, same_detections, scrambled if renamed else lambda m: m, images, name)


@pytest.mark.slow  # builds whole networks
@pytest.mark.parametrize("heads", ["one2one", "dual"])
@pytest.mark.parametrize("output", ["e2e", "decoded", "raw"])
def test_generated_networks_fold_to_the_logits_they_were_built_with(
    run: Any, heads: Any, output: Any
) -> None:
    from y10c.zoo.yolov10 import yolov10

    options: dict[str, Any] = {"size": 64, "classes": 7, "reg_max": 5}
    x = np.random.default_rng(0).random((1, 3, 64, 64), np.float32)
    expected = run(yolov10(heads="one2one", output="raw", **options), x)
    graph = y10c.load(yolov10(heads=heads, output=output, **options))
    head = recognize(graph)
    assert head is not None
    assert (head.classes, head.reg_max) == (7, 5)
    fold_head(graph, "raw")
    for name, value in run(graph.to_onnx(), x).items():
        np.testing.assert_allclose(value, expected[name], atol=1e-4, rtol=1e-5)
