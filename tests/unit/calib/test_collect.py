"""One pass over the data gives the same bits whatever the threads and workers, and stops cleanly."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from y10c.calib.collect import collect, run_outputs
from y10c.calib.dataset import open_dataset
from y10c.calib.sketch import Sketch
from y10c.errors import DataError, ModelError, UnknownNameError, UsageError

SHAPE = (1, 3, 16, 16)
TENSORS = ["x", "conv", "y"]


@pytest.fixture
def data(tmp_path):
    np.save(tmp_path / "d.npy", np.random.default_rng(1).random((6, *SHAPE[1:]), np.float32))
    return open_dataset(tmp_path / "d.npy", input_shape=SHAPE)


def model(batch=1, activation="Sigmoid"):
    weights = np.random.default_rng(0).standard_normal((4, 3, 3, 3)).astype(np.float32)
    nodes = [helper.make_node("Conv", ["x", "w"], ["conv"]), helper.make_node(activation, ["conv"], ["y"])]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (batch, *SHAPE[1:]))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weights, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def test_sketches_hold_what_the_model_computes(data):
    found = collect(model(), TENSORS, data)
    runs = list(run_outputs(model(), data, TENSORS))
    assert [name for name, _ in runs] == data.names
    for tensor in TENSORS:
        assert found[tensor] == Sketch.of(np.stack([arrays[tensor] for _, arrays in runs]))


def test_threads_do_not_change_a_bit(data):
    assert collect(model(), TENSORS, data, threads=1) == collect(model(), TENSORS, data, threads=3)


@pytest.mark.slow  # starts processes, which import onnxruntime
def test_workers_do_not_change_a_bit_and_report_findings(tmp_path, data):
    seen = []
    alone = collect(model(), TENSORS, data)
    fresh = open_dataset(tmp_path / "d.npy", input_shape=SHAPE)
    spread = collect(model(), TENSORS, fresh, workers=2, progress=lambda done, of: seen.append((done, of)))
    assert spread == alone
    assert seen[-1] == (6, 6)
    assert fresh.notes == data.notes


def test_the_model_given_is_not_changed_and_may_be_a_path(tmp_path, data):
    given = model()
    before = given.SerializeToString()
    found = collect(given, TENSORS, data)
    assert given.SerializeToString() == before
    onnx.save(given, tmp_path / "m.onnx")
    assert collect(tmp_path / "m.onnx", TENSORS, data) == found


def test_progress_counts_images_up_to_all(data):
    seen = []
    collect(model(), ["y"], data, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i, 6) for i in range(7)]


def test_an_interrupt_in_the_middle_passes_through(data):
    def interrupt(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collect(model(), ["y"], data, progress=interrupt)


def test_a_fixed_batch_is_filled_by_repetition(data):
    one, two = collect(model(), ["y"], data)["y"], collect(model(batch=2), ["y"], data)["y"]
    assert (two.count, two.low, two.high) == (2 * one.count, one.low, one.high)


def test_nan_in_a_tensor_names_tensor_and_sample(data):
    with pytest.raises(DataError, match="tensor y holds") as caught:
        collect(model(activation="Log"), ["y"], data)
    assert caught.value.code == "Y3103"
    assert caught.value.where == "d.npy[0]"
    assert collect(model(activation="Log"), ["y"], data, allow_nonfinite=True)["y"].nonfinite > 0


def test_a_tensor_that_is_not_there_or_constant_is_refused(data):
    for name in ("convv", "w"):
        with pytest.raises(UnknownNameError):
            collect(model(), [name], data)


def test_data_of_another_shape_and_a_broken_model_are_errors_with_a_reason(tmp_path, data):
    np.save(tmp_path / "e.npy", np.random.default_rng(1).random((1, 3, 8, 8), np.float32))
    other = open_dataset(tmp_path / "e.npy", input_shape=(1, 3, 8, 8))
    with pytest.raises(ModelError, match="does not run"):
        collect(model(), ["y"], other)
    with pytest.raises(ModelError, match="does not load"):
        collect(model(activation="NoSuchOp"), ["y"], data)


def test_every_input_needs_its_data(data):
    with pytest.raises(UsageError, match="the model has the inputs x"):
        collect(model(), ["y"], {"z": data})
    assert collect(model(), ["y"], {"x": data}) == collect(model(), ["y"], data)


@pytest.mark.slow  # runs YOLOv10n at 640
def test_a_real_detector_on_photographs(shared):
    net = onnx.load(shared / "models/yolov10n_coco.onnx")
    tensors = [node.output[0] for node in net.graph.node if node.op_type in ("Conv", "Concat", "MatMul")]
    photos = open_dataset(shared / "images/calibration", input_shape=(1, 3, 640, 640), limit=2)
    one, two = (collect(net, tensors, photos, threads=threads) for threads in (1, 2))
    assert one == two
    assert all(not sketch.empty and sketch.nonfinite == 0 for sketch in one.values())
