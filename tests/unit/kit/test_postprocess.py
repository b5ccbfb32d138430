"""The kit's decoding is that of `y10c detect`, for floats and for integers, with numpy alone."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from y10c.detect.decode import decode as ours
from y10c.detect.detector import unboxed as our_unboxed
from y10c.detect.head_info import HeadInfo
from y10c.kit import postprocess

SCALES = {"box8": np.linspace(0.001, 0.002, 64), "box16": np.full(64, 0.003), "cls8": np.full(5, 0.01)}


def head_of(needs_nms: bool | None = False, distribution: bool = True) -> HeadInfo:
    return HeadInfo(
        kind="raw",
        mode="raw",
        classes=5,
        reg_max=16 if distribution else 1,
        distribution=distribution,
        bins=tuple(float(i) for i in range(16)),
        strides=(8, 16),
        extents=((6, 8), (3, 4)),
        input_size=(48, 64),
        outputs=("cls8", "box8", "cls16", "box16"),
        needs_nms=needs_nms,
    )


def outputs_of(seed: int, head: HeadInfo, spread: float = 3.0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    widths = (head.classes, 4 * head.reg_max)
    shapes = [(1, *extent, width) for extent in head.extents for width in widths]
    # Few levels, so that equal scores must be ordered alike.
    pairs = zip(head.outputs, shapes, strict=True)
    return {name: np.round(rng.normal(-1, spread, shape), 1).astype(np.float32) for name, shape in pairs}


def told(head: HeadInfo) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(head.to_json())
    return content


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.25, 0.9]), st.booleans(), st.booleans())
def test_boxes_are_those_of_detect(seed: int, score: float, nms: bool, distribution: bool) -> None:
    head = head_of(nms, distribution)
    outputs = outputs_of(seed, head)
    wanted = ours(outputs, head, score=score)
    boxes, scores, classes = postprocess.decode(outputs, told(head), score=score)
    np.testing.assert_array_equal(classes, wanted.classes)
    np.testing.assert_allclose(scores, wanted.scores, rtol=1e-12)
    np.testing.assert_allclose(boxes, wanted.boxes, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("nms", [False, True, None])
def test_integers_are_taken_times_their_scale(nms: bool | None) -> None:
    head = head_of(nms)
    outputs = outputs_of(3, head)
    for name, scale in SCALES.items():
        outputs[name] = np.rint(outputs[name] / scale).astype(np.int32)
    described = HeadInfo(**{**vars(head), "scales": {n: tuple(s) for n, s in SCALES.items()}})
    wanted = ours(outputs, described, score=0.3)
    boxes, scores, classes = postprocess.decode(outputs, told(head), SCALES, score=0.3)
    assert len(boxes) > 5
    np.testing.assert_array_equal(classes, wanted.classes)
    np.testing.assert_allclose(scores, wanted.scores, rtol=1e-12)
    np.testing.assert_allclose(boxes, wanted.boxes, rtol=1e-9, atol=1e-9)


def test_integers_without_a_scale_and_other_shapes_are_refused() -> None:
    head = head_of()
    outputs = outputs_of(4, head)
    with pytest.raises(KeyError):
        postprocess.decode({**outputs, "box8": outputs["box8"].astype(np.int32)}, told(head), score=0.0)
    with pytest.raises(ValueError, match="output box8 is"):
        postprocess.decode({**outputs, "box8": outputs["box8"][:, :3]}, told(head))


def test_boxes_go_back_to_the_picture() -> None:
    from y10c.detect.decode import Detections

    boxes = np.random.default_rng(0).uniform(0, 64, (20, 4))
    found = Detections(boxes, np.ones(20), np.zeros(20, np.int64))
    for image in ((100, 30), (30, 100), (64, 48)):
        np.testing.assert_allclose(
            postprocess.unboxed(boxes, image, (48, 64)), our_unboxed(found, image, (48, 64)).boxes
        )


def test_it_imports_numpy_and_the_standard_library_alone() -> None:
    tree = ast.parse(Path(postprocess.__file__).read_text())
    names = {a.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    names |= {(n.module or "").split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert names - set(sys.stdlib_module_names) == {"numpy"}


def test_it_runs_alone_from_a_file(tmp_path: Path) -> None:
    head = head_of()
    outputs = outputs_of(3, head)
    outputs["box8"] = np.rint(outputs["box8"] / SCALES["box8"]).astype(np.int32)
    np.savez(tmp_path / "o.npz", **outputs, box8_scale=SCALES["box8"])
    (tmp_path / "head.json").write_text(head.to_json())
    script = tmp_path / "postprocess.py"
    script.write_text(Path(postprocess.__file__).read_text())
    command = [sys.executable, "-I", str(script), str(tmp_path / "o.npz"), "--image", "128x96"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    boxes, scores, _ = postprocess.decode(outputs, told(head), SCALES)
    assert len(said) == len(scores) > 0
    first = json.loads(said[0])
    np.testing.assert_allclose(first["box"], np.clip(2 * boxes[0], 0, [128, 96, 128, 96]), atol=0.01)
