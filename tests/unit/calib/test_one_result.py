"""Order, batching, threads, workers and the tree of merges do not change a bit of the calibration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from y10c.calib.channels import ChannelRanges, collect_channels
from y10c.calib.collect import collect
from y10c.calib.dataset import Dataset, open_dataset
from y10c.calib.observers import METHODS, candidates
from y10c.calib.sketch import Sketch
from y10c.calib.table import CalibrationTable
from y10c.errors import DataError

TENSORS = ["x", "c", "s", "m"]
SHAPE = (1, 3, 12, 12)


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    draw = np.random.default_rng(0)
    weight = numpy_helper.from_array((draw.standard_normal((8, 3, 3, 3)) * 0.5).astype(np.float32), "w")
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("Sigmoid", ["c"], ["s"]),
        helper.make_node("Mul", ["c", "s"], ["m"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, SHAPE)
    m = helper.make_tensor_value_info("m", TensorProto.FLOAT, [1, 8, 10, 10])
    graph = helper.make_graph(nodes, "g", [x], [m], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight samples, with both zeros, subnormals and large values among them."""
    path, draw = tmp_path_factory.mktemp("samples"), np.random.default_rng(1)
    for index in range(8):
        sample = (draw.standard_normal(SHAPE) * 10.0 ** (index - 5)).astype(np.float32)
        sample[0, 0, 0, :4] = [0.0, -0.0, 1e-41, -1e-41]
        np.save(path / f"{index}.npy", sample)
    return path


@pytest.fixture(scope="module")
def data(folder: Path) -> Dataset:
    return open_dataset(folder, input_shape=SHAPE)


def reordered(data: Dataset, order: list[int]) -> Dataset:
    return Dataset([data.sources[index] for index in order], shape=data.shape)


def bytes_of(sketches: dict[str, Sketch]) -> str:
    """All that follows from calibration: the table, and every method's ranges with their errors."""
    ranges = {
        f"{name} {bits} {symmetric}": candidates(
            sketch, bits=bits, symmetric=symmetric, methods=METHODS if bits == 8 else ("min-max", "mse")
        )
        for name, sketch in sketches.items()
        for bits in (8, 16)
        for symmetric in (True, False)
    }
    best = {name: found[0].range for name, found in ranges.items()}
    return CalibrationTable(sketches, best, {"samples": 8}).to_json() + repr(ranges)


@pytest.fixture(scope="module")
def expected(model: onnx.ModelProto, data: Dataset) -> str:
    return bytes_of(collect(model, TENSORS, data, threads=1))


@settings(max_examples=8, deadline=None, database=None)
@given(order=st.permutations(range(8)), threads=st.sampled_from([1, 2, 3, 8]))
def test_order_and_threads(
    model: onnx.ModelProto, data: Dataset, expected: str, order: list[int], threads: int
) -> None:
    assert bytes_of(collect(model, TENSORS, reordered(data, order), threads=threads)) == expected


@settings(max_examples=8, deadline=None, database=None)
@given(draw=st.data())
def test_batching_and_the_tree_of_merges(
    model: onnx.ModelProto, data: Dataset, expected: str, draw: st.DataObject
) -> None:
    """Machines that see parts of the data, merged two by two in any order."""
    order = draw.draw(st.permutations(range(8)))
    cuts = sorted(draw.draw(st.sets(st.integers(1, 7), max_size=5)))
    batches = [order[a:b] for a, b in zip([0, *cuts], [*cuts, 8], strict=True)]
    parts = [collect(model, TENSORS, reordered(data, batch), threads=1) for batch in batches]
    while len(parts) > 1:
        i, j = draw.draw(st.permutations(range(len(parts))))[:2]
        merged = {name: Sketch.merged([parts[i][name], parts[j][name]]) for name in TENSORS}
        parts = [part for k, part in enumerate(parts) if k not in (i, j)] + [merged]
    assert bytes_of(parts[0]) == expected


@pytest.mark.parametrize("workers", [2, 4])
@pytest.mark.slow  # processes start
def test_workers(model: onnx.ModelProto, data: Dataset, expected: str, workers: int) -> None:
    assert bytes_of(collect(model, TENSORS, data, workers=workers)) == expected


@settings(max_examples=10, deadline=None, database=None)
@given(order=st.permutations(range(8)), threads=st.sampled_from([1, 2, 4]))
def test_ranges_of_channels(model: onnx.ModelProto, data: Dataset, order: list[int], threads: int) -> None:
    """Where ranges per channel are asked for, the same holds; and they are the channels' own."""
    axes = {"x": 1, "c": 1, "m": -3}
    found = collect_channels(model, axes, reordered(data, order), threads=threads)
    whole = collect_channels(model, axes, data, threads=1)
    for name in axes:
        assert found[name].low.tobytes() == whole[name].low.tobytes()
        assert found[name].high.tobytes() == whole[name].high.tobytes()
    samples = np.concatenate([sample.array for sample in data.samples()])
    assert whole["x"].low.tolist() == samples.min(axis=(0, 2, 3)).tolist()
    assert whole["x"].high.tolist() == samples.max(axis=(0, 2, 3)).tolist()
    sketch = collect(model, ["c"], data)["c"]
    assert (whole["c"].low.min(), whole["c"].high.max()) == (sketch.low, sketch.high)


def test_a_channels_range_holds_zero_and_may_be_mirrored() -> None:
    array = np.array([[[1.0, 3.0]], [[-4.0, -2.0]]], np.float32)
    found = ChannelRanges.of(array, 0)
    assert [(r.low, r.high) for r in found.ranges()] == [(0.0, 3.0), (-4.0, 0.0)]
    assert [(r.low, r.high) for r in found.ranges(symmetric=True)] == [(-3.0, 3.0), (-4.0, 4.0)]
    assert found.magnitude.tolist() == [3.0, 4.0]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_channel_that_is_no_number_is_refused(value: float) -> None:
    array: Any = np.ones((1, 2, 3), np.float32)
    array[0, 1, 1] = value
    with pytest.raises(DataError, match="NaN or Inf"):
        ChannelRanges.of(array, 1)


def test_ranges_of_other_tensors_do_not_merge() -> None:
    one, other = (ChannelRanges.of(np.zeros((count, 2)), 0) for count in (2, 3))
    with pytest.raises(DataError, match="one tensor"):
        ChannelRanges.merged([one, other])


def test_images_in_flight_are_bounded_by_their_memory(
    model: onnx.ModelProto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine of many cores, four images of a large network would take more than a gigabyte."""
    from y10c.calib import collect as module
    from y10c.calib.session import ExposedSession

    session = ExposedSession(model, ["c", "s", "m"])
    assert session.bytes == 3 * 4 * 8 * 10 * 10
    monkeypatch.setattr(module.os, "cpu_count", lambda: 64)
    assert module._in_flight(session) == 4
    monkeypatch.setattr(module, "_MOST_BYTES", 2 * session.bytes + 1)
    assert module._in_flight(session) == 2
    monkeypatch.setattr(module, "_MOST_BYTES", 1)
    assert module._in_flight(session) == 1
