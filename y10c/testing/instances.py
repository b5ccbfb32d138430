"""Single ops as graphs: what a drawn instance becomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from y10c.ir.graph import Graph
from y10c.ir.tensor import Array
from y10c.ops.sample import Domain, Draw, OpInstance
from y10c.rewrite.rewriter import Rewriter


@dataclass(frozen=True)
class Case:
    """A graph and what to feed it.

    Args:
        graph: A valid graph.
        feeds: One array per input, by name.
        domains: What each input may hold, by name.
    """

    graph: Graph
    feeds: dict[str, Array]
    domains: dict[str, Domain]


def case_of(draw: Draw, name: str, instance: OpInstance) -> Case:
    """The graph of one op: operands with data become constants, the others inputs fed from their domains."""
    graph = Graph(name)
    rewriter = Rewriter(graph)
    feeds: dict[str, Array] = {}
    domains: dict[str, Domain] = {}
    operands: list[Any] = []
    for index, operand in enumerate(instance.operands):
        if operand is None:
            operands.append(None)
        elif operand.data is not None:
            operands.append(rewriter.const(operand.data))
        else:
            value = graph.add_input(operand.type, f"x{index}")
            feeds[value.name] = draw.array(operand.type, operand.domain)
            domains[value.name] = operand.domain
            operands.append(value)
    made = rewriter.op[name](*operands, _results=instance.results, **instance.attrs)
    results = made if isinstance(made, tuple) else (made,)
    graph.set_outputs(results, [f"y{i}" for i in range(len(results))])
    return Case(graph, feeds, domains)
