"""64-bit indices in 32 bits: where they fit, all the way, and never where an output needs 64."""

from __future__ import annotations

import onnx.parser
import pytest

from y10c.frontend.importer import load
from y10c.ir.graph import Graph
from y10c.ir.types import DType
from y10c.passes.legalize.indices import NarrowIndices
from y10c.pipeline.manager import run_passes
from y10c.rewrite.passes import PassContext
from y10c.testing import assert_equivalent, check_pass

HEAD = '<ir_version: 10, opset_import: ["" : 21]> net (float[1,64] x, float[1,8] t) => '
CONSTANTS = "<int64[1] k = {2}, int64 eight = {8}, int64[1] last = {-1}, int64 huge = {4294967296}> "


def narrowed(text: str) -> tuple[Graph, Graph]:
    graph = load(onnx.parser.parse_model(HEAD + text))
    before = graph.clone()
    run_passes(graph, [NarrowIndices()], PassContext())
    return before, graph


def wide(graph: Graph) -> list[str]:
    return [op.name for op in graph.ops if op.results[-1].tensor_type.dtype is DType.i64]


@pytest.mark.parametrize(
    ("text", "left_wide"),
    [
        (
            "(float[1,2] y) "
            + CONSTANTS
            + "{ v, i = TopK(x, k) r = Div(i, eight) y = GatherElements<axis=1>(t, r) }",
            ["TopK"],
        ),
        (
            "(float[1,2,1] y) "
            + CONSTANTS
            + "{ v, i = TopK(x, k) r = Mod(i, eight) u = Unsqueeze(r, last) y = Cast<to=1>(u) }",
            ["TopK"],
        ),
        ("(int64[1,2] y) " + CONSTANTS + "{ v, i = TopK(x, k) y = Div(i, eight) }", ["TopK", "Cast"]),
        ("(float[1,2] v, int64[1,2] i) " + CONSTANTS + "{ v, i = TopK(x, k) }", ["TopK"]),
        ("(int64[1,2] y) " + CONSTANTS + "{ v, i = TopK(x, k) y = Mul(i, huge) }", ["TopK", "Mul"]),
    ],
    ids=["gather", "to float", "output", "nothing to narrow", "does not fit"],
)
def test_narrowing(text: str, left_wide: list[str]) -> None:
    before, after = narrowed(text)
    assert wide(after) == left_wide
    assert_equivalent(before, after)


def test_a_second_run_changes_nothing() -> None:
    _, graph = narrowed("(int64[1,2] y) " + CONSTANTS + "{ v, i = TopK(x, k) y = Div(i, eight) }")
    text = str(graph)
    run_passes(graph, [NarrowIndices()], PassContext())
    assert str(graph) == text


def test_random_models_keep_their_meaning() -> None:
    check_pass(NarrowIndices, examples=40)
