"""compile -c: what the keys of the users' YAML mean takes effect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

import y10c
from y10c.calib.pixels import Pixels, pixels_of
from y10c.calib.session import ExposedSession
from y10c.cli.main import main
from y10c.config.load import parse_config
from y10c.detect.decode import decode
from y10c.detect.detector import Detector
from y10c.frontend.importer import load
from y10c.ir import DType, Graph
from y10c.pipeline.config import quant_options
from y10c.pipeline.result import Result
from y10c.quant.options import QuantOptions
from y10c.zoo import yolov10

SIZE = 64
RNG = np.random.default_rng(5)


def small_net() -> onnx.ModelProto:
    """Convolutions with residuals of products, and a Softmax over channels between them."""
    weights = {
        f"w{i}": RNG.normal(0, 0.3, (8, c, 3, 3)).astype(np.float32) for i, c in enumerate((3, 8, 8, 8))
    }
    conv = {"kernel_shape": [3, 3], "pads": [1] * 4}
    nodes = [
        helper.make_node("Conv", ["images", "w0"], ["c0"], "conv0", **conv),
        helper.make_node("Relu", ["c0"], ["r0"], "relu0"),
        helper.make_node("Conv", ["r0", "w1"], ["c1"], "conv1", **conv),
        helper.make_node("Mul", ["c1", "r0"], ["a1"], "mul1"),
        helper.make_node("Conv", ["a1", "w2"], ["c2"], "conv2", **conv),
        helper.make_node("Softmax", ["c2"], ["s"], "softmax", axis=1),
        helper.make_node("Mul", ["s", "a1"], ["a2"], "mul2"),
        helper.make_node("Conv", ["a2", "w3"], ["y"], "conv3", **conv),
    ]
    shape = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIZE, SIZE])
    constants = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "g", [shape], [onnx.ValueInfoProto(name="y")], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return onnx.shape_inference.infer_shapes(model)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small net, a detector, and pre-normalised calibration data."""
    made = tmp_path_factory.mktemp("config")
    onnx.save(small_net(), made / "n.onnx")
    onnx.save(yolov10("n", size=SIZE), made / "detector.onnx")
    (made / "calibration").mkdir()
    for index in range(4):
        coarse = RNG.uniform(0, 1, (1, 3, 8, 8)).astype(np.float32)
        sample = coarse.repeat(SIZE // 8, axis=2).repeat(SIZE // 8, axis=3)
        np.save(made / "calibration" / f"{index}.npy", sample)
    return made


def config_text(folder: Path, **groups: str) -> str:
    return f"""
model_parameters:
  onnx_model: {folder / "n.onnx"}
  march: nash-e
  {groups.get("model", "")}
input_parameters:
  input_type_rt: nv12
  input_type_train: rgb
  input_layout_train: NCHW
  scale_value: 0.00392156862745098
  {groups.get("input", "")}
calibration_parameters:
  cal_data_dir: {folder / "calibration"}
  {groups.get("calibration", "")}
compiler_parameters:
  jobs: 8
"""


def compiled(folder: Path, quant: QuantOptions | None = None, **groups: str) -> Result:
    config = parse_config(config_text(folder, **groups), str(folder / "config.yaml"))
    plain = quant or QuantOptions(mixed="off", method="min-max", rounding=False)
    return y10c.compile(folder / "n.onnx", "j6", config=config, quant=plain)


def type_behind(graph: Graph, node: str) -> DType | None:
    """The type in which the result of a node is stored; None where it stays float."""
    op = next(op for op in graph.ops if op.location == node)
    found = [user for user in op.result.users if user.name == "QuantizeLinear"]
    return found[0].result.tensor_type.dtype if found else None


def test_node_info_gives_a_node_16_bits(folder: Path) -> None:
    for wish in ("{mul1: {OutputType: int16}}", "mul1:int16", "{conv2: {InputType0: int16}}"):
        graph = load(
            compiled(folder, model=f"node_info: {wish!r}" if wish[0] != "{" else f"node_info: {wish}").model
        )
        assert type_behind(graph, "mul1") is DType.i16, wish
        assert type_behind(graph, "mul2") is DType.i8
    assert type_behind(load(compiled(folder).model), "mul1") is DType.i8


def test_quant_config_gives_a_kind_of_op_16_bits_and_a_node_wins(folder: Path) -> None:
    quant = "quant_config: {op_config: {mul: {OutputType: int16}}, node_config: {mul2: {OutputType: int8}}}"
    graph = load(compiled(folder, calibration=quant).model)
    assert type_behind(graph, "mul1") is DType.i16
    assert type_behind(graph, "mul2") is DType.i8


@pytest.mark.parametrize(
    "part",
    ["{inputs: [conv2], outputs: [mul2], qtype: int16}", "{inputs: [a1], outputs: [a2], OutputType: int16}"],
)
def test_a_subgraph_gets_16_bits_between_its_ends(folder: Path, part: str) -> None:
    graph = load(compiled(folder, calibration=f"quant_config: {{subgraph_config: {{neck: {part}}}}}").model)
    assert type_behind(graph, "mul2") is DType.i16
    assert type_behind(graph, "relu0") is not DType.i16


def test_run_on_cpu_keeps_a_node_float(folder: Path) -> None:
    rows = {row.node: row.unit for row in compiled(folder, calibration="run_on_cpu: mul1").nodes}
    assert rows["mul1"] == "CPU"
    both = compiled(folder, calibration="run_on_cpu: mul1", model="node_info: {mul1: {ON: BPU}}")
    assert {row.node: row.unit for row in both.nodes}["mul1"] == "BPU"


def test_output_nodes_end_the_model(folder: Path) -> None:
    result = compiled(folder, model='output_nodes: "conv2;mul1"')
    for model in (result.models["optimized"], result.model):
        assert [one.name for one in model.graph.output] == ["c2", "a1"]
    assert "conv3" not in {node.name for node in result.models["optimized"].graph.node}


def test_names_that_fit_nothing_are_told(folder: Path) -> None:
    messages = [
        w.message for w in compiled(folder, model='node_info: "no_such_node:int16;conv3:int16"').warnings
    ]
    assert any("no_such_node names no node" in message for message in messages)
    assert "ranges from 4 samples hold for little else" in messages
    assert any("no effect on tensors that pass between no two integer ops: y" in m for m in messages)


def test_all_nodes_of_16_bits_are_no_reason_to_warn(folder: Path) -> None:
    result = compiled(folder, calibration="optimization: set_all_nodes_int16")
    graph = load(result.model)
    assert {type_behind(graph, name) for name in ("relu0", "mul1", "mul2")} == {DType.i16}
    assert not any("no effect on tensors" in w.message for w in result.warnings)


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ("calibration_type: kl", {"method": "kl"}),
        ("calibration_type: max", {"method": "min-max"}),
        ("calibration_type: max\n  max_percentile: 0.9995", {"method": "percentile", "percentile": 99.95}),
        ("calibration_type: default", {"method": "search"}),
        ("calibration_type: mix", {"method": "search"}),
        ("quant_config: {model_config: {activation: {calibration_type: kl}}}", {"method": "kl"}),
        (
            "quant_config: {model_config: {activation: {max_percentile: 0.999, asymmetric: False}}}",
            {"method": "percentile", "percentile": 99.9, "scheme": "symmetric"},
        ),
        ("quant_config: {model_config: {weight: {bias_correction: {}}}}", {"bias_correction": True}),
    ],
)
def test_calibration_keys_become_options(folder: Path, lines: str, wanted: dict[str, Any]) -> None:
    options = quant_options(parse_config(config_text(folder, calibration=lines), "c.yaml"))
    for name, value in wanted.items():
        assert getattr(options, name) == (pytest.approx(value) if isinstance(value, float) else value)


