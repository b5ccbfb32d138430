"""On random models: legalization keeps the meaning, and what runs on the chip only grows."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from onnx.backend.test.loader import load_model_tests

from y10c.check.report import CheckReport, check_graph
from y10c.check.table import OperatorTable
from y10c.errors import ModelError
from y10c.frontend.importer import load
from y10c.pipeline.manager import run_passes
from y10c.pipeline.target import create_target
from y10c.rewrite.passes import PassContext
from y10c.testing import assert_equivalent
from y10c.testing.instances import Case
from y10c.testing.random_models import models

ROUGH = (
    "Conv",
    "Gemm",
    "MatMul",
    "Softmax",
    "LayerNormalization",
    "InstanceNormalization",
    "Split",
    "Resize",
)
ROUGH += ("ReduceL2", "ReduceMin", "ReduceMean", "Concat", "Pad", "PRelu", "Neg", "Min", "MaxPool", "Add")
"""Ops that the lists refuse in some forms."""

KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator")
"""Of ONNX's own models, those of single nodes and of a few; whole networks are downloaded."""


def refused(report: CheckReport) -> int:
    """Nodes that the chip refuses; those that it could run but that stand between them do not count."""
    return sum(verdict.rule != "between-host-ops" for verdict in report.refused)


@pytest.mark.parametrize("target_name", ["j6", "x5"])
@pytest.mark.parametrize("names", [(), ROUGH], ids=["any ops", "ops that are refused"])
def test_a_check_after_legalization_never_gets_worse(target_name: str, names: tuple[str, ...]) -> None:
    target = create_target(target_name)
    table = target.operators()
    assert table is not None
    rewritten = []

    @settings(
        max_examples=80,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    @given(models(names=names))
    def judge(case: Case) -> None:
        graph, before = case.graph, case.graph.clone()
        was = check_graph(before, table, target_name)
        context = PassContext(tables={OperatorTable: table})
        run_passes(graph, target.legalization(), context)
        now = check_graph(graph, table, target_name)
        rewritten.append(sum(context.applied.values()))
        assert now.macs_bpu >= was.macs_bpu
        # A model that ran on the host alone has no crossings; they come with the first op on the chip.
        assert (refused(now), now.crossings) <= (refused(was), was.crossings)
        assert_equivalent(before, graph, case.feeds)

    judge()
    assert any(rewritten), "no model was changed, so nothing was tested"


@pytest.mark.slow  # two thousand models
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("target_name", ["j6", "x5"])
def test_onnx_s_own_models_never_get_worse(target_name: str) -> None:
    target = create_target(target_name)
    table = target.operators()
    assert table is not None
    judged = better = 0
    for case in (case for kind in KINDS for case in load_model_tests(kind=kind)):
        try:
            graph = load(case.model or Path(case.model_dir) / "model.onnx")
        except ModelError:  # invalid on purpose, or a feature that is refused
            continue
        was = check_graph(graph, table, target_name)
        run_passes(graph, target.legalization(), PassContext(tables={OperatorTable: table}))
        now = check_graph(graph, table, target_name)
        assert now.macs_bpu >= was.macs_bpu, case.name
        assert (refused(now), now.crossings) <= (refused(was), was.crossings), case.name
        judged += 1
        better += refused(now) < refused(was)
    assert judged > 1900
    assert better > 250
