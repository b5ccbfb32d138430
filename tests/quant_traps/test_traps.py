"""The eight traps that existing quantizers fall into on YOLO models, each as a test of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import quantize_static

import y10c
from tests.quant_traps.conftest import QUICK, SIZE, TARGETS, two_ranges
from tests.unit.comparison.conftest import Samples
from y10c.cli.main import main
from y10c.comparison.tensors import grid_of
from y10c.cost.precision import bits_of, is_quantized
from y10c.ir.graph import Graph
from y10c.ir.types import DType
from y10c.ir.value import Op
from y10c.passes.head.recognize import decode_tail, recognize
from y10c.pipeline.result import Result

RANKING = ("TopK", "ReduceMax", "GatherElements", "GatherND", "Mod", "ArgMax")


def run(model: onnx.ModelProto, array: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run(None, {session.get_inputs()[0].name: array})[0]
    return found


def quantizers(graph: Graph) -> list[Op]:
    return [op for op in graph.ops if op.kind == "QuantizeLinear"]


def test_boxes_and_scores_do_not_share_a_scale_in_a_detector(
    compiled: Result, graph: Graph, pictures: Path
) -> None:
    """Trap 1: one step of 1.25 to 7.6 for both, every score becomes 0, and nobody warns."""
    tail = decode_tail(graph)
    assert tail
    assert not [op for op in quantizers(graph) if op in tail]
    sample = np.load(pictures / "0.npy")
    floats, integers = (run(compiled.models[stage], sample)[0] for stage in ("original", "ptq"))
    ours, theirs = np.sort(floats[:, 4])[::-1][:20], np.sort(integers[:, 4])[::-1][:20]
    assert theirs.max() > 0
    # Scores of 0 are off by themselves; less than a fifth of that is another kind of error.
    assert np.abs(ours - theirs).mean() < 0.2 * ours.mean()


@pytest.mark.parametrize("target", TARGETS)
def test_boxes_and_scores_do_not_share_a_scale_in_any_concat(target: str, tmp_path: Path) -> None:
    """Trap 1, where no head is recognised: the scores must not vanish beside numbers of hundreds."""
    draw = np.random.default_rng(0)
    for index in range(3):
        np.save(tmp_path / f"{index}.npy", draw.random((1, 3, 16, 16), dtype=np.float32))
    result = y10c.compile(two_ranges(), target, calibration=tmp_path, quant=QUICK)
    sample = np.load(tmp_path / "0.npy")
    floats, integers = (run(result.models[stage], sample)[:, 4:] for stage in ("original", "ptq"))
    assert np.abs(floats - integers).max() < 0.05


def test_a_tail_that_somebody_else_quantized_is_told(
    detector: onnx.ModelProto, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trap 1 in others' files: their makers do not warn; `info` and `compare` do."""
    before, after = tmp_path / "float.onnx", tmp_path / "defaults.onnx"
    onnx.save(detector, before)
    quantize_static(before, after, Samples(pictures, detector.graph.input[0].name))
    assert main(["info", str(after), "--json"]) == 0
    said = capsys.readouterr()
    assert "warning[Y5008]" in said.err
    assert len(json.loads(said.out)["int8"]["quantized_in_tail"]) > 10
    assert main(["compare", str(before), str(after), "--data", str(pictures), "--samples", "1"]) == 0
    assert "warning[Y5008]" in capsys.readouterr().err
    # The trap itself: boxes of up to 96 pixels leave three steps for scores.
    assert len(np.unique(run(onnx.load(after), np.load(pictures / "0.npy"))[0, :, 4])) <= 4


def test_nothing_is_quantized_in_front_of_a_ranking_op(graph: Graph) -> None:
    """Trap 2: Q/DQ in front of TopK or on ReduceMax; scores clipped at 0.05 lose every detection."""
    ranking = [op for op in graph.ops if op.name in RANKING]
    assert ranking
    for op in ranking:
        for value in op.operands:
            assert value is None or value.producer is None or value.producer.kind != "DequantizeLinear", op
        assert not any(user.kind == "QuantizeLinear" for result in op.results for user in result.users)


def test_logits_are_not_clipped_at_the_calibration_maximum(graph: Graph) -> None:
    """Trap 3: a quantized last convolution caps every class logit; leave it in int32 or float."""
    head = recognize(graph)
    assert head is not None
    for value in head.boundary:
        assert not any(user.kind == "QuantizeLinear" for user in value.users)
        assert value.producer is not None
        assert bits_of(value.producer.operand(0)) < 32


