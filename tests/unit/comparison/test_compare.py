"""`y10c.compare`: what is matched, what is measured, what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

import y10c
from tests.unit.comparison.conftest import SIZE, network
from y10c.cli.main import main
from y10c.comparison.matching import match
from y10c.comparison.measure import chunks
from y10c.comparison.sides import open_side
from y10c.errors import ModelError, UnknownNameError, UsageError, VisibleFailure


def run(model: Path | onnx.ModelProto, feeds: dict[str, np.ndarray], names: list[str]) -> list[np.ndarray]:
    """Tensors of a model, by onnxruntime without optimizations."""
    proto = onnx.load(model) if isinstance(model, Path) else model
    del proto.graph.output[:]
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return list(session.run(names, feeds))


def sqnr(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    return float(10 * np.log10((a**2).sum() / ((a - b) ** 2).sum()))


def test_tensors_are_matched_by_name_and_read_behind_their_pairs(float_model: Path, quantized: Path) -> None:
    pairs = match(open_side(float_model, "a"), open_side(quantized, "b", units=True))
    assert [pair.tensor for pair in pairs] == ["x", "c1", "s1", "a1", "c2", "y"]
    assert [pair.op for pair in pairs] == ["input", "Conv", "Sigmoid", "Mul", "Conv", "Add"]
    assert {pair.dtype for pair in pairs} == {"int8"}
    assert all(pair.candidate != pair.raw for pair in pairs)


def test_the_figures_are_those_of_the_two_models(float_model: Path, quantized: Path, data: Path) -> None:
    found = y10c.compare(float_model, quantized, data=data)
    (conv,) = (node for node in found.nodes if node.node == "conv2")
    samples = [np.load(file) for file in sorted(data.glob("*.npy"))]
    right = np.stack([run(float_model, {"x": s}, ["c2"])[0] for s in samples])
    name = "c2_DequantizeLinear_Output"
    judged = np.stack([run(quantized, {"x": s}, [name])[0] for s in samples])
    assert conv.sqnr_db == pytest.approx(sqnr(right, judged), abs=1e-3)
    assert conv.max_error == pytest.approx(float(np.abs(right - judged).max()), rel=1e-5)
    assert conv.cosine == pytest.approx(
        float((right * judged).sum() / np.linalg.norm(right) / np.linalg.norm(judged)), abs=1e-5
    )
    assert found.samples == 5
    assert found.outputs[0].sqnr_db == found.nodes[-1].sqnr_db


def test_the_own_loss_is_that_of_the_node_on_perfect_inputs(
    float_model: Path, quantized: Path, data: Path
) -> None:
    """Recomputed by hand: the quantized convolution between two Q/DQ pairs, fed with the float tensor."""
    found = y10c.compare(float_model, quantized, data=data, samples=1)
    (conv,) = (node for node in found.nodes if node.node == "conv2")
    sample = np.load(sorted(data.glob("*.npy"))[0])
    right_input, right = run(float_model, {"x": sample}, ["a1", "c2"])
    model = onnx.load(quantized)
    node = next(n for n in model.graph.node if n.name == "conv2")
    node.input[0] = "perfect"
    model.graph.input.append(onnx.helper.make_tensor_value_info("perfect", 1, [1, 8, SIZE, SIZE]))
    own = run(model, {"x": sample, "perfect": right_input}, ["c2_DequantizeLinear_Output"])[0]
    assert conv.own_sqnr_db == pytest.approx(sqnr(right, own), abs=1e-3)
    assert conv.own_sqnr_db > conv.sqnr_db


def test_a_single_broken_node_is_named(float_model: Path, tmp_path: Path, data: Path) -> None:
    model = onnx.load(float_model)
    weight = next(t for t in model.graph.initializer if t.name == "w2")
    broken = numpy_helper.to_array(weight) * np.float32(1.25)
    weight.CopyFrom(numpy_helper.from_array(broken, "w2"))
    onnx.save(model, tmp_path / "broken.onnx")
    found = y10c.compare(float_model, tmp_path / "broken.onnx", data=data)
    assert found.worst_own[0].node == "conv2"
    assert found.worst_own[0].own_sqnr_db == pytest.approx(20 * math.log10(4), abs=0.01)
    own = {node.node: node.own_sqnr_db for node in found.nodes}
    # The sum inherits the error and adds none.
    assert own["conv1"] == own["silu"] == own["sum"] == math.inf
    assert next(n for n in found.nodes if n.node == "sum").sqnr_db < 20


def test_equal_models_are_equal(float_model: Path, data: Path) -> None:
    found = y10c.compare(float_model, float_model, data=data)
    assert all(node.cosine == 1.0 and node.sqnr_db == math.inf for node in found.nodes)
    assert {node.dtype for node in found.nodes} == {"float"}
    assert found.detections is None


def test_saturation_counts_what_the_grid_clips(float_model: Path, quantized: Path, data: Path) -> None:
    model = onnx.load(quantized)
    scale = next(t for t in model.graph.initializer if t.name == "c2_scale")
    halved = numpy_helper.to_array(scale) / 2
    scale.CopyFrom(numpy_helper.from_array(halved.astype(np.float32), "c2_scale"))
    found = y10c.compare(float_model, model, data=data)
    (conv,) = (node for node in found.nodes if node.node == "conv2")
    raw = np.stack([run(model, {"x": np.load(f)}, ["c2"])[0] for f in sorted(data.glob("*.npy"))])
    zero = next(int(numpy_helper.to_array(t)) for t in model.graph.initializer if t.name == "c2_zero_point")
    codes = np.rint(raw.astype(np.float64) / float(halved)) + zero
    assert conv.saturation == pytest.approx(float(((codes < -128) | (codes > 127)).mean()), abs=2e-4)
    assert conv.saturation > 0.001


def test_memory_is_bounded_by_chunks(
    float_model: Path, quantized: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = y10c.compare(float_model, quantized, data=data)
    monkeypatch.setattr("y10c.comparison.measure.MOST_ELEMENTS", 3000)
    pairs = match(open_side(float_model, "a"), open_side(quantized, "b", units=True))
    assert [len(part) for part in chunks(pairs)] == [2, 1, 1, 1, 1]
    assert y10c.compare(float_model, quantized, data=data).nodes == whole.nodes


def test_models_of_other_tensor_names_are_compared_at_their_outputs(tmp_path: Path, data: Path) -> None:
    one, other = network(), network(prefix="k_")
    other.graph.node[-1].output[0] = other.graph.output[0].name = "y"
    found = y10c.compare(one, other, data=data)
    assert [node.tensor for node in found.nodes] == ["y"]
    assert found.outputs[0].cosine == 1.0


def test_an_input_of_another_name_gets_the_same_data(data: Path) -> None:
    found = y10c.compare(network(), network(inputs="images"), data=data)
    assert found.outputs[0].sqnr_db == math.inf


def test_models_that_share_nothing_are_refused(data: Path) -> None:
    with pytest.raises(ModelError, match="share no tensor name and no output name"):
        y10c.compare(network(), network(inputs="z", prefix="k_"), data=data)


def test_inputs_that_differ_are_refused(data: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot feed both models: input 'x' of reference is"):
        y10c.compare(network(), network(size=32), data=data)


def test_generated_data_is_said(float_model: Path, quantized: Path) -> None:
    from y10c import diagnostics

    with diagnostics.collect() as warnings:
        found = y10c.compare(float_model, quantized, samples=1)
    assert found.synthetic
    assert [w.code for w in warnings] == ["Y5001"]


def test_the_command_prints_and_writes(
    float_model: Path, quantized: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(float_model), str(quantized), "--data", str(data), "-o", str(tmp_path / "out"), "--json"]
    assert main(["compare", *arguments]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [node["node"] for node in found["nodes"]] == ["x", "conv1", "gate", "silu", "conv2", "sum"]
    assert {"cosine", "sqnr_db", "own_sqnr_db", "max_error", "threshold", "saturation", "dtype"} <= set(
        found["nodes"][1]
    )
    written = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert written["nodes"] == found["nodes"]
    rows = (tmp_path / "out" / "compare_nodes.csv").read_text().splitlines()
    assert len(rows) == 7
    assert (tmp_path / "out" / "compare.html").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("gate", "code"),
    [("cosine=0.9", 0), ("cosine=0.999999", 1), ("sqnr=5", 0), ("node-sqnr=80", 1), ("agreement=0.5", 1)],
)
def test_a_bar_that_is_missed_is_exit_1(
    float_model: Path, quantized: Path, data: Path, gate: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    models = [str(float_model), str(quantized)]
    assert main(["compare", *models, "--data", str(data), "--fail-under", gate]) == code
    said = capsys.readouterr().err
    assert ("error[Y1002]" in said) == (code == 1)


@pytest.mark.parametrize("gate", ["speed=3", "cosine", "cosine=much"])
def test_a_bar_that_is_not_understood_is_exit_2(
    float_model: Path, gate: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(float_model), str(float_model), "--fail-under", gate]) == 2
    assert "error[Y200" in capsys.readouterr().err


def test_an_output_that_the_candidate_lacks_misses_every_bar(data: Path) -> None:
    from y10c.comparison.gates import Gate, check

    more = network()
    more.graph.output.append(onnx.helper.make_tensor_value_info("c1", 1, [1, 8, SIZE, SIZE]))
    less = network(prefix="k_")
    less.graph.node[-1].output[0] = less.graph.output[0].name = "y"
    found = y10c.compare(more, less, data=data)
    with pytest.raises(VisibleFailure, match="output c1 is not in the candidate"):
        check(found, [Gate.parse("cosine=0.1")])
    with pytest.raises(UnknownNameError):
        Gate.parse("cosines=0.1")
    with pytest.raises(UsageError):
        Gate.parse("cosine=")


def test_what_runs_as_one_unit_is_one_row(float_model: Path, data: Path) -> None:
    """A SiLU that the candidate does not quantize inside has no inner tensor."""
    found = y10c.compare(float_model, float_model, data=data)
    assert [node.op for node in found.nodes] == ["Conv", "y10c.SiLU", "Conv", "Add"]


def test_networks_of_several_inputs_take_an_archive_a_sample(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("a", "b", "y")]
    graph = helper.make_graph([helper.make_node("Sub", ["a", "b"], ["y"])], "g", ends[:2], ends[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    draw = np.random.default_rng(0)
    for index in range(3):
        first, second = draw.random((2, 1, 4), dtype=np.float32)
        np.savez(tmp_path / f"{index}.npz", a=first, b=second)
    found = y10c.compare(model, model, data=tmp_path)
    assert found.samples == 3
    assert found.outputs[0].sqnr_db == math.inf
