"""`y10c detect` and `y10c info` on a small head and small pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from y10c.cli.main import main

CLASSES, BINS = 80, 2


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw logits at strides 8, 16 and 32 of a 64x64 input: whatever is red is a bus (class 5)."""
    nodes, constants, outputs = [], [], []
    for stride in (8, 16, 32):
        cls = np.zeros((CLASSES, 3, 1, 1), np.float32)
        cls[5, 0] = 20.0
        bias = np.full(CLASSES, -10, np.float32)
        box = np.zeros((4 * BINS, 3, 1, 1), np.float32)
        for role, weight, offset in (("cls", cls, bias), ("box", box, np.zeros(4 * BINS, np.float32))):
            name = f"{role}{stride}"
            constants += [numpy_helper.from_array(weight, f"{name}w")]
            constants += [numpy_helper.from_array(offset, f"{name}b")]
            inputs = ["images", f"{name}w", f"{name}b"]
            nodes.append(helper.make_node("Conv", inputs, [f"{name}_nchw"], strides=[stride, stride]))
            nodes.append(helper.make_node("Transpose", [f"{name}_nchw"], [name], perm=[0, 2, 3, 1]))
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 64, 64])
    graph = helper.make_graph(nodes, "red", [image], outputs, constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path = tmp_path_factory.mktemp("model") / "red.onnx"
    onnx.save(onnx.shape_inference.infer_shapes(made), path)
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    red = Image.new("RGB", (128, 64))
    red.paste((255, 0, 0), (0, 0, 16, 16))
    red.save(folder / "7.png")
    Image.new("RGB", (32, 32)).save(folder / "black.png")
    return folder


def told(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_detect_writes_results_and_pictures(
    model: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["--json", "detect", str(model), str(pictures), "-o", str(out)]) == 0
    answer = told(capsys)
    found = answer["images"][str(pictures / "7.png")]
    assert {row["class"] for row in found} == {"bus"}
    assert answer["images"][str(pictures / "black.png")] == []
    rows = json.loads((out / "detections.json").read_text())
    assert {(row["image_id"], row["category_id"]) for row in rows} == {(7, 6)}
    with Image.open(out / "7.jpg") as drawn:
        assert drawn.size == (128, 64)


def test_pictures_of_one_name_do_not_replace_each_other(model: Path, pictures: Path, tmp_path: Path) -> None:
    out, one, other = tmp_path / "out", pictures / "7.png", tmp_path / "7.png"
    other.write_bytes(one.read_bytes())
    assert main(["detect", str(model), str(one), str(other), "-o", str(out)]) == 0
    assert {p.name for p in out.iterdir()} == {"7.jpg", "7_1.jpg", "detections.json"}
    ids = {row["image_id"] for row in json.loads((out / "detections.json").read_text())}
    assert ids == {one.as_posix(), other.as_posix()}


def test_a_picture_named_twice_is_looked_at_once(model: Path, pictures: Path, tmp_path: Path) -> None:
    once, twice, same = tmp_path / "once", tmp_path / "twice", pictures / ".." / "pictures" / "7.png"
    assert main(["detect", str(model), str(pictures), "-o", str(once)]) == 0
    assert main(["detect", str(model), str(pictures), str(same), "-o", str(twice)]) == 0
    assert {p.name for p in twice.iterdir()} == {"7.jpg", "black.jpg", "detections.json"}
    assert (twice / "detections.json").read_bytes() == (once / "detections.json").read_bytes()


def test_drawn_copies_never_replace_the_pictures(
    model: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Image.open(pictures / "7.png") as image:
        image.save(pictures / "7.jpg")
    before = {path: path.read_bytes() for path in pictures.iterdir()}
    assert main(["detect", str(model), str(pictures), "-o", str(pictures)]) == 2
    assert "would replace this picture" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in pictures.iterdir()} == before


def test_a_file_that_is_no_picture_is_named_and_skipped(
    model: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = pictures / "bad.png"
    bad.write_text("no picture")
    Image.fromarray(np.full((8, 8), 1000, np.uint16)).save(pictures / "deep.png")
    assert main(["detect", str(model), str(pictures), "-o", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().err
    assert "bad.png" in told
    assert "8 bits" in told
    assert not (tmp_path / "out" / "deep.jpg").exists()


def test_nothing_is_left_where_no_picture_can_be_read(model: Path, tmp_path: Path) -> None:
    bad, out = tmp_path / "bad.png", tmp_path / "out"
    bad.write_text("no picture")
    assert main(["detect", str(model), str(bad), "-o", str(out)]) == 3
    assert main(["detect", str(model), str(tmp_path / "none.png"), "-o", str(out)]) == 3
    assert not out.exists()


def test_a_model_without_head_is_refused(
    tmp_path: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3, 8, 8])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [image], [out])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "m.onnx")
    assert main(["detect", str(tmp_path / "m.onnx"), str(pictures), "-o", str(tmp_path / "out")]) == 3
    assert "no detection head" in capsys.readouterr().err


def test_info_tells_head_and_size(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json", "info", str(model)]) == 0
    answer = told(capsys)
    assert (answer["head"]["kind"], answer["head"]["classes"], answer["head"]["reg_max"]) == ("raw", 80, 2)
    cells = 8 * 8 + 4 * 4 + 2 * 2
    assert answer["macs"] == cells * 3 * (CLASSES + 4 * BINS)
    assert answer["parameters"] == 3 * 4 * (CLASSES + 4 * BINS)
    assert answer["opsets"] == {"ai.onnx": 17}
    assert "int8" not in answer


def test_info_shows_names_of_open_extents(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed, path = onnx.load(model), tmp_path / "m.onnx"
    _has_open_extents(changed)
    onnx.save(changed, path)
    assert main(["info", str(path)]) == 0
    assert "f32[batch,3,64,64]" in capsys.readouterr().out


def test_info_draws_a_table(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(model)]) == 0
    text = capsys.readouterr().out
    for word in ("raw", "80 classes", "strides 8, 16, 32", "f32[1,3,64,64]", "Conv"):
        assert word in text


def _feeds_bytes(model: onnx.ModelProto) -> None:
    """The input is uint8, channels last, as cameras give pictures; the model scales it."""
    graph = model.graph
    graph.input[0].name = "pixels"
    graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    for dim, extent in zip(graph.input[0].type.tensor_type.shape.dim, (1, 64, 64, 3), strict=True):
        dim.dim_value = extent
    graph.initializer.append(numpy_helper.from_array(np.array(255, np.float32), "white"))
    first = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["floats", "white"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["images"], perm=[0, 3, 1, 2]),
    ]
    nodes = [*first, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _takes_a_batch(model: onnx.ModelProto) -> None:
    for entry in (*model.graph.input, *model.graph.output):
        entry.type.tensor_type.shape.dim[0].dim_value = 2


def _has_open_extents(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"


@pytest.mark.parametrize("change", [_feeds_bytes, _takes_a_batch, _has_open_extents])
def test_detect_feeds_a_model_as_its_input_asks(
    model: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Any
) -> None:
    changed, path = onnx.load(model), tmp_path / "m.onnx"
    change(changed)
    del changed.graph.value_info[:]
    onnx.save(changed, path)
    answers = []
    for one in (model, path):
        assert main(["--json", "detect", str(one), str(pictures), "-o", str(tmp_path / "out")]) == 0
        answers.append(told(capsys)["images"])
    assert answers[1] == answers[0]
    assert answers[0][str(pictures / "7.png")]


def test_detect_says_what_it_cannot_feed(
    model: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed, path = onnx.load(model), tmp_path / "m.onnx"
    changed.graph.input.append(helper.make_tensor_value_info("luma", TensorProto.UINT8, [1, 64, 64, 1]))
    onnx.save(changed, path)
    assert main(["detect", str(path), str(pictures), "-o", str(tmp_path / "out")]) == 3
    assert "luma tensor(uint8)" in " ".join(capsys.readouterr().err.split())


def test_a_table_of_many_classes_is_short(capsys: pytest.CaptureFixture[str]) -> None:
    from y10c.cli.detect import _summary

    labels = [name for i, name in enumerate("abcdefgh") for _ in range(9 - i)]
    assert _summary(labels) == "9 a, 8 b, 7 c, 6 d, 5 e, 4 f, 2 classes more"
    assert _summary([]) == "-"
