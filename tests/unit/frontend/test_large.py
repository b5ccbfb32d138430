"""Weights beyond protobuf's 2 GB, for real: read from a file with holes, written again, and run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from y10c.frontend.importer import load
from y10c.ir.graph import Graph

ROWS, COLUMNS = 560_000, 1_000
"""2.24 GB of float32."""
MARKED_ROW = 550_000
MEMORY = 400_000_000
FREE = 10_000_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with room, emptied in the end, since pytest keeps folders."""
    if shutil.disk_usage(tmp_path).free < FREE:
        pytest.skip("less than 10 GB of disk are free")
    yield tmp_path
    shutil.rmtree(tmp_path)


@pytest.fixture
def large(folder: Path) -> Path:
    """A model that gathers a row of a table, which is zero but for one row."""
    home = folder / "given"
    home.mkdir()
    with (home / "table.bin").open("wb") as file:
        file.seek(MARKED_ROW * COLUMNS * 4)
        file.write(np.full(COLUMNS, 7, np.float32).tobytes())
        file.truncate(ROWS * COLUMNS * 4)
    table = TensorProto(name="table", data_type=TensorProto.FLOAT, dims=[ROWS, COLUMNS])
    table.data_location = TensorProto.EXTERNAL
    table.external_data.add(key="location", value="table.bin")
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "row"], ["y"])],
        "g",
        [helper.make_tensor_value_info("row", TensorProto.INT64, [])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [COLUMNS])],
        [table],
    )
    path = home / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def anonymous_memory() -> int:
    """Bytes that the process holds itself; mapped files do not count."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("RssAnon:")[2].split()[0])


def gathered(path: Path, row: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"row": np.asarray(row, np.int64)})[0]


@pytest.mark.slow  # writes 4.5 GB and reads them back
def test_more_than_two_gigabytes_go_through(large: Path, folder: Path) -> None:
    from y10c.backend.exporter import save
    from y10c.ir.textdata import load_text, save_text

    before = anonymous_memory()
    graph: Graph = load(large)
    out = save(graph, folder / "out" / "model.onnx")
    assert anonymous_memory() - before < MEMORY
    assert out.stat().st_size < 1_000_000
    assert (out.parent / "model.onnx.data").stat().st_size >= ROWS * COLUMNS * 4
    for row, value in ((MARKED_ROW, 7), (MARKED_ROW + 1, 0)):
        np.testing.assert_array_equal(gathered(out, row), np.full(COLUMNS, value, np.float32))
    text = save_text(graph, folder / "text" / "model.y10c")
    again = load_text(text)
    assert [v.tensor.digest for v in again.constants if v.tensor] == [
        v.tensor.digest for v in graph.constants if v.tensor
    ]
