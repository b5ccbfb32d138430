"""`check`: the graph that `compile` would run, or a file as it is, judged by a target's operator list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx

from y10c import progress
from y10c.check.report import CheckReport, check_graph
from y10c.check.table import OperatorTable
from y10c.errors import UsageError
from y10c.frontend.importer import load
from y10c.ir.graph import Graph
from y10c.passes.head.fold import FoldHead
from y10c.passes.pipelines import canonicalization
from y10c.pipeline.compile import require_static_inputs
from y10c.pipeline.manager import run_passes
from y10c.quant.plan import Tail
from y10c.rewrite.passes import PassContext
from y10c.targets.base import Target


def check_model(
    model: str | Path | onnx.ModelProto,
    target: Target,
    *,
    head: str | None = None,
    as_is: bool = False,
    shapes: Mapping[str, Sequence[int]] | None = None,
) -> CheckReport:
    """Judge a model.

    Args:
        model: ONNX file or model.
        target: With the march.
        head: `raw`, `e2e` or `keep`; the target's default where None.
        as_is: Judge the file unchanged instead of what compilation makes of it.
        shapes: Extents for inputs with symbolic dims, by input name.

    Raises:
        ModelError: The model is not valid, or an input is open.
        UsageError: The target has no operator list.
    """
    graph = load(model, shapes=shapes or {}, freeze=True)
    require_static_inputs(graph, str(model) if isinstance(model, str | Path) else "model")
    return check_imported(graph, target, head=head, as_is=as_is)


def check_imported(
    graph: Graph, target: Target, *, head: str | None = None, as_is: bool = False
) -> CheckReport:
    """Judge an imported graph, which is rewritten on the way unless `as_is`.

    Raises:
        UsageError: The target has no operator list.
    """
    table = target.operators()
    if table is None:
        raise UsageError(f"target {target.name} runs every op, so there is nothing to check")
    if as_is:
        return check_graph(graph, table, target.name)
    context = PassContext(tables={OperatorTable: table})
    passes = (*canonicalization(), FoldHead(head or target.default_head), *target.legalization())
    with progress.step("folding and legalizing"):
        run_passes(graph, passes, context)
    return check_graph(graph, table, target.name, context.tables[Tail])