def test_an_input_beyond_the_calibration_data_still_raises_a_score(tmp_path: Path) -> None:
    """Trap 3 in numbers: logits of calibration stop below 0, those of the application do not."""
    weight = np.zeros((2, 3, 1, 1), np.float32)
    weight[0, 0], weight[1, 1] = 8.0, 4.0
    constants = [
        numpy_helper.from_array(weight, "w"),
        numpy_helper.from_array(np.array([-4.0, -6.0], np.float32), "b"),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], name="logits"),
        helper.make_node("Sigmoid", ["c"], ["y"], name="scores"),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])
    logits, scores = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 2, 8, 8]) for n in "cy")
    graph = helper.make_graph(nodes, "g", [x], [logits, scores], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    draw = np.random.default_rng(0)
    for index in range(4):
        sample = draw.random((1, 3, 8, 8), dtype=np.float32)
        sample[:, :2] *= 0.4  # logits stay below 0, an image uses its whole range elsewhere
        np.save(tmp_path / f"{index}.npy", sample)
    result = y10c.compile(model, "j6", calibration=tmp_path, quant=QUICK)
    bright = np.ones((1, 3, 8, 8), np.float32)
    assert run(result.model, bright)[0, 0].min() > 3.5


@pytest.mark.parametrize("compiled", ["j6"], indirect=True)
def test_a_convolution_and_its_silu_are_one_op_on_the_bpu(compiled: Result) -> None:
    """Trap 4: 8 bits between Conv and SiLU cost accuracy for nothing; a table takes 16 for no MAC."""
    graph = y10c.load(compiled.model)
    seen = 0
    for gate in (op for op in graph.ops if op.name == "Sigmoid" and op not in decode_tail(graph)):
        assert bits_of(gate.operand(0)) == 16, gate
        seen += 1
    assert seen > 50


def test_scales_are_free_where_the_target_takes_free_ones(graph: Graph) -> None:
    """Trap 5: scales that are powers of two cost 7 to 9 dB; neither target asks for them."""
    grids = [grid for op in quantizers(graph) if (grid := grid_of(op)) is not None]
    powers = [grid for grid in grids if np.log2(grid.scale) == np.rint(np.log2(grid.scale))]
    assert len(grids) > 50
    assert len(powers) < 0.1 * len(grids)


def test_weights_are_stored_as_integers(compiled: Result) -> None:
    """Trap 6: float weights with a QuantizeLinear behind them: an INT8 file as large as the float one."""
    floats, integers = (compiled.models[stage].ByteSize() for stage in ("optimized", "ptq"))
    assert integers < 0.45 * floats  # 2.7 M weights; names, scales and the tail stay
    tensors = {t.name: t for t in compiled.model.graph.initializer}
    large = [t for t in tensors.values() if t.data_type == TensorProto.FLOAT and np.prod(t.dims) > 2000]
    assert large == []


def test_every_weight_is_quantized_once_and_never_in_the_file(graph: Graph) -> None:
    """Trap 6 again: no QuantizeLinear reads a constant."""
    assert is_quantized(graph)
    assert not [op for op in quantizers(graph) if op.operand(0) is not None and op.operand(0).is_constant]  # type: ignore[union-attr]


MEMORY = """
import sys
from pathlib import Path
import numpy as np, onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import quantize_static
from y10c.calib.collect import collect
from y10c.calib.dataset import open_dataset
weight = numpy_helper.from_array(np.ones((16, 16, 1, 1), np.float32) / 16, "w")
first = numpy_helper.from_array(np.ones((16, 3, 1, 1), np.float32) / 3, "w0")
nodes = [helper.make_node("Conv", ["x", "w0"], ["t0"])]
nodes += [helper.make_node("Conv", [f"t{i}", "w"], [f"t{i + 1}"]) for i in range(8)]
shapes = {"x": [1, 3, 256, 256], "t8": [1, 16, 256, 256]}
ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [weight, first])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
data = open_dataset(sys.argv[1], input_shape=[1, 3, 256, 256], limit=int(sys.argv[2]))
assert len(data) == int(sys.argv[2])
collect(model, [f"t{i}" for i in range(9)], data, threads=1)
# Not ru_maxrss, which would count what the parent held when it started this process.
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""


def test_calibration_does_not_keep_activations(tmp_path: Path) -> None:
    """Trap 7: 2.2 GB for 32 images at 320. Here 12 images of 38 MB take what 2 take."""
    draw = np.random.default_rng(0)
    for index in range(12):
        np.save(tmp_path / f"{index}.npy", draw.random((1, 3, 256, 256), dtype=np.float32))

    def peak(samples: int) -> int:
        command = [sys.executable, "-c", MEMORY, str(tmp_path), str(samples)]
        # The tally of numpy: the compiled one only adds its compiler's memory to both.
        quick = {**os.environ, "Y10C_NO_NUMBA": "1"}
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, env=quick)
        return int(done.stdout.split()[-1]) // 1024

    few, many = peak(2), peak(12)
    assert many - few < 20, (few, many)


def test_symbolic_extents_are_asked_for_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Trap 8: a peer dies of a bare AssertionError on a model with symbolic dims."""
    model = two_ranges()
    for place, name in ((2, "height"), (3, "width")):
        model.graph.input[0].type.tensor_type.shape.dim[place].dim_param = name
        model.graph.output[0].type.tensor_type.shape.dim[place].dim_param = name
    path = tmp_path / "open.onnx"
    onnx.save(model, path)
    assert main(["compile", str(path), "-o", str(tmp_path / "out")]) == 3
    said = capsys.readouterr().err
    assert "error[Y3004]" in said
    assert "--shape x=1x3x?x?" in said
    arguments = ["--shape", "x=1x3x16x16", "-t", "ort", "-o", str(tmp_path / "out")]
    assert main(["compile", str(path), *arguments]) == 0


def test_the_picture_size_is_what_the_model_says(compiled: Result) -> None:
    """The fixture is what the tests think it is."""
    dims = compiled.model.graph.input[0].type.tensor_type.shape.dim
    assert [d.dim_value for d in dims] == [1, 3, SIZE, SIZE]
    assert compiled.model.graph.output[0].type.tensor_type.elem_type == DType.f32.value
