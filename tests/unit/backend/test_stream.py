"""A file written constant by constant holds the model that a message would."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest

from y10c.backend.exporter import export_model, save
from y10c.ir import DType, Graph, TensorType
from y10c.rewrite import Rewriter


def graph_with(data: np.ndarray) -> Graph:
    graph = Graph("g")
    x = graph.add_input(TensorType(DType.f32, (1,)), "x")
    rw = Rewriter(graph)
    graph.set_outputs([rw.op.Identity(x), rw.op.Identity(rw.const(data))], ["y", "z"])
    return graph


@pytest.mark.parametrize(
    "data",
    [
        np.arange(5000, dtype=np.float32).reshape(50, 100),
        np.asfortranarray(np.arange(5000, dtype=np.float64).reshape(50, 100)),
        np.arange(3000, dtype=np.int64)[::2],
        np.ones(4000, np.bool_),
        np.arange(4000).astype(ml_dtypes.bfloat16),
        (np.arange(4000) % 8).astype(ml_dtypes.int4),
        np.array(["a"] * 2000, object),
        np.zeros((0, 3), np.float32),
        np.arange(3, dtype=np.float32),
    ],
    ids=["f32", "fortran", "strided", "bool", "bf16", "i4", "str", "empty", "short"],
)
def test_the_file_parses_to_the_message_and_passes_the_checker(data: np.ndarray, tmp_path: Path) -> None:
    graph = graph_with(data)
    path = save(graph, tmp_path / "m.onnx", metadata={"k": "v"})
    assert onnx.load(path) == export_model(graph, metadata={"k": "v"})
    onnx.checker.check_model(str(path))
    assert path.read_bytes() == save(graph, tmp_path / "again.onnx", metadata={"k": "v"}).read_bytes()


def test_onnxruntime_reads_it(tmp_path: Path) -> None:
    import onnxruntime as ort

    data = np.random.default_rng(0).random((300, 400), np.float32)
    session = ort.InferenceSession(
        save(graph_with(data), tmp_path / "m.onnx"), providers=["CPUExecutionProvider"]
    )
    np.testing.assert_array_equal(session.run(["z"], {"x": np.zeros(1, np.float32)})[0], data)
