"""Calibration data for networks with several inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import parser
from PIL import Image

import y10c
from y10c.calib.feeds import Feeds, open_feeds
from y10c.errors import DataError, ModelError
from y10c.ir import DType, TensorType

INPUTS = {"a": TensorType(DType.f32, (1, 3, 8, 8)), "in/b:0": TensorType(DType.f32, (1, 4))}
ODD = {"a": TensorType(DType.f32, (4, 8)), "b": TensorType(DType.f32, (8, 2)), "k": TensorType(DType.f32, ())}


def save(path: Path, array: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.asarray(array, np.float32))


def folders(path: Path, names: tuple[str, ...] = ("0", "1", "2")) -> Path:
    for number, name in enumerate(names):
        save(path / "a" / f"{name}.npy", np.full((3, 8, 8), number))
        save(path / "in_b_0" / f"{number}.npy", np.full(4, 10 + number))
    return path


def values(feeds: Feeds, name: str) -> list[float]:
    return [float(sample.array.max()) for sample in feeds[name].samples()]


def test_a_subfolder_for_each_input(tmp_path: Path) -> None:
    feeds = open_feeds(INPUTS, folders(tmp_path))
    assert feeds.count == 3
    assert (values(feeds, "a"), values(feeds, "in/b:0")) == ([0, 1, 2], [10, 11, 12])


def test_pictures_and_tensors_side_by_side(tmp_path: Path) -> None:
    folders(tmp_path)
    for number in range(3):
        (tmp_path / "a" / f"{number}.npy").unlink()
        Image.new("RGB", (8, 8), (255, 0, 0)).save(tmp_path / "a" / f"{number}.png")
    assert values(open_feeds(INPUTS, tmp_path), "a") == [1, 1, 1]


@pytest.mark.parametrize("rows", [None, 2])
def test_archives_with_an_array_for_each_input(tmp_path: Path, rows: int | None) -> None:
    for number in range(2):
        a = np.full((rows or 1, 3, 8, 8), number, np.float32)
        b = np.full((rows or 1, 4), number, np.float32)
        np.savez(tmp_path / f"{number}.npz", allow_pickle=True, **{"a": a, "in/b:0": b})
    feeds = open_feeds(INPUTS, tmp_path)
    assert feeds.count == 2 * (rows or 1)
    assert values(feeds, "a") == values(feeds, "in/b:0") == sorted([0, 1] * (rows or 1))
    assert open_feeds(INPUTS, tmp_path / "0.npz").count == (rows or 1)


def test_inputs_without_a_common_batch_take_whole_samples(tmp_path: Path) -> None:
    arrays = {name: np.ones(kind.static_shape, np.float32) for name, kind in ODD.items()}
    for number in range(2):
        np.savez(tmp_path / f"{number}.npz", allow_pickle=True, **arrays)
    feeds = open_feeds(ODD, tmp_path)
    assert {name: next(data.samples()).array.shape for name, data in feeds.items()} == {
        "a": (4, 8),
        "b": (8, 2),
        "k": (),
    }


def test_a_network_of_several_inputs_is_calibrated(tmp_path: Path) -> None:
    model = parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[4,8] a, float[8,2] b, float k) => (float[4,2] y)'
        " { h = MatMul(a, b) y = Mul(h, k) }"
    )
    rng = np.random.default_rng(0)
    for number in range(3):
        arrays = {n: rng.normal(0, 2, k.static_shape).astype(np.float32) for n, k in ODD.items()}
        np.savez(tmp_path / f"{number}.npz", allow_pickle=True, **arrays)
    result = y10c.compile(model, "ort", calibration=tmp_path)
    assert result.samples == 3
    assert not result.synthetic
    assert all(output.cosine > 0.99 for output in result.outputs)
    onnx.checker.check_model(result.model, full_check=True)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda p: (p / "a" / "2.npy").unlink(), "different numbers of samples: 2 for 'a', 3 for 'in/b:0'"),
        (lambda p: (p / "a" / "2.npy").rename(p / "a" / "x.npy"), "different names: x.npy, 2.npy"),
        (lambda p: (p / "in_b_0").rename(p / "c"), "no calibration data for 'in/b:0'"),
        (lambda p: save(p / "in_b_0" / "1.npy", np.zeros(5)), "the tensor is 5, the input is 1x4"),
        (lambda p: np.savez(p / "0.npz", a=np.zeros((1, 3, 8, 8), np.float32)), "no array 'in/b:0'"),
        (lambda p: (p / "0.npz").write_text("no archive"), "cannot be read"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, spoil: object, says: str) -> None:
    spoil(folders(tmp_path))  # type: ignore[operator]
    with pytest.raises(DataError, match=says):
        open_feeds(INPUTS, tmp_path)


def test_a_network_without_inputs_cannot_be_calibrated(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no input"):
        open_feeds({}, tmp_path)
