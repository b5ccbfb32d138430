"""What the rules of a pipeline did at a node, and why the others did nothing there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from y10c.ir.graph import Graph
from y10c.pipeline.manager import run_passes
from y10c.rewrite.explain import RuleExplanation, explain_rule, explain_rules, find_op
from y10c.rewrite.journal import Application, Journal, label
from y10c.rewrite.passes import Pass, PassContext
from y10c.rewrite.rule import Rule


@dataclass(frozen=True)
class NodeRules:
    """The rules part of the page on a node.

    Args:
        node: The op as imported, as `Name "location"`.
        survives: True where the pipeline leaves an op of that location.
        fired: The rewrites that took the node, or what became of it, away; in order.
        rules: What each rule says to the node: as it is after the pipeline, or, where it is gone, as it
            was imported.
    """

    node: str
    survives: bool
    fired: tuple[Application, ...]
    rules: tuple[RuleExplanation, ...]


def explain_node_rules(
    graph: Graph,
    node: str,
    passes: Sequence[Pass],
    rules: Iterable[Rule],
    only: Rule | None = None,
    tables: Mapping[type, Any] | None = None,
) -> NodeRules:
    """Run passes on a copy of a graph and say which rules fired at a node, and why the others did not.

    Args:
        graph: As imported; it is not changed.
        node: Name of an ONNX node or tensor.
        passes: The pipeline.
        rules: The rules that are asked about.
        only: Ask about this rule alone, even where its pattern has no place for the node.
        tables: What the passes are told, by type (`PassContext.tables`).

    Raises:
        UnknownNameError: The graph has no such node.
    """
    op = find_op(graph, node)
    after, journal = graph.clone(), Journal()
    run_passes(after, passes, PassContext(listeners=[journal], tables=dict(tables or {})))
    left = next((one for one in after.walk() if op.location and one.location == op.location), None)
    home, asked = (graph, op) if left is None else (after, left)
    said = [explain_rule(home, only, asked)] if only is not None else explain_rules(home, rules, asked)
    return NodeRules(label(op), left is not None, tuple(journal.at(op.location)), tuple(said))
