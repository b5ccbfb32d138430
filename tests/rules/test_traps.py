"""Traps of other tools: renamed inputs, clobbered initializers, lost outputs, rules that play ping-pong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from y10c.errors import RewriteCycleError
from y10c.ir import DType, Graph, TensorType
from y10c.ir.verify import verify
from y10c.passes.canonicalize.noop import DropNoops
from y10c.rewrite import Rewriter, op, rewrite, rule, variables
from y10c.rewrite.passes import PassContext

x, y, W, V = variables("x y W V")
F32 = TensorType(DType.f32, (2, 3))


@rule(match=op.Mul(op.Mul(x, W), V))
def merge_scales(rw: Rewriter, m: Any) -> Any:
    """Merge two scales into a new constant."""
    return rw.op.Mul(m.x, rw.const(m.W * m.V))


@rule(match=op.Add(x, y, ordered=True, bind="add"))
def add_becomes_sum(rw: Rewriter, m: Any) -> Any:
    """There."""
    return rw.op.Sum(m.x, m.y)


@rule(match=op.Sum(x, y, ordered=True))
def sum_becomes_add(rw: Rewriter, m: Any) -> Any:
    """And back again."""
    return rw.op.Add(m.x, m.y)


def graph_of(build: Any, *outputs: str) -> Graph:
    graph = Graph("trap")
    made = build(Rewriter(graph), graph.add_input(F32, "image"))
    graph.set_outputs(made, outputs)
    return graph


def test_removing_an_identity_of_an_input_renames_neither_the_input_nor_the_output() -> None:
    graph = graph_of(lambda rw, image: [rw.op.Identity(image)], "result")
    DropNoops().run(graph, PassContext())
    assert len(graph) == 0
    assert [v.name for v in graph.inputs] == ["image"]
    assert graph.output_names == ["result"]
    model = graph.to_onnx()
    assert [i.name for i in model.graph.input] == ["image"]
    assert [o.name for o in model.graph.output] == ["result"]


def test_an_initializer_that_others_share_keeps_its_numbers() -> None:
    def build(rw: Rewriter, image: Any) -> list[Any]:
        shared = rw.const(np.full((3,), 2.0, np.float32))
        return [rw.op.Mul(rw.op.Mul(image, shared), rw.const(np.float32(5))), rw.op.Add(image, shared)]

    graph = graph_of(build, "scaled", "shifted")
    assert rewrite(graph, [merge_scales]).total == 1
    added = graph.outputs[1].producer
    assert added is not None
    shared = added.operands[1]
    assert shared is not None
    assert shared.numpy().tolist() == [2, 2, 2]


def test_a_value_that_is_an_output_and_an_operand_survives_the_rewrite_of_its_reader() -> None:
    def build(rw: Rewriter, image: Any) -> list[Any]:
        inner = rw.op.Mul(image, rw.const(np.float32(2)))
        return [inner, rw.op.Mul(inner, rw.const(np.float32(3)))]

    graph = graph_of(build, "inner", "outer")
    assert rewrite(graph, [merge_scales]).total == 1
    verify(graph)
    inner = graph.outputs[0].producer
    assert inner is not None
    assert inner.operands[0] is graph.inputs[0]
    assert graph.output_names == ["inner", "outer"]


def test_rules_that_undo_each_other_are_named() -> None:
    graph = graph_of(lambda rw, image: [rw.op.Add(image, image)], "sum")
    with pytest.raises(RewriteCycleError, match=r"add-becomes-sum -> sum-becomes-add|sum-becomes-add -> add"):
        rewrite(graph, [add_becomes_sum, sum_becomes_add])
