"""External data: read lazily and only from the model's own folder; written when a model grows too large."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from y10c.backend import exporter
from y10c.errors import ModelError
from y10c.frontend.importer import load
from y10c.ir import DType

WEIGHTS = np.arange(6, dtype=np.float32).reshape(2, 3)


def model_with(weights: TensorProto) -> onnx.ModelProto:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3])
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", [x], [y], [weights])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def external(**facts: object) -> TensorProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2, 3])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in facts.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def saved(folder: Path, weights: TensorProto) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "model.onnx"
    path.write_bytes(model_with(weights).SerializeToString())
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    (home / "w.bin").write_bytes(b"\0" * 8 + WEIGHTS.tobytes())
    (tmp_path / "secret.bin").write_bytes(WEIGHTS.tobytes())
    (home / "link.bin").symlink_to(tmp_path / "secret.bin")
    (home / "inner.bin").symlink_to(home / "w.bin")
    return home


def constant(path: Path) -> np.ndarray:  # type: ignore[type-arg]
    (value,) = load(path).constants
    return value.numpy()


def test_data_is_read_at_its_offset(folder: Path) -> None:
    path = saved(folder, external(location="w.bin", offset=8, length=24))
    np.testing.assert_array_equal(constant(path), WEIGHTS)


def test_data_is_not_read_before_somebody_looks(folder: Path) -> None:
    graph = load(saved(folder, external(location="w.bin", offset=8)))
    (value,) = graph.constants
    assert value.tensor is not None
    assert value.tensor._array is None
    assert isinstance(value.numpy().base, np.ndarray)


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"location": "../secret.bin"}, "in the model's folder"),
        ({"location": "a/../../secret.bin"}, "in the model's folder"),
        ({"location": "/etc/passwd"}, "in the model's folder"),
        ({"location": ""}, "in the model's folder"),
        ({"location": "w\0.bin"}, "in the model's folder"),
        ({"location": "link.bin"}, "in the model's folder"),
        ({"location": "inner.bin"}, "may not be a symbolic link"),
        ({"location": "none.bin"}, "is missing"),
        ({"location": "w.bin", "offset": 9}, "beyond the end"),
        ({"location": "w.bin", "offset": -1}, "beyond the end"),
        ({"location": "w.bin", "offset": "x"}, "no number"),
        ({"location": "w.bin", "length": 4}, "needs 24 bytes"),
    ],
    ids=str,
)
def test_what_is_not_safe_or_not_there_is_refused(
    folder: Path, facts: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ModelError, match=sentence):
        load(saved(folder, external(**facts)))


def test_a_model_in_memory_has_no_folder(folder: Path) -> None:
    with pytest.raises(ModelError, match="from memory"):
        load(model_with(external(location="w.bin")))


def test_the_working_folder_is_never_looked_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    path = saved(folder.parent / "elsewhere", external(location="w.bin"))
    with pytest.raises(ModelError, match="is missing"):
        load(path)


def test_four_bit_data_is_unpacked(folder: Path) -> None:
    (folder / "w.bin").write_bytes(bytes([0x21, 0x43, 0xF5]))
    tensor = external(location="w.bin")
    tensor.data_type = TensorProto.INT4
    model = model_with(tensor)
    model.graph.node[0].CopyFrom(helper.make_node("Cast", ["w"], ["y"], to=TensorProto.FLOAT))
    model.opset_import[0].version = 21
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    values = constant(folder / "model.onnx")
    assert values.astype(np.int32).ravel().tolist() == [1, 2, 3, 4, 5, -1]
    assert values.dtype == DType.i4.numpy


def test_weights_beyond_the_limit_go_to_a_file_beside_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporter, "MAX_INLINE_BYTES", 1000)
    big = np.random.default_rng(0).random((2, 3, 500)).astype(np.float32)[:, :, 0:1] * np.ones(
        500, np.float32
    )
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3, 500])
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["h"]), helper.make_node("Mul", ["h", "s"], ["y"])],
        "g",
        [x],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3, 500])],
        [onnx.numpy_helper.from_array(big, "w"), onnx.numpy_helper.from_array(np.float32(2), "s")],
    )
    source = load(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]))
    path = exporter.save(source, tmp_path / "big.onnx", metadata={"k": "v"})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["big.onnx", "big.onnx.data"]
    assert path.stat().st_size < 2000
    again = load(path)
    assert again.info.metadata == {"k": "v"}
    values = {v.name: v.numpy() for v in again.constants}
    np.testing.assert_array_equal(values["w"], big)
    onnx.checker.check_model(str(path), full_check=True)
