"""`y10c explain`: one page on a node of a model."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from y10c.cli.compile import parse_shape
from y10c.cli.terminal import table, terminal

if TYPE_CHECKING:
    from rich.console import RenderableType

    from y10c.comparison.explain import TensorRange
    from y10c.pipeline.explain import NodeRules
    from y10c.pipeline.node_page import NodePage

MOST_ALTERNATIVES = 8
"""Other ranges that a page shows of a tensor, the best first; --json holds all."""

MOST_RULES = 12
"""So many rules are shown to a person who names none; `--json` has them all."""


def explain(
    model: Annotated[Path, typer.Argument(help="ONNX file, or a folder that `y10c compile` wrote.")],
    node: Annotated[str, typer.Argument(help="Name of a node or of a tensor that it makes.")],
    rule: Annotated[
        str | None, typer.Option("--rule", "-r", help="Ask about this rule alone; else about all.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--target", "-t", help="j6, x5 or ort; by default what it was compiled for, else j6."),
    ] = None,
    march: Annotated[str | None, typer.Option(help="Chip of the target's family.")] = None,
    head: Annotated[str | None, typer.Option(help="raw, e2e or keep; j6 takes raw.")] = None,
    shape: Annotated[
        list[str] | None, typer.Option(help="Extents of an input with open shape: images=1x3x640x640.")
    ] = None,
) -> None:
    """Show all about a node: where it runs and why, its ranges, its cost, and what rules did or did not."""
    from y10c.pipeline.node_page import explain_node
    from y10c.pipeline.target import create_target
    from y10c.testing.registered import registered_rule, registered_rules

    only = registered_rule(rule).rule if rule is not None else None
    found = explain_node(
        model,
        node,
        create_target(target or "j6", march) if target or march else None,
        rules=[one.rule for one in registered_rules()],
        only=only,
        head=head,
        shapes=dict(map(parse_shape, shape or [])),
    )
    data = {
        "target": found.target,
        "march": found.march,
        **asdict(found.rules),
        "placement": _placement(found),
        "cost": _cost(found),
        "ranges": found.ranges,
    }
    terminal().result(data, lambda: _drawn(found))


def _placement(page: NodePage) -> dict[str, Any]:
    return {"imported": page.imported, "placed": list(page.placed)}


def _cost(page: NodePage) -> dict[str, Any]:
    layers = [asdict(layer) for layer in page.layers]
    if page.times_refused is not None:
        layers = [{k: None if k.endswith("_us") else v for k, v in one.items()} for one in layers]
    return {"layers": layers, "times_refused": page.times_refused}


def _drawn(page: NodePage) -> RenderableType:
    from rich.console import Group

    return Group(rules_part(page.rules), *_place_part(page), *_cost_part(page), *_range_part(page))


def _place_part(page: NodePage) -> list[RenderableType]:
    asked = [("as imported", page.imported)] if page.imported is not None else []
    rows = [
        (when, v.node, v.op, v.unit, v.rule, f"{v.reason} [{v.source}]", v.remedy)
        for when, v in (*asked, *(("as compiled", v) for v in page.placed))
    ]
    columns = ("", "node", "op", "unit", "rule", "reason", "remedy")
    return [table(columns, rows, title=f"Where it runs: {page.target} {page.march}")] if rows else []


def _cost_part(page: NodePage) -> list[RenderableType]:
    told = page.times_refused is None
    rows = [
        (
            la.name,
            la.kind,
            f"{la.macs / 1e6:.1f} M",
            f"{la.cycles:.0f}",
            f"{la.time_us:.1f} us" if told else "-",
            f"{(la.load_bytes + la.store_bytes) / 1e3:.0f} kB",
            f"{la.utilization:.0%}",
            la.bound_by.value,
            f"{len(la.origin)} nodes",
        )
        for la in page.layers
    ]
    columns = ("layer", "kind", "MACs", "cycles", "time", "DDR", "utilization", "waits for", "made of")
    parts: list[RenderableType] = [table(columns, rows, title="What it costs")] if rows else []
    return parts if told else [*parts, f"no times: {page.times_refused}"]


def _range_part(page: NodePage) -> list[RenderableType]:
    if page.ranges is None:
        return ["Ranges: ask a build folder or a quantized model"]
    rows = [
        (side, one.tensor, *_grid_cells(one), *_seen_cells(one))
        for side, tensors in (("in", page.ranges.inputs), ("out", page.ranges.outputs))
        for one in tensors
    ]
    columns = ("", "tensor", "type", "threshold", "chosen by", "range", "seen", "clipped", "SQNR")
    ranges = table(columns, rows, title="Its ranges")
    others = [_alternatives_table(one) for one in page.ranges.outputs if one.alternatives]
    return [ranges, *others, *page.ranges.notes]


def _alternatives_table(one: TensorRange) -> RenderableType:
    rows = [
        (
            other.method,
            "symmetric" if other.symmetric else "-",
            f"{other.low:.4g} to {other.high:.4g}",
            "-" if other.sqnr_db is None else f"{other.sqnr_db:.1f} dB",
        )
        for other in one.alternatives[:MOST_ALTERNATIVES]
    ]
    return table(("method", "grid", "range", "SQNR"), rows, title=f"Other ranges for {one.tensor}")


def _grid_cells(one: TensorRange) -> tuple[str, str]:
    return ("float", "-") if one.grid is None else (one.grid.dtype.name, f"{one.grid.threshold:.4g}")


def _seen_cells(one: TensorRange) -> tuple[str, ...]:
    seen, chosen = one.observed, one.chosen
    return (
        one.method or "-",
        "-" if chosen is None else f"{chosen[0]:.4g} to {chosen[1]:.4g}",
        "-" if seen is None else f"{seen.low:.4g} to {seen.high:.4g}",
        "-" if seen is None or seen.clipped_share is None else f"{seen.clipped_share:.2%}",
        "-" if seen is None or seen.sqnr_db is None else f"{seen.sqnr_db:.1f} dB",
    )


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
