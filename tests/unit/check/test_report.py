"""What a check says: sentences, grouped problems, plain data, the log, ops that nothing runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import onnx.parser
import pytest

from y10c.check.constraint import demand, one_of, within
from y10c.check.node import Node
from y10c.check.report import check_graph, require_homes
from y10c.check.text import as_data, check_log, headline
from y10c.errors import IllegalOpError
from y10c.frontend.importer import load
from y10c.ir.graph import Graph
from y10c.pipeline.compile import compile as compile_model
from y10c.pipeline.target import create_target

HEAD = '<ir_version: 10, opset_import: ["" : 21, "maker" : 1]> net (float[1,4] x) => (float[1,4] y) '
TABLE = create_target("j6").operators()
assert TABLE is not None


def graph_of(body: str) -> Graph:
    return load(onnx.parser.parse_model(HEAD + body))


@within(1, 3, source="assumed", remedy="take less", cures=("halve",))
def widget_size(node: Node) -> Iterable[int]:
    """A widget is {low} to {high} long."""
    return [4]


@one_of(1, 2, source="assumed", remedy="-")
def widget_count(node: Node) -> Iterable[int]:
    """There is {legal} widget."""
    return [1, 2]


@demand("round", source="assumed", remedy="-")
def widget_shape(node: Node) -> str | None:
    """A widget is {allowed}."""
    return "square"


def test_the_docstring_is_the_sentence_and_numbers_stand_once() -> None:
    node = Node(next(graph_of("{ y = Relu(x) }").ops))
    assert widget_size.name == "widget-size"
    assert widget_size.sentence == "A widget is 1 to 3 long."
    assert widget_size.allowed == "1 to 3"
    assert widget_size.breach(node) == "4"
    assert widget_count.breach(node) is None
    assert widget_count.sentence == "There is 1 or 2 widget."
    assert (widget_shape.sentence, widget_shape.breach(node)) == ("A widget is round.", "square")
    assert widget_size.from_source("published: here").source == "published: here"


def test_a_reason_holds_the_actual_and_the_allowed_value() -> None:
    graph = load(
        onnx.parser.parse_model(
            '<ir_version: 10, opset_import: ["" : 21]> net (float[1,4,2,2] x)'
            " => (float[1,1,2,2] y, float[1,3,2,2] z)"
            " <int64[2] parts = {1, 3}> { y, z = Split<axis=1>(x, parts) }"
        )
    )
    found = TABLE.place(next(graph.ops))
    assert (found.unit, found.rule) == ("CPU", "split-parts")
    assert found.reason == "A Split gives equal parts. Here: 1, 3; allowed: equal parts."
    assert found.source == "assumed: X5 row assumed to hold (S11)"


def test_equal_problems_are_one() -> None:
    report = check_graph(graph_of("{ a = Neg(x) b = Relu(a) c = Neg(b) y = Relu(c) }"), TABLE, "j6")
    assert [(p.rule, len(p.nodes)) for p in report.problems] == [("neg", 2), ("between-host-ops", 1)]


def test_plain_data_has_the_promised_form() -> None:
    data = as_data(check_graph(graph_of("{ a = Relu(x) y = Neg(a) }"), TABLE, "j6"))
    assert {"node", "op", "unit", "rule", "reason", "remedy"} <= set(data["nodes"][0])
    summary = data["summary"]
    assert summary["nodes"] == 2
    assert summary["macs_bpu"] == 1
    assert summary["crossings"] == 1
    assert summary["cpu_mid_graph"] == 0
    assert [p["rule"] for p in summary["problems"]] == ["neg"]


def test_the_log_holds_every_node_and_every_problem() -> None:
    report = check_graph(graph_of("{ a = Relu(x) y = Neg(a) }"), TABLE, "j6")
    text = check_log(report, "net.onnx")
    assert headline(report) in text
    assert all(v.node in text and v.rule in text for v in report.verdicts)
    assert "problem 1: neg" in text
    assert "remedy: multiply by -1" in text


def test_an_op_that_nothing_runs_is_an_error() -> None:
    report = check_graph(graph_of("{ a = maker.Gadget(x) y = Relu(a) }"), TABLE, "j6")
    assert [v.unit for v in report.verdicts] == ["none", "CPU"]
    with pytest.raises(IllegalOpError, match="Gadget") as raised:
        require_homes(report, "net.onnx")
    assert raised.value.rule is not None
    assert raised.value.exit_code == 1


def test_behind_an_unknown_op_the_shape_is_what_is_missing() -> None:
    text = HEAD.replace("float[1,4]", "float[1,1,2,2]") + "<float[1,1,1,1] w = {1}> "
    graph = load(onnx.parser.parse_model(text + "{ a = maker.Gadget(x) y = Conv(a, w) }"))
    behind = check_graph(graph, TABLE, "j6").verdicts[1]
    assert (behind.unit, behind.rule) == ("CPU", "static-shape")


def test_compile_refuses_an_op_that_nothing_runs(tmp_path: Path) -> None:
    model = onnx.parser.parse_model(HEAD + "{ a = maker.Gadget(x) y = Relu(a) }")
    with pytest.raises(IllegalOpError, match="Gadget"):
        compile_model(model, "j6", output=tmp_path / "build", stop_after="optimized")


def test_compile_writes_the_check_and_takes_its_places(tmp_path: Path) -> None:
    text = HEAD + "<float[4,4] w = {1,0,0,0, 0,1,0,0, 0,0,1,0, 0,0,0,1}> "
    text += "{ a = MatMul(x, w) b = CumSum(a, k) y = Relu(b) }"
    text = text.replace("<float[4,4]", "<int64 k = {1}, float[4,4]")
    result = compile_model(onnx.parser.parse_model(text), "j6", output=tmp_path / "build")
    assert "1 nodes run on the CPU in mid-graph: 2 tensors" in str(result.warnings.as_dicts())
    assert "cum-sum" in result.files["check"].read_text()
    places = {row.op: row.unit for row in result.nodes}
    assert places["CumSum"] == "CPU"
    assert places["MatMul"] == "BPU"
