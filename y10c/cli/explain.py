"""`y10c explain`: one page on a node of a model."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from y10c.cli.terminal import table, terminal

if TYPE_CHECKING:
    from rich.console import RenderableType

    from y10c.pipeline.explain import NodeRules

MOST_RULES = 12
"""So many rules are shown to a person who names none; `--json` has them all."""


def explain(
    model: Annotated[Path, typer.Argument(help="ONNX file.")],
    node: Annotated[str, typer.Argument(help="Name of a node or of a tensor that it makes.")],
    rule: Annotated[
        str | None, typer.Option("--rule", "-r", help="Ask about this rule alone; else about all.")
    ] = None,
) -> None:
    """Show which rules fired at a node, and how far the others came and why they stopped."""
    from y10c.frontend.importer import load
    from y10c.passes.pipelines import canonicalization
    from y10c.pipeline.explain import explain_node_rules
    from y10c.testing.registered import registered_rule, registered_rules

    only = registered_rule(rule).rule if rule is not None else None
    known = [one.rule for one in registered_rules()]
    found = explain_node_rules(load(model), node, canonicalization(), known, only)
    terminal().result(asdict(found), lambda: rules_part(found))


def rules_part(found: NodeRules) -> RenderableType:
    """The part of the page that is about rules."""
    from rich.console import Group

    fired = [(one.number, one.rule, ", ".join(one.erased), ", ".join(one.inserted)) for one in found.fired]
    fate = "is there after the pipeline" if found.survives else "is gone after the pipeline"
    state = "after the pipeline" if found.survives else "as imported"
    shown = found.rules[:MOST_RULES]
    rows = [(one.rule, _verdict(found, one.fires), one.at or one.root, one.reason) for one in shown]
    parts: list[RenderableType] = [f"{found.node} {fate}"]
    if fired:
        parts.append(table(("rewrite", "rule", "took away", "put there"), fired, title="Rules that fired"))
    parts.append(table(("rule", "fires", "ends at", "because"), rows, title=f"What rules say to it {state}"))
    if len(found.rules) > len(shown):
        parts.append(f"and {len(found.rules) - len(shown)} rules that came less far: see --json")
    return Group(*parts)


def _verdict(found: NodeRules, fires: bool) -> str:
    if not fires:
        return "no"
    return "would" if found.survives else "yes"