def runs(model: onnx.ModelProto, feeds: dict[str, Any]) -> dict[str, Any]:
    return ExposedSession(model, [one.name for one in model.graph.output]).run(feeds)


def test_the_runtime_form_of_a_detector_detects_alike(folder: Path, tmp_path: Path) -> None:
    """Box outputs as accumulators, pixels in: the same boxes as the quantized model's on the same pixels."""
    from y10c.calib.color import nv12_to_rgb, rgb_to_nv12

    optimized = y10c.compile(folder / "detector.onnx", "j6", stop_after="optimized")
    graph = load(optimized.model)
    boxes = [v.producer.operands[0].producer.location for v in graph.outputs[1::2]]  # type: ignore[union-attr]
    config = parse_config(
        config_text(folder, model=f'remove_node_name: "{";".join(boxes)}"'), str(folder / "c.yaml")
    )
    result = y10c.compile(
        folder / "detector.onnx",
        "j6",
        config=config,
        output=tmp_path,
        prefix="n",
        quant=QuantOptions(mixed="off", method="min-max", rounding=False),
    )
    model = onnx.load(tmp_path / "n_deploy_model.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert result.deployed is not None
    head = result.deployed.head
    assert head is not None
    assert head.scales is not None
    assert set(head.scales) == {"box8", "box16", "box32"}
    rgb = (255 * np.load(folder / "calibration" / "0.npy")[0].transpose(1, 2, 0)).astype(np.uint8)
    y, uv = rgb_to_nv12(rgb)
    found = runs(model, {"images_y": y, "images_uv": uv})
    assert found["box8"].dtype == np.int32
    seen = Detector(tmp_path / "n_deploy_model.onnx", head, score=0.0)(Image.fromarray(rgb))
    assert len(seen) == len(decode(found, head, score=0.0))
    np.testing.assert_allclose(seen.scores, decode(found, head, score=0.0).scores)
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert pixels_of(told) == (Pixels("images", "nv12"),)
    log = (tmp_path / "y10c_compile.log").read_text()
    assert "input images is fed as images_y, images_uv" in log
    host = np.ascontiguousarray(nv12_to_rgb(y, uv).transpose(2, 0, 1)[None] / 255, np.float32)
    wanted = runs(result.model, {"images": host})
    assert result.head is not None
    ours, theirs = decode(found, head, score=0.0), decode(wanted, result.head, score=0.0)
    assert len(ours) > 0
    np.testing.assert_array_equal(ours.classes, theirs.classes)
    np.testing.assert_allclose(ours.boxes, theirs.boxes, atol=0.01)
    np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-4)


