"""Graphs and deliberately wrong passes for the tests of the debugging tools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from y10c.ir import DType, Graph, TensorType
from y10c.rewrite import Rewriter, Rule, op, rule, var
from y10c.rewrite.passes import Pass, PassContext, RulePass

x, y = var("x"), var("y")


@rule(match=op.Mul(x, op.Sigmoid(x)))
def wrong_silu(rw: Rewriter, m: Any) -> Any:
    """Take x * sigmoid(x) for a Relu."""
    return rw.op.Relu(m.x)


@rule(match=op.Tanh(x))
def raising(rw: Rewriter, m: Any) -> Any:
    """Raise."""
    raise ZeroDivisionError("no such thing")


@rule(match=op.Neg(op.Neg(x)))
def right(rw: Rewriter, m: Any) -> Any:
    """Drop a double negation."""
    return m.x


@dataclass(frozen=True)
class Wrong(RulePass):
    """One right rule and a wrong one."""

    name: ClassVar[str] = "wrong"
    rules: ClassVar[Sequence[Rule]] = (right, wrong_silu)


@dataclass(frozen=True)
class Raising(RulePass):
    """One right rule and one that raises."""

    name: ClassVar[str] = "raising"
    rules: ClassVar[Sequence[Rule]] = (right, raising)


@dataclass(frozen=True)
class Renaming(Pass):
    """Renames the first input, as other tools do."""

    name: ClassVar[str] = "renaming"

    def run(self, graph: Graph, context: PassContext) -> None:
        """Change the name."""
        graph.inputs[0].name += "0"


@dataclass(frozen=True)
class Breaking(Pass):
    """Leaves a graph that is not valid."""

    name: ClassVar[str] = "breaking"

    def run(self, graph: Graph, context: PassContext) -> None:
        """Forget a type."""
        for one in graph.ops:
            one.results[0].type = TensorType(DType.i64, (7,))
            return


def chain(kinds: str) -> Graph:
    """A chain of ops over f32[1,2,4,4]: n double Neg, s SiLU in two nodes, t Tanh, r Relu."""
    graph = Graph("chain")
    value = graph.add_input(TensorType(DType.f32, (1, 2, 4, 4)), "x")
    rw = Rewriter(graph)
    for number, kind in enumerate(kinds):
        place = f"{kind}{number}"
        if kind == "n":
            value = rw.op.Neg(rw.op.Neg(value, _location=f"{place}/a"), _location=f"{place}/b")
        elif kind == "s":
            gate = rw.op.Sigmoid(value, _location=f"{place}/gate")
            value = rw.op.Mul(value, gate, _location=place)
        else:
            value = rw.op[{"t": "Tanh", "r": "Relu"}[kind]](value, _location=place)
        value = rw.op.Add(value, np.full((1, 2, 1, 1), 0.25, np.float32), _location=f"{place}/add")
    graph.set_outputs([value], ["y"])
    return graph


def convolution() -> Graph:
    """A Conv and a Relu over f32[1,3,8,8]."""
    graph = Graph("convolution")
    graph.info.opsets[""] = 17
    x = graph.add_input(TensorType(DType.f32, (1, 3, 8, 8)), "x")
    rw = Rewriter(graph)
    weights = np.random.default_rng(0).standard_normal((4, 3, 3, 3)).astype(np.float32)
    conv = rw.op.Conv(x, weights, _location="conv")
    graph.set_outputs([rw.op.Relu(conv, _location="relu")], ["y"])
    return graph
