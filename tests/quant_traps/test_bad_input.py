"""Data and models that ruin peers' INT8 models silently: here a result that works, or what is wrong.

Peers write a broken file with exit code 0 for most of these, and none names the sample or the tensor.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantFormat, quantize_static
from PIL import Image

from tests.exactness.test_models import block
from tests.quant_traps.conftest import TARGETS
from tests.unit.comparison.conftest import Samples
from y10c.cli.main import main

SHAPE = (1, 3, 16, 16)


def samples(folder: Path, **arrays: np.ndarray) -> Path:
    folder.mkdir()
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array.astype(np.float32))
    return folder


def drawn(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(SHAPE)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    onnx.save(block(), path)
    return path


def compiled(model: Path, data: Path, target: str = "j6") -> tuple[int, Path]:
    out = model.parent / f"out_{target}"
    options = ["-t", target, "--calibration", str(data), "-o", str(out), "--mixed", "off", "--effort", "fast"]
    return main(["compile", str(model), *options]), out / "model_ptq_model.onnx"


def assert_runs(path: Path, *, close_to: Path | None = None, at_least_db: float = 10.0) -> None:
    """The file is a valid model whose outputs are numbers, and near those of a float model."""
    onnx.checker.check_model(str(path), full_check=True)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    sample = {session.get_inputs()[0].name: drawn(9).astype(np.float32)}
    found = session.run(None, sample)
    assert all(np.isfinite(array).all() for array in found)
    if close_to is not None:
        right = onnxruntime.InferenceSession(str(close_to), providers=["CPUExecutionProvider"]).run(
            None, sample
        )
        for a, b in zip(right, found, strict=True):
            noise = float(((a.astype(np.float64) - b) ** 2).mean())
            assert 10 * np.log10(float((a.astype(np.float64) ** 2).mean()) / noise) > at_least_db


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf], ids=["nan", "inf", "-inf"])
def test_one_value_that_is_no_number(
    model: Path, tmp_path: Path, value: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """Silent ruin in two of three peers: here the file and the place are named."""
    bad = drawn(1)
    bad[0, 1, 2, 3] = value
    code, path = compiled(model, samples(tmp_path / "data", a=drawn(0), b=bad, c=drawn(2)))
    said = capsys.readouterr().err
    assert code == 3
    assert "error[Y3103]" in said
    assert "b.npy" in said
    assert "[0, 1, 2, 3]" in said
    assert not path.exists()


def test_all_zero_images_are_not_silent(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every peer passes them without a word."""
    code, path = compiled(model, samples(tmp_path / "data", a=np.zeros(SHAPE), b=np.zeros(SHAPE)))
    assert code == 0
    assert "every sample is constant, so the ranges are meaningless" in capsys.readouterr().err
    assert_runs(path)


def test_one_constant_image_among_others_is_named(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, path = compiled(model, samples(tmp_path / "data", a=drawn(), grey=np.full(SHAPE, 0.5)))
    assert code == 0
    said = capsys.readouterr().err
    assert "every pixel has the same value" in said
    assert "grey.npy" in said
    assert_runs(path, close_to=model)


def test_a_single_image_is_enough(model: Path, tmp_path: Path) -> None:
    code, path = compiled(model, samples(tmp_path / "data", a=drawn()))
    assert code == 0
    assert_runs(path, close_to=model)


def test_images_of_any_size_are_fitted(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    draw = np.random.default_rng(0)
    for index, (width, height) in enumerate([(40, 10), (7, 300), (16, 16), (640, 480)]):
        pixels = draw.integers(0, 256, (height, width, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    Image.fromarray(draw.integers(0, 256, (20, 30)).astype(np.uint8)).save(folder / "grey.png")
    code, path = compiled(model, folder)
    assert code == 0
    assert_runs(path, close_to=model)


def test_a_tensor_of_another_size_is_refused_by_name(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, path = compiled(model, samples(tmp_path / "data", a=drawn(), b=np.zeros((1, 3, 20, 20))))
    said = capsys.readouterr().err
    assert code == 3
    assert "b.npy" in said
    assert "1x3x20x20" in said
    assert not path.exists()


def small(nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray], channels: int) -> onnx.ModelProto:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, channels, 16, 16])
    stored = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "g", [x], [y], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def weights(*shape: int, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(shape) * 0.3).astype(np.float32)


@pytest.mark.parametrize("target", TARGETS)
def test_constant_activations_and_dead_channels(tmp_path: Path, target: str) -> None:
    """A Relu that is always 0, a channel without weights, a channel that is only its bias."""
    first, second = weights(8, 3, 3, 3), weights(4, 8, 1, 1, seed=1)
    first[2], first[5] = 0, 0
    second[1] = 0
    bias = weights(8, seed=2)
    bias[2], bias[5] = -3.0, 40.0
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], name="first", pads=[1] * 4),
        helper.make_node("Relu", ["c1"], ["r1"], name="relu"),
        helper.make_node("Mul", ["r1", "none"], ["z"], name="nothing"),
        helper.make_node("Add", ["r1", "z"], ["s"], name="sum"),
        helper.make_node("Conv", ["s", "w2"], ["y"], name="second"),
    ]
    path = tmp_path / "model.onnx"
    constants = {"w1": first, "b1": bias, "none": np.zeros((1, 8, 1, 1), np.float32), "w2": second}
    onnx.save(small(nodes, constants, 4), path)
    code, made = compiled(path, samples(tmp_path / "data", a=drawn(), b=drawn(1)), target)
    assert code == 0
    assert_runs(made, close_to=path)


