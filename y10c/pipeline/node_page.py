"""Everything about one node: what happened to it, where it runs, what it costs, how it is quantized."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from y10c.check.node import name_of
from y10c.check.report import CheckReport, check_graph
from y10c.check.table import OperatorTable, Verdict
from y10c.comparison.explain import NodeRanges, explain_ranges
from y10c.cost.result import LayerCost
from y10c.errors import ModelError, UnknownNameError
from y10c.frontend.importer import load
from y10c.ir.graph import Graph
from y10c.ir.value import Op
from y10c.passes.head.fold import FoldHead
from y10c.passes.legalize.guard import LegalizePass, guarded
from y10c.passes.pipelines import canonicalization
from y10c.pipeline.compile import require_static_inputs
from y10c.pipeline.costs import estimate_cost
from y10c.pipeline.explain import NodeRules, explain_node_rules
from y10c.pipeline.manager import run_passes
from y10c.pipeline.target import built_for
from y10c.quant.plan import Tail
from y10c.rewrite.explain import find_op
from y10c.rewrite.passes import Pass, PassContext
from y10c.rewrite.rule import Rule
from y10c.targets.base import Target

ORIGINAL = "*_original_float_model.onnx"
"""The file of a build folder that holds the model as it came."""

QUANTIZERS = frozenset({"QuantizeLinear", "DequantizeLinear"})


@dataclass(frozen=True)
class NodePage:
    """The page on a node.

    Args:
        target: Name of the target.
        march: Name of the march.
        rules: Which rules fired at it, and why the others did not.
        imported: Where the op of the file would run; None where the target has no operator list.
        placed: Where what became of it runs after legalization.
        layers: The layers of the estimate that it is a part of.
        times_refused: Why no times can be told; None where they can.
        ranges: Ranges and thresholds; None where the model was not quantized.
    """

    target: str
    march: str
    rules: NodeRules
    imported: Verdict | None
    placed: tuple[Verdict, ...]
    layers: tuple[LayerCost, ...]
    times_refused: str | None
    ranges: NodeRanges | None


def explain_node(
    source: Path,
    node: str,
    target: Target | None = None,
    *,
    rules: Iterable[Rule] = (),
    only: Rule | None = None,
    head: str | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
) -> NodePage:
    """The page on a node of a model or of a build folder.

    Args:
        source: ONNX file, or a folder that `y10c compile` wrote.
        node: Name of a node or of a tensor that it makes.
        target: With the march; None for the one that the model was compiled for, else the default.
        rules: The rules that are asked about.
        only: Ask about this rule alone.
        head: `raw`, `e2e` or `keep`; the target's default where None.
        shapes: Extents for inputs with symbolic dims, by input name.

    Raises:
        ModelError: The model cannot be read, or the folder holds none.
        UnknownNameError: There is no such node.
    """
    file = _float_file(source)
    graph = load(file, shapes=shapes or {}, freeze=True)
    require_static_inputs(graph, str(file))
    target = target or built_for(graph)
    op = find_op(graph, node)
    passes = (*canonicalization(), FoldHead(head or target.default_head), *target.legalization())
    after, context = _compiled(graph, passes, target)
    table, tail = context.tables.get(OperatorTable), context.tables.get(Tail, Tail())
    asked = [_as_it_runs(rule, passes, table, tail) for rule in rules]
    said = explain_node_rules(
        graph, node, passes, asked, only and _as_it_runs(only, passes, table, tail), context.tables
    )
    kept = _descendants(op, after)
    names = {name_of(one) for one in kept}
    placed = _verdicts(check_graph(after, table, target.name, tail), names) if table is not None else ()
    ranges = _ranges(source, graph, kept, node)
    layers, times_refused = _layers(after, target, source.stem, names)  # last: it rewrites the graph
    imported = table.place(op) if table is not None else None
    return NodePage(target.name, target.march, said, imported, placed, layers, times_refused, ranges)


def _float_file(source: Path) -> Path:
    if not source.is_dir():
        return source
    found = next(iter(sorted(source.glob(ORIGINAL))), None)
    if found is None:
        raise ModelError("the folder holds no model that came in", code="Y3001", where=str(source))
    return found


def _compiled(graph: Graph, passes: Sequence[Pass], target: Target) -> tuple[Graph, PassContext]:
    after, table = graph.clone(), target.operators()
    context = PassContext(tables={} if table is None else {OperatorTable: table})
    run_passes(after, passes, context)
    return after, context


def _as_it_runs(
    rule: Rule, passes: Sequence[Pass], table: OperatorTable | None, tail: Collection[Op]
) -> Rule:
    """A rule of legalization with the conditions that the target's list puts on it."""
    legalizing = any(isinstance(p, LegalizePass) and rule in p.rules for p in passes)
    return guarded(rule, table, tail) if legalizing and table is not None else rule


def _descendants(op: Op, after: Graph) -> list[Op]:
    """The ops that stand for an op of the imported graph: of its name, made of it, or with its results."""
    place, tensors = name_of(op), {r.name for r in op.results}
    return [
        one
        for one in after.ops
        if name_of(one) == place
        or name_of(one).startswith(f"{place}/")
        or any(tensors.intersection(r.lineage) for r in one.results)
    ]


def _layers(
    graph: Graph, target: Target, name: str, names: Collection[str]
) -> tuple[tuple[LayerCost, ...], str | None]:
    """The layers of the estimate that nodes are a part of, and why times cannot be told."""
    try:
        cost = estimate_cost(graph, target, name)
    except ModelError as error:  # extents that depend on data
        return (), str(error)
    if cost is None:
        return (), None
    return tuple(la for la in cost.result.layers if {la.name, *la.origin}.intersection(names)), (
        cost.times_refused
    )


def _verdicts(report: CheckReport, names: Collection[str]) -> tuple[Verdict, ...]:
    return tuple(verdict for verdict in report.verdicts if verdict.node in names)


def _ranges(source: Path, graph: Graph, kept: Sequence[Op], node: str) -> NodeRanges | None:
    """The ranges of what became of a node in a quantized model or a build folder; None without any."""
    if not source.is_dir() and not any(op.name in QUANTIZERS for op in graph.ops):
        return None
    if not source.is_dir():
        return explain_ranges(source, node)
    parts = []
    for op in kept:
        with suppress(UnknownNameError):  # asked about another target than the folder was built for
            parts.append(explain_ranges(source, name_of(op)))
    if not parts:
        return None
    outputs = tuple({r.tensor: r for part in parts for r in part.outputs}.values())
    notes = tuple(dict.fromkeys(n for part in parts for n in part.notes))
    return replace(parts[0], outputs=outputs, notes=notes)
