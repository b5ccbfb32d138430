"""Zoo models by name."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from y10c.zoo import yolov10
from y10c.zoo.named import NAMES, file_or_named, structure


def nodes(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    return list(model.graph.node)


def test_the_structure_is_that_of_the_model_with_trained_like_weights() -> None:
    shown, real = structure("n"), yolov10("n")
    assert nodes(shown) == nodes(real)
    assert [tuple(w.dims) for w in shown.graph.initializer] == [tuple(w.dims) for w in real.graph.initializer]
    assert shown.graph.input == real.graph.input
    assert shown.graph.output == real.graph.output
    assert shown.opset_import == real.opset_import


def test_a_file_goes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert isinstance(file_or_named("yolov10s"), onnx.ModelProto)
    Path("yolov10s").touch()
    assert file_or_named("yolov10s") == Path("yolov10s")
    assert file_or_named("other.onnx") == Path("other.onnx")
    assert NAMES == ("yolov10n", "yolov10s", "yolov10m", "yolov10b", "yolov10l", "yolov10x")
