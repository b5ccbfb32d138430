"""A kit is complete, passes our own check, and its float model is ours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import y10c
from y10c.calib.session import ExposedSession
from y10c.cli.main import main
from y10c.config.load import parse_config, read_config
from y10c.errors import UsageError
from y10c.kit.floats import float_model, weight_grids
from y10c.kit.settings import kit_values, quant_config_of
from y10c.kit.write import Kit, write_kit
from y10c.pipeline.result import Result
from y10c.quant.options import QuantOptions
from y10c.zoo import yolov10

SIZE = 64


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for index in range(3):
        coarse = rng.uniform(0, 1, (1, 3, 8, 8)).astype(np.float32)
        np.save(folder / f"{index}.npy", coarse.repeat(8, axis=2).repeat(8, axis=3))
    return folder


@pytest.fixture(scope="module")
def result(data: Path) -> Result:
    wide = {"/model.1/conv/Conv": "int16"}
    quant = QuantOptions(mixed="off", method="min-max", rounding=False, node_types=wide)
    return y10c.compile(yolov10("n", size=SIZE), "j6", calibration=data, quant=quant)


@pytest.fixture(scope="module")
def kit(result: Result, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Kit]:
    folder = tmp_path_factory.mktemp("kit") / "kit"
    return folder, write_kit(result, folder, "n")


def arrays(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}


def operands(model: onnx.ModelProto) -> dict[str, dict[int, np.ndarray]]:
    """The constants of each node by their place."""
    known = arrays(model)
    return {n.name: {i: known[o] for i, o in enumerate(n.input) if o in known} for n in model.graph.node}


def outputs_of(model: onnx.ModelProto, feed: np.ndarray) -> dict[str, np.ndarray]:
    names = [one.name for one in model.graph.output]
    found = ExposedSession(model, names).run({model.graph.input[0].name: feed})
    return {name: array.copy() for name, array in found.items()}


def test_it_is_complete(kit: tuple[Path, Kit]) -> None:
    folder, _ = kit
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {
        "README.md",
        "config.yaml",
        "n_float.onnx",
        "expected.json",
        "head.json",
        "postprocess.py",
        "calibration/0000.npy",
        "calibration/0001.npy",
        "calibration/0002.npy",
    }


def test_it_passes_our_own_check(kit: tuple[Path, Kit], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = kit
    assert main(["config", "check", str(folder / "config.yaml")]) == 0
    monkeypatch.chdir(folder)
    assert main(["config", "check", "config.yaml"]) == 0


def test_it_says_that_the_closed_part_was_not_run(kit: tuple[Path, Kit]) -> None:
    folder, _ = kit
    for name in ("README.md", "config.yaml"):
        assert "was NOT run" in (folder / name).read_text()
    assert json.loads((folder / "expected.json").read_text())["closed_toolchain_run"] is False


def test_nodes_keep_their_names_and_order(kit: tuple[Path, Kit], result: Result) -> None:
    model = onnx.load(kit[0] / "n_float.onnx")
    onnx.checker.check_model(model, full_check=True)
    optimized = result.models["optimized"]
    assert [(n.name, n.op_type) for n in model.graph.node] == [
        (n.name, n.op_type) for n in optimized.graph.node
    ]
    assert [o.name for o in model.graph.output] == [o.name for o in optimized.graph.output]
    assert model.opset_import[0].version == optimized.opset_import[0].version
    assert not {n.op_type for n in model.graph.node} & {"QuantizeLinear", "DequantizeLinear"}


def test_without_the_rounding_it_equals_the_optimized_model(kit: tuple[Path, Kit], result: Result) -> None:
    """With the float weights of the same names in place of ours, all outputs are within 1e-4."""
    model = onnx.load(kit[0] / "n_float.onnx")
    optimized = result.models["optimized"]
    floats = arrays(optimized)
    replaced = [one.name for one in model.graph.initializer if one.name in floats]
    for one in model.graph.initializer:
        if one.name in floats:
            one.CopyFrom(numpy_helper.from_array(floats[one.name], one.name))
    assert len(replaced) > 100
    feed = np.random.default_rng(1).uniform(0, 1, (1, 3, SIZE, SIZE)).astype(np.float32)
    found, wanted = outputs_of(model, feed), outputs_of(optimized, feed)
    for name, array in wanted.items():
        assert np.abs(found[name] - array).max() <= 1e-4 * np.abs(array).max()
    assert json.loads((kit[0] / "expected.json").read_text())["float_model_difference"] <= 1e-4


def three_convolutions() -> onnx.ModelProto:
    """A net whose weights are quickly rounded by what they multiply."""
    rng = np.random.default_rng(2)
    shapes = {"w0": (8, 3, 3, 3), "w1": (8, 8, 3, 3), "w2": (4, 8, 1, 1)}
    constants = {name: rng.normal(0, 0.2, shape).astype(np.float32) for name, shape in shapes.items()}
    constants |= {f"b{i}": rng.normal(0, 0.1, 8 if i < 2 else 4).astype(np.float32) for i in range(3)}
    nodes = [
        helper.make_node("Conv", ["images", "w0", "b0"], ["a"], "conv0", pads=[1] * 4),
        helper.make_node("Relu", ["a"], ["b"], "relu0"),
        helper.make_node("Conv", ["b", "w1", "b1"], ["c"], "conv1", pads=[1] * 4),
        helper.make_node("Conv", ["c", "w2", "b2"], ["y"], "conv2"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
        [onnx.ValueInfoProto(name="y")],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return onnx.shape_inference.infer_shapes(model)


@pytest.mark.parametrize("more", [{}, {"equalize": True, "bias_correction": True}, {"weight_clip": True}])
def test_its_weights_are_our_rounded_integers_times_their_steps(
    data: Path, tmp_path: Path, more: dict[str, bool]
) -> None:
    """Not those that are nearest to the float weights: what rounding chose is handed over."""
    quant = QuantOptions(mixed="off", rounding=True, effort="fast", **more)  # type: ignore[arg-type]
    result = y10c.compile(three_convolutions(), "j6", calibration=data, quant=quant)
    write_kit(result, tmp_path / "kit", "n")
    ours = operands(onnx.load(tmp_path / "kit" / "n_float.onnx"))
    floats = operands(result.models["optimized"])
    moved = 0
    for op in y10c.load(result.models["ptq"]).ops:
        if op.name != "Conv":
            continue
        integers, step, _ = (v.numpy() for v in op.operands[1].producer.operands)  # type: ignore[union-attr]
        wide = step.reshape(-1, 1, 1, 1).astype(np.float64)
        np.testing.assert_array_equal(ours[op.location][1], (integers * wide).astype(np.float32))
        moved += int((np.rint(floats[op.location][1] / wide) != integers).sum())
        whole, factor, _ = (v.numpy() for v in op.operands[2].producer.operands)  # type: ignore[union-attr]
        bias = (whole * factor.astype(np.float64)).astype(np.float32)
        np.testing.assert_array_equal(ours[op.location][2], bias)
    assert moved > 10, "rounding was to nearest everywhere, so that nothing was handed over"


def test_channels_that_the_other_quantizer_rounds_again_are_counted(result: Result) -> None:
    grids = list(weight_grids(result.models["ptq"]))
    assert len(grids) > 50
    known = {g.node: g for g in grids}
    for op in y10c.load(result.models["ptq"]).ops:
        if op.location in known and op.name == "Conv":
            weight = op.operands[1]
            assert weight is not None
            assert weight.producer is not None
            integers = weight.producer.operands[0].numpy()  # type: ignore[union-attr]
            largest = np.abs(integers.astype(int)).max(axis=(1, 2, 3))
            assert known[op.location].inherited == int(((largest == 127) | (largest == 0)).sum())


def test_every_node_that_runs_in_16_bits_is_named(kit: tuple[Path, Kit], result: Result) -> None:
    info = read_config(kit[0] / "config.yaml")["model_parameters.node_info"]
    named = {wish.name: wish for wish in info}
    graph = y10c.load(result.models["ptq"])
    seen = 0
    for op in graph.ops:
        if op.name == "QuantizeLinear" and op.operands[2].numpy().dtype == np.int16:  # type: ignore[union-attr]
            producer = op.operands[0].producer  # type: ignore[union-attr]
            if producer is not None:
                assert named[producer.location].output == "int16"
            for back in op.result.users:
                for use in back.result.uses:
                    if use.op.name in ("Conv", "MatMul"):
                        assert named[use.op.location].input(use.index) == "int16"
                        seen += 1
    assert seen > 0


def test_calibration_data_is_what_was_calibrated_on(kit: tuple[Path, Kit], data: Path) -> None:
    for index in range(3):
        found = np.load(kit[0] / "calibration" / f"000{index}.npy")
        np.testing.assert_array_equal(found, np.load(data / f"{index}.npy"))


def test_expected_cosines_are_those_of_the_compilation(kit: tuple[Path, Kit], result: Result) -> None:
    said = json.loads((kit[0] / "expected.json").read_text())["outputs"]
    assert {one["name"]: one["cosine"] for one in said} == {o.name: o.cosine for o in result.outputs}


def test_the_box_outputs_stay_integers(kit: tuple[Path, Kit]) -> None:
    names = read_config(kit[0] / "config.yaml").names("model_parameters.remove_node_name")
    assert len(names) == 3
    assert all("cv2" in name for name in names)


def test_a_kit_of_generated_data_or_of_half_a_compilation_is_refused(tmp_path: Path) -> None:
    half = y10c.compile(yolov10("n", size=SIZE), "j6", stop_after="optimized")
    with pytest.raises(UsageError, match="whole compilation"):
        write_kit(half, tmp_path / "kit", "n")
    onnx.save(yolov10("n", size=SIZE), tmp_path / "n.onnx")
    assert main(["compile", str(tmp_path / "n.onnx"), "--kit", str(tmp_path / "kit"), "-q"]) == 2
    assert not (tmp_path / "kit").exists()


def test_a_foreign_chip_is_refused() -> None:
    with pytest.raises(UsageError, match="does not know the march bayes-e"):
        kit_values("bayes-e", "n", [], {}, [], None)


USERS = """
model_parameters: {onnx_model: n.onnx, march: nash-p, remove_node_type: "Dequantize;Transpose"}
input_parameters:
  input_name: a;b
  input_type_rt: nv12;featuremap
  input_type_train: bgr;featuremap
  input_layout_train: NCHW;
  input_space_and_range: bt601_video;
  mean_value: 1,2,3;
  std_value: 58;
  input_batch: 2
  separate_name: a