def test_outputs_may_be_integers(folder: Path) -> None:
    for lines in (
        "optimization: set_model_output_int16",
        "quant_config: {model_config: {model_output_type: int16}}",
    ):
        result = compiled(folder, model="remove_node_type: Dequantize", calibration=lines)
        assert result.deployed is not None
        assert [v.tensor_type.dtype for v in result.deployed.graph.outputs] == [DType.i16]


def test_data_of_another_range_than_declared_is_refused(folder: Path, tmp_path: Path) -> None:
    for path in (folder / "calibration").glob("*.npy"):
        np.save(tmp_path / path.name, 255 * np.load(path))
    text = config_text(folder).replace(str(folder / "calibration"), str(tmp_path))
    (tmp_path / "config.yaml").write_text(text)
    assert main(["compile", "-c", str(tmp_path / "config.yaml"), "-q"]) == 3
    assert not (tmp_path / "model_output").exists()


def test_options_of_the_command_line_win(folder: Path, tmp_path: Path) -> None:
    text = config_text(folder, model=f"working_dir: {tmp_path / 'yaml'}", calibration="calibration_type: kl")
    (tmp_path / "config.yaml").write_text(text)
    arguments = ["compile", "-c", str(tmp_path / "config.yaml"), "--stop-after", "optimized", "-q"]
    assert main([*arguments, "-o", str(tmp_path / "flag"), "--march", "nash-m", "--prefix", "p"]) == 0
    model = onnx.load(tmp_path / "flag" / "p_optimized_float_model.onnx")
    assert {e.key: e.value for e in model.metadata_props}["y10c.march"] == "nash-m"
    assert not (tmp_path / "yaml").exists()


