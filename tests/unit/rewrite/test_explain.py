"""Why a rule fires or not: the reason, the place, and what became of a node."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from y10c.cli.main import main
from y10c.errors import UnknownNameError
from y10c.ir import DType, Graph, TensorType
from y10c.passes.canonicalize.batchnorm import fold_bn_into_conv
from y10c.passes.canonicalize.noop import drop_identity, drop_transpose
from y10c.passes.canonicalize.recognize import recognize_silu
from y10c.passes.pipelines import canonicalization
from y10c.pipeline.explain import explain_node_rules
from y10c.rewrite import Rewriter
from y10c.rewrite.explain import explain_rule, explain_rules, find_op

RULES = (fold_bn_into_conv, drop_identity, drop_transpose, recognize_silu)


def sample() -> Graph:
    """Identity, SiLU in two nodes, and a Conv whose result two ops read."""
    graph = Graph("g")
    x = graph.add_input(TensorType(DType.f32, (1, 2, 3, 3)), "x")
    rw = Rewriter(graph)
    same = rw.op.Identity(x, _location="same")
    gate = rw.op.Sigmoid(same, _location="gate")
    silu = rw.op.Mul(same, gate, _location="mul")
    conv = rw.op.Conv(silu, np.ones((2, 2, 1, 1), np.float32), _location="conv")
    ones = np.ones(2, np.float32)
    bn = rw.op.BatchNormalization(conv, ones, ones, ones, ones, _location="bn")
    conv.name = "conv_out"
    graph.set_outputs([bn, conv], ["y", "z"])
    return graph


def test_a_rule_that_fires_says_so_at_its_root_and_at_its_parts() -> None:
    for node in ("mul", "gate"):
        said = explain_rule(sample(), recognize_silu, node)
        assert said.fires
        assert said.root == 'Mul "mul"'


def test_the_reason_names_the_op_where_the_match_ended() -> None:
    said = explain_rule(sample(), fold_bn_into_conv, "conv_out")
    assert not said.fires
    assert (said.root, said.at) == ('BatchNormalization "bn"', 'Conv "conv"')
    assert said.reason == "the result of Conv is read 2 times, not once"


def test_a_rule_without_a_root_near_the_node_names_who_reads_it() -> None:
    graph = sample()
    said = explain_rule(graph, fold_bn_into_conv, "gate")
    assert "no place for Sigmoid" in said.reason
    assert "starts at BatchNormalization" in said.reason
    rw = Rewriter(graph)
    graph.set_outputs([find_op(graph, "conv").result], ["z"])
    rw.erase_dead()
    assert "read by graph.return" in explain_rule(graph, fold_bn_into_conv, "conv").reason


def test_asking_changes_nothing() -> None:
    graph = sample()
    before = str(graph)
    explain_rules(graph, RULES, "mul")
    assert str(graph) == before


def test_only_rules_with_a_place_for_the_node_are_listed_the_ones_that_fire_first() -> None:
    said = explain_rules(sample(), RULES, "same")
    assert [(one.rule, one.fires) for one in said] == [("drop-identity", True)]


def test_an_unknown_node_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="unknown node 'cnov'") as caught:
        explain_rule(sample(), drop_identity, "cnov")
    assert "did you mean 'conv'" in (caught.value.help or "")


def test_the_page_tells_what_became_of_a_node() -> None:
    found = explain_node_rules(sample(), "gate", canonicalization(), RULES)
    assert not found.survives
    assert [one.rule for one in found.fired] == ["recognize-silu"]
    assert found.fired[0].inserted == ('y10c.SiLU "mul"',)


def test_the_command_prints_the_page_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(sample().to_onnx().SerializeToString())
    assert main(["explain", str(path), "gate", "--json"]) == 0
    page = json.loads(capsys.readouterr().out)
    assert page["fired"][0]["rule"] == "recognize-silu"
    assert main(["explain", str(path), "conv", "--rule", "fold-bn-into-conv"]) == 0
    assert "fold-bn-into-conv" in capsys.readouterr().out
    assert main(["explain", str(path), "conv", "--rule", "fold-bm-into-conv"]) == 2
