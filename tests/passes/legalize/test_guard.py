"""Rules of legalization fire where the operator list asks for them, and only keep what it then takes."""

from __future__ import annotations

from typing import Any

import onnx.parser
import pytest

from y10c.check.constraint import HOST, Row
from y10c.check.table import OperatorTable
from y10c.frontend.importer import load
from y10c.ir.graph import Graph
from y10c.passes.legalize.guard import guarded
from y10c.passes.legalize.moves import LegalizeMoves
from y10c.passes.legalize.pipeline import legalization
from y10c.pipeline.target import create_target
from y10c.quant.plan import Tail
from y10c.rewrite import Rewriter, op, rewrite, rule, variables
from y10c.rewrite.passes import PassContext, RulePass

TABLE = create_target("j6").operators()
assert TABLE is not None


def split(first: int, second: int) -> Graph:
    text = f"""<ir_version: 10, opset_import: ["" : 21]> net (float[1,4,2,2] x)
        => (float[1,{first},2,2] y, float[1,{second},2,2] z)
        <int64[2] parts = {{{first}, {second}}}> {{ [cut] y, z = Split<axis=1>(x, parts) }}"""
    return load(onnx.parser.parse_model(text))


def names(graph: Graph) -> list[str]:
    return [each.name for each in graph.ops]


def test_what_the_chip_runs_is_left_alone() -> None:
    graph = split(2, 2)
    LegalizeMoves().run(graph, PassContext(tables={OperatorTable: TABLE}))
    assert names(graph) == ["Split"]


def test_what_the_chip_refuses_is_rewritten() -> None:
    graph = split(1, 3)
    LegalizeMoves().run(graph, PassContext(tables={OperatorTable: TABLE}))
    assert names(graph) == ["Slice", "Slice"]


def test_without_a_list_rules_fire_wherever_they_match() -> None:
    graph = split(2, 2)
    LegalizeMoves().run(graph, PassContext())
    assert names(graph) == ["Slice", "Slice"]


def test_the_decode_tail_is_left_alone() -> None:
    graph = split(1, 3)
    context = PassContext(tables={OperatorTable: TABLE, Tail: Tail(graph.ops)})
    LegalizeMoves().run(graph, context)
    assert names(graph) == ["Split"]


(x,) = variables("x")


@rule(match=op.Neg(x))
def neg_by_loops(rw: Rewriter, m: Any) -> Any:
    """Write a negation with an op that the chip does not know."""
    return rw.op.CumSum(m.x, 1)


def test_a_cure_that_the_chip_refuses_too_is_taken_back() -> None:
    graph = load(
        onnx.parser.parse_model(
            '<ir_version: 10, opset_import: ["" : 21]> net (float[1,4] x) => (float[1,4] y) { y = Neg(x) }'
        )
    )
    row = Row("neg", ("Neg",), "Neg runs on the CPU.", "assumed", HOST, cures=("neg-by-loops",))
    table = OperatorTable("toy", (row,), ())
    stats = rewrite(graph, [guarded(neg_by_loops, table)])
    assert names(graph) == ["Neg"]
    assert not stats.total


def test_new_ops_are_named_after_the_node_that_they_stand_for() -> None:
    graph = load(
        onnx.parser.parse_model(
            """<ir_version: 10, opset_import: ["" : 21]> net (float[2,3,5] x) => (float[2,3,5] y)
            { [attention] y = Softmax<axis=-1>(x) }"""
        )
    )
    context = PassContext(tables={OperatorTable: TABLE})
    for each in legalization():
        each.run(graph, context)
    locations = [each.location for each in graph.ops]
    assert len(set(locations)) == len(locations) == 3
    assert all(location.startswith("attention") for location in locations)
    assert "attention" in locations


@pytest.mark.parametrize("target", ["j6", "x5"])
def test_every_cure_that_a_list_names_is_a_rule_that_runs_on_that_target(target: str) -> None:
    chosen = create_target(target)
    table = chosen.operators()
    assert table is not None
    rules = {rule.name for each in chosen.legalization() if isinstance(each, RulePass) for rule in each.rules}
    named = {name for row in table.rows for name in row.cures}
    named |= {name for constraint in table.constraints for name in constraint.cures}
    assert named <= rules
