"""Real networks after folding and legalization: everything that multiplies is on the chip, nothing is cut."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from y10c.check.report import CheckReport
from y10c.check.text import as_data
from y10c.frontend.importer import load
from y10c.pipeline.compile import compile as compile_model
from y10c.pipeline.legality import check_imported, check_model
from y10c.pipeline.target import create_target
from y10c.targets.j6.target import J6
from y10c.zoo import yolov10
from y10c.zoo.named import structure

SHAPES = {"ppocr_det": {"x": [1, 3, 640, 640]}, "ppocr_cls": {"x": [1, 3, 48, 192]}}


def on_chip_alone(report: CheckReport) -> bool:
    return report.macs_bpu == 1 and not report.middle and not report.crossings and not report.problems


@pytest.mark.parametrize("variant", list("nsmblx"))
@pytest.mark.parametrize("target", ["j6", "x5"])
def test_the_zoo_runs_on_the_chip_alone(variant: str, target: str) -> None:
    report = check_model(structure(variant), create_target(target))
    assert on_chip_alone(report), report.problems


def test_the_largest_is_checked_in_two_seconds_of_cpu() -> None:
    target = create_target("j6")
    check_model(structure("n"), target)  # what is imported on the way
    began = time.process_time()
    check_model(structure("x"), target)
    assert time.process_time() - began < 2


@pytest.mark.parametrize("name", ["yolov10n_coco", "ppocr_det", "ppocr_cls"])
@pytest.mark.parametrize("target", ["j6", "x5"])
def test_networks_of_others_run_on_the_chip_alone(shared: Path, name: str, target: str) -> None:
    model = shared / "models" / f"{name}.onnx"
    report = check_model(model, create_target(target), shapes=SHAPES.get(name, {}))
    assert on_chip_alone(report), report.problems


def test_attention_stands_under_rows_with_a_name_and_a_source(shared: Path) -> None:
    report = check_model(shared / "models" / "yolov10n_coco.onnx", create_target("j6"))
    found = [v for v in report.verdicts if v.op in ("Softmax", "MatMul")]
    assert sorted((v.op, v.rule, v.unit) for v in found) == [
        ("MatMul", "matmul", "TAE"),
        ("MatMul", "matmul", "TAE"),
        ("Softmax", "softmax", "VAE"),
    ]
    assert all(v.source.startswith("published: ") for v in found)


def test_legalization_changes_one_split_of_yolov10_and_nothing_else(shared: Path) -> None:
    path = shared / "models" / "yolov10n_coco.onnx"
    target = create_target("j6")
    graph = load(path)
    from y10c.passes.head.fold import FoldHead
    from y10c.passes.pipelines import canonicalization
    from y10c.pipeline.manager import run_passes
    from y10c.rewrite.passes import PassContext

    run_passes(graph, (*canonicalization(), FoldHead("raw")), PassContext())
    before = Counter(op.name for op in graph.ops)
    check_imported(graph, target, head="keep")
    after = Counter(op.name for op in graph.ops)
    assert before - after == Counter({"Split": 1})
    assert after - before == Counter({"Slice": 3})


def test_the_unfolded_file_names_what_the_chip_refuses_and_what_to_do(shared: Path) -> None:
    report = check_model(shared / "models" / "yolov10n_coco.onnx", create_target("j6"), as_is=True)
    by_op = {v.op: v for v in report.verdicts if not v.on_chip}
    assert by_op["TopK"].rule == "top-k-indices"
    assert by_op["Mod"].rule == "mod"
    assert {v.rule for v in report.verdicts if v.op == "Div"} == {"element-type"}
    for op in ("TopK", "Mod", "Div"):
        assert "--head raw" in by_op[op].remedy
        assert by_op[op].source
    data = as_data(report)["summary"]
    assert data["cpu_mid_graph"] > 0
    assert data["macs_bpu"] > 0.99
    assert {"decode-tail"}.isdisjoint(p["rule"] for p in data["problems"])


@pytest.mark.slow  # compiles twice
@pytest.mark.filterwarnings("ignore")
def test_legalization_leaves_the_int8_outputs_of_yolov10_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    model = yolov10("n", size=128)
    image = np.random.default_rng(0).random((1, 3, 128, 128), np.float32)
    legal = run(compile_model(model, "j6", limit=2).model, image)
    monkeypatch.setattr(J6, "legalization", lambda self: ())
    plain = run(compile_model(model, "j6", limit=2).model, image)
    assert all(np.array_equal(a, b) for a, b in zip(legal, plain, strict=True))


def run(model: onnx.ModelProto, image: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: list[np.ndarray] = session.run(None, {"images": image})
    return found
