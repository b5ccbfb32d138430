"""A small network with what shifts, shared scales and mixed precision meet, and data for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper
from PIL import Image

Net = Callable[..., onnx.ModelProto]

NET = """<ir_version: 8, opset_import: ["" : 17]>
net (float[1,3,16,16] image) => (float[1,4,8,8] out)
{
    c1 = Conv<kernel_shape=[3,3], pads=[1,1,1,1]>(image, w1, b1)
    g1 = Sigmoid(c1)
    a1 = Mul(c1, g1)
    left, right = Split<axis=1>(a1, halves)
    c2 = Conv<kernel_shape=[3,3], pads=[1,1,1,1]>(right, w2, b2)
    g2 = Sigmoid(c2)
    a2 = Mul(c2, g2)
    sum = Add(right, a2)
    both = Concat<axis=1>(left, sum, a2)
    c3 = Conv<kernel_shape=[1,1]>(both, w3)
    g3 = Sigmoid(c3)
    a3 = Mul(c3, g3)
    pooled = MaxPool<kernel_shape=[2,2], strides=[2,2]>(a3)
    deep = Conv<kernel_shape=[3,3], pads=[1,1,1,1], group=8>(pooled, w4, b4)
    out = Conv<kernel_shape=[1,1]>(deep, w5, b5)
}"""

SHAPES = {
    "w1": (8, 3, 3, 3),
    "b1": (8,),
    "w2": (4, 4, 3, 3),
    "b2": (4,),
    "w3": (8, 12, 1, 1),
    "w4": (8, 1, 3, 3),
    "b4": (8,),
    "w5": (4, 8, 1, 1),
    "b5": (4,),
}


@pytest.fixture
def net() -> Net:
    """Makes the network with random weights, or with those given by name."""
    return random_net


def random_net(**weights: NDArray[np.float32]) -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    model = onnx.parser.parse_model(NET)
    arrays = {name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in SHAPES.items()}
    arrays |= {"halves": np.array([4, 4], np.int64), **weights}
    model.graph.initializer.extend(numpy_helper.from_array(a, name) for name, a in arrays.items())
    return model


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of six images that are not noise alone."""
    return images(tmp_path / "photos")


def images(folder: Path, count: int = 6, size: tuple[int, int] = (16, 16)) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(1)
    for k in range(count):
        slope = np.linspace(0, 200, size[0] * size[1] * 3).reshape(size[1], size[0], 3)
        pixels = np.clip(slope * rng.random(3) + rng.normal(20, 15, slope.shape), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{k}.png")
    return folder