def test_every_problem_of_a_config_and_its_model_is_told(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = config_text(folder, model="output_nodes: nowhere", input="input_name: image")
    (tmp_path / "config.yaml").write_text(text)
    assert main(["config", "check", str(tmp_path / "config.yaml")]) == 2
    said = capsys.readouterr().err
    assert said.count("error[Y2002]") == 2
    assert "the model has no input image" in said
    assert "did you mean 'images'?" in said
    assert "the model has no node nowhere" in said


def two_input_model(path: Path) -> None:
    weight = RNG.normal(size=(4, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["left", "w"], ["a"], "conv_left", pads=[1] * 4),
        helper.make_node("Conv", ["right", "w"], ["b"], "conv_right", pads=[1] * 4),
        helper.make_node("Add", ["a", "b"], ["y"], "sum"),
    ]
    inputs = [
        helper.make_tensor_value_info("left", TensorProto.FLOAT, ["n", 3, "h", "w"]),
        helper.make_tensor_value_info("right", TensorProto.FLOAT, ["n", 3, "h", "w"]),
    ]
    graph = helper.make_graph(
        nodes, "g", inputs, [onnx.ValueInfoProto(name="y")], [numpy_helper.from_array(weight, "w")]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(onnx.shape_inference.infer_shapes(model), path)


def test_two_inputs_of_open_shape_each_with_data_of_its_own(tmp_path: Path) -> None:
    two_input_model(tmp_path / "two.onnx")
    for name, scale in (("left", 1.0), ("right", 255.0)):
        (tmp_path / name).mkdir()
        for index in range(3):
            sample = (scale * RNG.uniform(0, 1, (1, 3, 16, 16))).astype(np.float32)
            np.save(tmp_path / name / f"{index}.npy", sample)
    (tmp_path / "config.yaml").write_text(
        f"""
model_parameters: {{onnx_model: {tmp_path / "two.onnx"}, march: nash-e, working_dir: {tmp_path / "out"}}}
input_parameters:
  input_name: right;left
  input_type_rt: bgr;nv12
  input_type_train: bgr;rgb
  input_layout_train: NCHW;NCHW
  input_shape: 1x3x16x16;1x3x16x16
  scale_value: ;0.00392156862745098
  separate_name: left
  input_batch: 2
calibration_parameters:
  cal_data_dir: {tmp_path / "right"};{tmp_path / "left"}
compiler_parameters: {{}}
"""
    )
    assert main(["compile", "-c", str(tmp_path / "config.yaml"), "-q"]) == 0
    deployed = onnx.load(tmp_path / "out" / "model_deploy_model.onnx")
    fed = [one.name for one in deployed.graph.input]
    assert fed == ["left_0_y", "left_0_uv", "left_1_y", "left_1_uv", "right"]
    quantized = load(tmp_path / "out" / "model_ptq_model.onnx")
    scales = {
        v.name: next(op.operands[1].numpy() for op in v.users if op.name == "QuantizeLinear")  # type: ignore[union-attr]
        for v in quantized.inputs
    }
    assert 200 < scales["right"] / scales["left"] < 300


def test_config_show_and_schema(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.yaml").write_text(config_text(folder))
    assert main(["config", "show", str(tmp_path / "c.yaml"), "--all", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)["settings"]
    assert said["model_parameters.march"] == {"value": "nash-e", "origin": f"{tmp_path / 'c.yaml'}:4:10"}
    assert said["compiler_parameters.optimize_level"] == {"value": "O2", "origin": "default"}
    assert main(["config", "schema", "-o", str(tmp_path / "schema.json")]) == 0
    schema = json.loads((tmp_path / "schema.json").read_text())
    assert "nash-e" in str(schema["properties"]["model_parameters"]["properties"]["march"])


def test_extents_of_minus_one_are_open(folder: Path, tmp_path: Path) -> None:
    """Some exporters write them; the config says what they are, and a new one asks for them."""
    model, path = onnx.load(folder / "n.onnx"), tmp_path / "open.onnx"
    size = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    for place in (0, 2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[place].dim_value = -1
    onnx.save(model, path)
    made = tmp_path / "new.yaml"
    assert main(["config", "new", "-o", str(made), "--model", str(path)]) == 0
    assert 'input_shape: "1x3x640x640"' in made.read_text()
    made.write_text(made.read_text().replace("1x3x640x640", "x".join(map(str, size))))
    made.write_text(made.read_text().replace("cal_data_dir", "calibration_type: skip  #"))
    assert main(["config", "check", str(made)]) == 0


def test_a_config_in_the_place_of_a_model_is_pointed_to_its_option(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.yaml").write_text(config_text(folder))
    assert main(["compile", str(tmp_path / "c.yaml")]) == 3
    assert "a config is given with -c" in capsys.readouterr().err


def test_a_new_config_is_for_a_march_that_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "new", "--march", "nash-x"]) == 2
    assert "unknown march 'nash-x'" in capsys.readouterr().err
    assert main(["config", "new", "--march", "s100"]) == 0
    assert 'march: "nash-e"' in capsys.readouterr().out


@pytest.mark.parametrize("full", [False, True])
def test_a_new_config_is_valid_and_fits_its_model(folder: Path, tmp_path: Path, full: bool) -> None:
    made = tmp_path / "new.yaml"
    flags = ["--full"] if full else []
    assert main(["config", "new", "-o", str(made), "--model", str(folder / "n.onnx"), *flags]) == 0
    assert main(["config", "check", str(made), "--no-files"]) == 0
    text = made.read_text()
    assert 'input_name: "images"' in text
    assert ("# node_info:" in text) == full