calibration_parameters:
  cal_data_dir: x;y
  calibration_type: max
  max_percentile: 0.999
  run_on_cpu: f;g
  optimization: set_Softmax_input_int8,set_Softmax_output_int8
  quant_config: {op_config: {softmax: {qtype: int8}}, model_config: {activation: {asymmetric: [True, False]}}}
compiler_parameters: {compile_mode: balance, balance_factor: 30, core_num: 2, input_source: {a: pyramid}}
"""


def test_the_users_own_keys_are_passed_on() -> None:
    from y10c.config.template import render

    config = parse_config(USERS, "c.yaml")
    values = kit_values("nash-p", "n", config.inputs, {"conv": {"OutputType": "int16"}}, ["box"], config)
    again = parse_config(render(values), "k.yaml")
    for name in config.settings:
        same = name not in (
            "model_parameters.onnx_model",
            "model_parameters.working_dir",
            "model_parameters.output_model_file_prefix",
            "model_parameters.node_info",
            "calibration_parameters.cal_data_dir",
        )
        if same and config.given(name) and not name.endswith("quant_config"):
            assert again[name] == config[name], name
    assert [one.data.name for one in again.inputs if one.data] == ["a", "b"]
    quant = again["calibration_parameters.quant_config"]
    wanted = config["calibration_parameters.quant_config"]
    assert quant_config_of(quant) == quant_config_of(wanted)
    assert quant.wish("s", "Softmax") == wanted.wish("s", "Softmax")


def test_a_stage_without_weights_in_integers_gives_the_optimized_model_back(result: Result) -> None:
    optimized = result.models["optimized"]
    stripped = float_model(result.models["calibrated"], optimized)
    floats, found = arrays(optimized), arrays(stripped)
    for name, array in floats.items():
        if array.ndim == 4 and name in found:
            np.testing.assert_array_equal(found[name], array)