@pytest.mark.parametrize("target", TARGETS)
def test_a_tensor_that_is_zero_for_every_sample(tmp_path: Path, target: str) -> None:
    """A histogram with one bin, at zero: the scale must not become 0 or infinite."""
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], name="first", pads=[1] * 4),
        helper.make_node("Relu", ["c1"], ["r1"], name="relu"),
        helper.make_node("Conv", ["r1", "w2", "b2"], ["y"], name="second"),
    ]
    path = tmp_path / "model.onnx"
    off = {"w1": weights(8, 3, 3, 3), "b1": np.full(8, -100, np.float32)}
    on = {"w2": weights(4, 8, 1, 1), "b2": weights(4, seed=3)}
    onnx.save(small(nodes, {**off, **on}, 4), path)
    code, made = compiled(path, samples(tmp_path / "data", a=drawn(), b=drawn(1)), target)
    assert code == 0
    assert_runs(made, close_to=path)
    for tensor in onnx.load(made).graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            assert np.isfinite(numpy_helper.to_array(tensor)).all()


def test_a_network_that_overflows_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """NaN and Inf that arise inside: the tensor and the sample are named, not only the data checked."""
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["c1"], name="first", pads=[1] * 4),
        helper.make_node("Exp", ["c1"], ["e"], name="explode"),
        helper.make_node("Conv", ["e", "w2"], ["y"], name="second"),
    ]
    path = tmp_path / "model.onnx"
    constants = {"w1": np.full((8, 3, 3, 3), 60, np.float32), "w2": weights(4, 8, 1, 1)}
    onnx.save(small(nodes, constants, 4), path)
    code, made = compiled(path, samples(tmp_path / "data", a=drawn(), b=drawn(1)))
    said = capsys.readouterr().err
    assert code == 3
    assert "error[Y3103]" in said
    assert "a.npy" in said
    assert not made.exists()


def test_a_weight_that_is_no_number_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = weights(4, 3, 1, 1)
    broken[0, 0] = np.nan
    path = tmp_path / "model.onnx"
    onnx.save(small([helper.make_node("Conv", ["x", "w1"], ["y"], name="only")], {"w1": broken}, 4), path)
    code, made = compiled(path, samples(tmp_path / "data", a=drawn()))
    assert code == 3
    assert "error[Y3" in capsys.readouterr().err
    assert not made.exists()


@pytest.mark.parametrize("target", TARGETS)
def test_a_model_of_opset_11(tmp_path: Path, target: str) -> None:
    """Peers write a file that does not load, with exit code 0."""
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], name="first", pads=[1] * 4),
        helper.make_node("Sigmoid", ["c1"], ["g1"], name="gate"),
        helper.make_node("Mul", ["c1", "g1"], ["a1"], name="silu"),
        helper.make_node("Softmax", ["a1"], ["p"], name="softmax", axis=1),
        helper.make_node("Conv", ["p", "w2"], ["y"], name="second"),
    ]
    constants = {"w1": weights(8, 3, 3, 3), "b1": weights(8), "w2": weights(4, 8, 1, 1)}
    old = small(nodes, constants, 4)
    old.opset_import[0].version = 11  # there, Softmax takes everything from its axis on as one
    path = tmp_path / "model.onnx"
    onnx.save(old, path)
    code, made = compiled(path, samples(tmp_path / "data", a=drawn(), b=drawn(1)), target)
    assert code == 0
    assert_runs(made, close_to=path)


def test_a_model_that_is_quantized_already(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Peers quantize it once more into a file that does not load: here the user is told."""
    data = samples(tmp_path / "data", a=drawn(), b=drawn(1))
    once = tmp_path / "once" / "model.onnx"
    once.parent.mkdir()
    quantize_static(model, once, Samples(data), quant_format=QuantFormat.QDQ)
    code, made = compiled(once, data)
    assert code == 3
    assert "quantized already" in capsys.readouterr().err
    assert not made.exists()


def test_the_report_shows_similarity_layer_by_layer(model: Path, tmp_path: Path) -> None:
    """No peer gives one: here a table and a page are written unasked."""
    code, made = compiled(model, samples(tmp_path / "data", a=drawn(), b=drawn(1)))
    assert code == 0
    rows = (made.parent / "model_node_info.csv").read_text().splitlines()
    assert "Quantized Cosine" in rows[0]
    assert len(rows) > 10
    page = (made.parent / "model.html").read_text()
    assert "Cosine with float" in page
    assert json.loads((made.parent / "model.json").read_text())
