"""`y10c.compare` on the stages of a compilation: nothing between the input and the logits is out of sight."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import y10c
from tests.exactness.test_models import block
from y10c.comparison.matching import match
from y10c.comparison.sides import open_side
from y10c.pipeline.nodes import SAMPLES
from y10c.pipeline.result import Result
from y10c.quant.options import QuantOptions


def test_the_first_model_is_matched_with_the_last(compiled: Result) -> None:
    """Through canonicalization, folding of the head and quantization, by lineage."""
    original, ptq = compiled.models["original"], compiled.models["ptq"]
    pairs = match(open_side(original, "original"), open_side(ptq, "ptq", units=True))
    matched = {pair.node for pair in pairs}
    convs = {n.name for n in ptq.graph.node if n.op_type == "Conv"}
    dfl = {name for name in convs if "dfl" in name}
    assert len(convs - dfl) > 70
    assert convs - dfl <= matched
    assert len(pairs) > 150


def test_the_logits_are_compared_and_detections_agree(compiled: Result, pictures: Path) -> None:
    found = y10c.compare(compiled.models["original"], compiled.models["ptq"], data=pictures, samples=1)
    assert len(found.outputs) == 6
    assert all(one.compared for one in found.outputs)
    assert found.worst_output is not None
    assert found.worst_output.cosine is not None
    assert found.worst_output.cosine > 0.9
    assert found.detections is not None
    # Error piles up: at the end a node inherits far more than it adds.
    last = [node for node in found.nodes if node.op == "Conv"][-1]
    assert last.sqnr_db < last.own_sqnr_db - 3


def test_figures_are_those_of_the_node_table(compiled: Result, pictures: Path) -> None:
    """Both tell the cosine of the quantized model with the float one on the same samples."""
    found = y10c.compare(compiled.models["optimized"], compiled.models["ptq"], data=pictures, samples=SAMPLES)
    ours = {node.node: node.cosine for node in found.nodes}
    theirs = {row.node: row.quantized_cosine for row in compiled.nodes if row.quantized_cosine is not None}
    shared = [name for name in theirs if name in ours and "Split" not in name]
    assert len(shared) > 100
    for name in shared:
        assert ours[name] == pytest.approx(theirs[name], abs=2e-4), name


def test_a_model_in_memory_is_not_changed(detector: onnx.ModelProto, pictures: Path) -> None:
    before = detector.SerializeToString(deterministic=True)
    y10c.compare(detector, detector, data=pictures, samples=1)
    assert detector.SerializeToString(deterministic=True) == before


def test_a_constant_that_was_taken_off_is_no_error(tmp_path: Path) -> None:
    """A symmetric grid around the middle of a SiLU: the tensors keep their names and their meaning."""
    draw = np.random.default_rng(3)
    for index in range(4):
        np.save(tmp_path / f"{index}.npy", draw.random((1, 3, 16, 16), dtype=np.float32))
    model = block()
    symmetric = QuantOptions(scheme="symmetric", absorb_shift=True, mixed="off", rounding=False)
    compiled = y10c.compile(model, "j6", calibration=tmp_path, quant=symmetric).model
    assert [node for node in compiled.graph.node if node.name.endswith("/shift")]
    found = y10c.compare(model, compiled, data=tmp_path)
    assert any("less by a constant" in note for note in found.notes)
    assert min(node.own_sqnr_db for node in found.nodes) > 20
    assert min(node.sqnr_db for node in found.nodes) > 10
