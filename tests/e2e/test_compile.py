"""The main job: a real YOLOv10 from ONNX to INT8, with every file it promises."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import y10c
from y10c.cli.main import main
from y10c.frontend.importer import load
from y10c.ir import DType, Graph, TensorType
from y10c.ir.value import Op, Value
from y10c.passes.head.recognize import decode_tail
from y10c.pipeline.result import Result
from y10c.zoo import yolov10

SIZE = 160


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    return yolov10("n", size=SIZE)


@pytest.fixture(scope="module")
def compiled(model: onnx.ModelProto, tmp_path_factory: pytest.TempPathFactory) -> Result:
    folder = tmp_path_factory.mktemp("build")
    return y10c.compile(model, "j6", output=folder, prefix="net", head="e2e")


def run(model: onnx.ModelProto, image: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, {session.get_inputs()[0].name: image}))


def stored_type(value: Value | None) -> DType | None:
    """The type in which an operand is stored: that of the integers behind its DequantizeLinear."""
    assert value is not None
    producer = value.producer
    if producer is None or producer.name != "DequantizeLinear":
        return None
    integers = producer.operands[0]
    assert integers is not None
    assert isinstance(integers.type, TensorType)
    return integers.type.dtype


def macs_in_front_of_the_tail(graph: Graph) -> list[Op]:
    tail = decode_tail(graph)
    return [op for op in graph.ops if op.name in ("Conv", "MatMul") and op not in tail]


def test_every_promised_file_is_there(compiled: Result) -> None:
    names = {path.name for path in compiled.files.values() if path.is_file()}
    assert names >= {
        "net_original_float_model.onnx",
        "net_optimized_float_model.onnx",
        "net_calibrated_model.onnx",
        "net_ptq_model.onnx",
        "net_node_info.csv",
        "net.html",
        "net.json",
        "net.trace.json",
        "y10c_compile.log",
    }


@pytest.mark.parametrize("stage", ["original", "optimized", "calibrated", "ptq"])
def test_every_stage_is_a_valid_model_that_runs(compiled: Result, stage: str) -> None:
    file = onnx.load(compiled.files[stage])
    onnx.checker.check_model(file, full_check=True)
    (rows,) = run(file, np.full((1, 3, SIZE, SIZE), 0.4, np.float32))
    assert rows.shape == (1, 300, 6)


def test_every_conv_and_matmul_in_front_of_the_tail_has_integer_operands(compiled: Result) -> None:
    ops = macs_in_front_of_the_tail(load(compiled.files["ptq"]))
    assert len(ops) > 80
    assert {stored_type(op.operands[0]) for op in ops} == {DType.i8}
    assert {stored_type(op.operands[1]) for op in ops} == {DType.i8}
    assert {stored_type(op.operand(2)) for op in ops if op.operand(2) is not None} == {DType.i32}


def test_weights_are_stored_as_integers_alone(compiled: Result) -> None:
    sizes = {stage: compiled.files[stage].stat().st_size for stage in ("optimized", "ptq")}
    assert sizes["ptq"] < 0.4 * sizes["optimized"]


def test_without_calibration_data_everything_says_so(compiled: Result) -> None:
    assert compiled.synthetic
    assert [w.code for w in compiled.warnings] == ["Y5001"]
    metadata = {p.key: p.value for p in compiled.model.metadata_props}
    assert metadata["y10c.calibration"] == "generated images"
    assert "generated images" in compiled.files["html"].read_text()


def test_two_runs_write_the_same_bytes(model: onnx.ModelProto, compiled: Result) -> None:
    again = y10c.compile(model, "j6", head="e2e")
    assert again.model.SerializeToString(deterministic=True) == compiled.files["ptq"].read_bytes()


def test_raw_is_the_default_of_j6(model: onnx.ModelProto) -> None:
    result = y10c.compile(model, "j6", stop_after="optimized")
    shapes = [tuple(d.dim_value for d in o.type.tensor_type.shape.dim) for o in result.model.graph.output]
    cells = (SIZE // 8, SIZE // 16, SIZE // 32)
    assert shapes == [(1, c, c, channels) for c in cells for channels in (80, 64)]


def test_the_host_target_takes_unsigned_activations(model: onnx.ModelProto) -> None:
    result = y10c.compile(model, "ort")
    ops = macs_in_front_of_the_tail(load(result.model))
    assert {stored_type(op.operands[0]) for op in ops} == {DType.u8}


def test_json_is_one_object(
    model: onnx.ModelProto, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onnx.save(model, tmp_path / "n.onnx")
    code = main(["compile", str(tmp_path / "n.onnx"), "-o", str(tmp_path / "out"), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert code == 0
    assert told["march"] == "nash-e"
    assert told["calibration"]["synthetic"] is True
    assert told["cost"]["latency_ms"] > 0


@pytest.mark.parametrize("stage", ["original", "optimized", "calibrated"])
def test_stop_after(model: onnx.ModelProto, tmp_path: Path, stage: str) -> None:
    result = y10c.compile(model, "j6", output=tmp_path / "out", prefix="n", stop_after=stage)
    assert list(result.models)[-1] == stage
    assert "ptq" not in result.files


def test_the_yaml_gives_what_the_command_line_does_not(model: onnx.ModelProto, tmp_path: Path) -> None:
    onnx.save(model, tmp_path / "n.onnx")
    config = tmp_path / "config.yaml"
    config.write_text(
        f"""
model_parameters:
  onnx_model: {tmp_path / "n.onnx"}
  march: nash-m
  working_dir: {tmp_path / "from_yaml"}
  output_model_file_prefix: chosen
input_parameters: {{input_type_rt: nv12, input_type_train: rgb, input_layout_train: NCHW}}
calibration_parameters: {{calibration_type: skip}}
compiler_parameters: {{}}
"""
    )
    assert main(["compile", "-c", str(config), "--stop-after", "optimized", "-q"]) == 0
    assert (tmp_path / "from_yaml" / "chosen_optimized_float_model.onnx").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("target", ["j6", "ort"])
def test_a_trained_network_still_finds_the_bus(shared: Path, tmp_path: Path, target: str) -> None:
    """Slow: a real network at 640 with 20 photographs; what INT8 still finds on the bus picture."""
    from PIL import Image

    from y10c.detect.classes import COCO_NAMES
    from y10c.detect.detector import Detector

    source = shared / "models" / "yolov10n_coco.onnx"
    result = y10c.compile(
        source, target, head="e2e", calibration=shared / "images" / "calibration", output=tmp_path, limit=20
    )
    picture = shared / "images" / "calibration" / "000.jpg"
    assert result.head is not None
    with Image.open(picture) as image:
        found = Detector(result.files["ptq"], result.head)(image)
    labels = [COCO_NAMES[c] for c in found.classes]
    assert labels.count("bus") == 1
    assert labels.count("person") >= 3
