"""`y10c info`: what a model is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from y10c.cli.terminal import table, terminal

if TYPE_CHECKING:
    from rich.console import Group

    from y10c.detect.head_info import HeadInfo
    from y10c.ir.graph import Graph

SHOWN_EDGES = 20
"""Lines of float edges in the table; `--json` has them all."""

HEAD_KINDS = {
    "e2e": "end to end, [1,300,6]: no NMS needed",
    "dual": "training graph with a one-to-many and a one-to-one branch",
    "eval": "decoded boxes and scores, not ranked",
    "one2many": "one-to-many, decoded: NMS IS NEEDED",
    "nms": "one-to-many with NonMaxSuppression inside",
    "raw": "cut at the raw logits",
    "none": "no detection head that is recognised",
}

FOLDED = {
    "raw": "folded to raw logits, class then box of each scale",
    "e2e": "folded to [1,300,6], ranked before it is decoded",
}
"""What outputs are after folding; the kind is what the original was."""

SUPPRESSION = {
    True: "boxes overlap: suppressing them (NMS) is the caller's",
    False: "no suppression of boxes (NMS) is needed",
    None: "whether boxes must be suppressed (NMS), nothing tells",
}

WHAT_TO_DO = {
    "one2many": "fold with --head raw and suppress on the host, or export the one-to-one head (end2end)",
    "nms": "--head raw removes the NMS; suppression is then the caller's",
    "e2e": "--head raw or --head e2e folds it",
    "dual": "--head raw or --head e2e keeps the one-to-one branch",
    "eval": "--head raw or --head e2e keeps the one-to-one branch",
}


def info(
    model: Annotated[Path, typer.Argument(help="ONNX file.")],
) -> None:
    """Show what a model is: head, ops, parameters, MACs, opset, inputs, outputs, and what is INT8."""
    from y10c.cost.precision import is_quantized
    from y10c.frontend.importer import load
    from y10c.passes.head.recognize import decode_tail
    from y10c.passes.head.runnable import head_info

    graph = load(model)
    tail = decode_tail(graph)
    facts = _facts(model, graph, head_info(graph), len(tail))
    if is_quantized(graph):
        facts["int8"] = _integers(graph)
        _warn_of_tail(facts["int8"]["quantized_in_tail"], model)
    terminal().result(facts, lambda: _drawn(facts))


def _facts(path: Path, graph: Graph, head: HeadInfo, tail: int) -> dict[str, Any]:
    from collections import Counter

    ops = Counter(op.name for op in graph.walk())
    return {
        "file": path,
        "bytes": path.stat().st_size,
        "producer": " ".join(filter(None, graph.info.producer)),
        "opsets": {domain or "ai.onnx": version for domain, version in graph.info.opsets.items()},
        "ir_version": graph.info.ir_version,
        "head": {
            **_plain(head),
            "meaning": HEAD_KINDS[head.kind] if head.mode == "keep" else FOLDED[head.mode],
            "advice": WHAT_TO_DO.get(head.kind) if head.mode == "keep" else None,
        },
        "tail_ops": tail,
        "inputs": [
            {"name": v.name, "type": str(v.type), "has_default": v in graph.defaults} for v in graph.inputs
        ],
        "outputs": [
            {"name": name, "type": str(v.type)}
            for name, v in zip(graph.output_names, graph.outputs, strict=True)
        ],
        "nodes": ops.total(),
        "ops": dict(ops.most_common()),
        "parameters": _parameters(graph),
        "macs": _macs(graph),
        "metadata": graph.info.metadata,
    }


def _plain(head: HeadInfo) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(head)


def _macs(graph: Graph) -> int | None:
    """Multiply-accumulates; shapes that the file leaves open may follow once its constants are folded."""
    from y10c.cost.precision import known_macs
    from y10c.passes.pipelines import canonicalization
    from y10c.rewrite.passes import PassContext

    macs = known_macs(graph)
    if macs is not None:
        return macs
    copy, context = _units(graph), PassContext()
    for each in canonicalization():
        each.run(copy, context)
    return known_macs(copy)


def _units(graph: Graph) -> Graph:
    """A copy in which what a chip runs as one op is one op, and every Q/DQ pair is ONNX's own.

    onnxruntime's pairs mean the same (published: its docs/ContribOperators.md), but have no types in a file.
    """
    from y10c.cost.precision import DEQUANTIZE, QUANTIZE
    from y10c.passes.canonicalize.fold_constants import refine_types
    from y10c.passes.canonicalize.recognize import RecognizeFunctions
    from y10c.rewrite.passes import PassContext
    from y10c.rewrite.rewriter import Rewriter

    units = graph.clone()
    for op in units.walk():
        if op.domain == "com.microsoft" and op.kind in (QUANTIZE, DEQUANTIZE):
            op.name = op.kind
    refine_types(Rewriter(units))
    _type_foreign_results(units)
    RecognizeFunctions().run(units, PassContext())
    return units


def _type_foreign_results(graph: Graph) -> None:
    """Types of what onnxruntime's own ops make, from one run on zeros: no schema tells them."""
    import numpy as np

    from y10c.calib.session import ExposedSession
    from y10c.errors import ModelError
    from y10c.ir.types import DType, TensorType

    untyped = [r for op in graph.ops for r in op.results if not isinstance(r.type, TensorType)]
    foreign = any(op.domain == "com.microsoft" for op in graph.ops)
    if not untyped or not foreign or not all(v.tensor_type.is_static for v in graph.inputs):
        return
    zeros = {v.name: np.zeros(v.tensor_type.static_shape, v.tensor_type.dtype.numpy) for v in graph.inputs}
    try:
        found = ExposedSession(graph.to_onnx(), [value.name for value in untyped]).run(zeros)
    except ModelError:
        return
    for value in untyped:
        array = found[value.name]
        value.type = TensorType(DType.of(array.dtype), array.shape)


def _parameters(graph: Graph) -> int:
    """Elements of the weights and biases of convolutions and products; others are a handful."""
    from y10c.cost.precision import PRODUCTS, stored

    seen = {stored(v): None for op in graph.walk() if op.name in PRODUCTS for v in op.operands}
    return sum(value.tensor_type.elements for value in seen if value is not None)


def _integers(graph: Graph) -> dict[str, Any]:
    from dataclasses import asdict

    from y10c.comparison.outputs import quantized_in_tail
    from y10c.cost.precision import float_edges, mac_shares
    from y10c.errors import ModelError
    from y10c.passes.head.recognize import decode_tail

    units = _units(graph)
    tail = decode_tail(units)
    try:
        shares = mac_shares(units, tail)
    except ModelError:
        shares = {}
    edges = list(float_edges(units, tail))
    return {
        "quantized_in_tail": quantized_in_tail(units),
        "mac_shares": [
            {"activation_bits": a, "weight_bits": w, "share": share} for (a, w), share in shares.items()
        ],
        "float_edges": [asdict(edge) for edge in edges],
        "float_edges_outside_tail": sum(not edge.tail for edge in edges),
    }


def _warn_of_tail(tensors: list[str], model: Path) -> None:
    from y10c.comparison.outputs import tail_warning
    from y10c.diagnostics import warn

    if tensors:
        warn("Y5008", tail_warning(tensors), where=str(model), help="leave the tail float")


def _drawn(facts: dict[str, Any]) -> Group:
    from rich.console import Group

    parts = [
        table(["model", ""], _summary(facts)),
        table(["input or output", "type"], list(map(_slot, facts["inputs"] + facts["outputs"]))),
        table(["op", "count"], list(facts["ops"].items())),
    ]
    if "int8" in facts:
        parts += _integer_tables(facts["int8"])
    return Group(*parts)


def _folded(head: dict[str, Any]) -> str:
    return f"{head['mode']}: {head['meaning']}" + ("" if head["kind"] == "raw" else f"; was {head['kind']}")


def _slot(slot: dict[str, Any]) -> tuple[str, str]:
    return slot["name"], slot["type"] + (", has a default" if slot.get("has_default") else "")


def _summary(facts: dict[str, Any]) -> list[tuple[str, str]]:
    head, macs = facts["head"], facts["macs"]
    rows = [
        ("file", f"{facts['file']} ({facts['bytes'] / 1e6:.1f} MB)"),
        ("producer", facts["producer"] or "-"),
        ("opset", ", ".join(f"{domain} {version}" for domain, version in facts["opsets"].items())),
        ("head", f"{head['kind']}: {head['meaning']}" if head["mode"] == "keep" else _folded(head)),
    ]
    if head["kind"] != "none":
        strides = ", ".join(map(str, head["strides"]))
        rows.append(("", f"{head['classes']} classes, {head['reg_max']} bins, strides {strides}"))
        rows.append(("", SUPPRESSION[head["needs_nms"]]))
    rows += [("", note) for note in head["notes"]]
    if head["advice"]:
        rows.append(("what to do", head["advice"]))
    return [
        *rows,
        ("nodes", f"{facts['nodes']}, {facts['tail_ops']} of them decode"),
        ("parameters", f"{facts['parameters'] / 1e6:.3f} M"),
        ("MACs", "unknown: open shapes" if macs is None else f"{macs / 1e9:.3f} G"),
    ]


def _integer_tables(integers: dict[str, Any]) -> list[Any]:
    shares = [
        (_width(row["activation_bits"]), _width(row["weight_bits"]), f"{100 * row['share']:.2f} %")
        for row in integers["mac_shares"]
    ]
    illegal = [edge for edge in integers["float_edges"] if not edge["tail"]]
    edges = [(e["node"], e["direction"], e["tensor"], e["other"]) for e in illegal[:SHOWN_EDGES]]
    more = f"float edges outside the tail: {len(illegal)}"
    return [
        table(["activation", "weight", "MACs"], shares),
        table(["node", "direction", "tensor", "other side"], edges, title=more) if edges else more,
    ]


def _width(bits: int) -> str:
    return "float" if bits == 32 else f"int{bits}"
