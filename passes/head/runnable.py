"""Any detector in a form that can be decoded: as it is where its outputs are known, else folded to raw."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from y10c.detect.head_info import METADATA_KEY, HeadInfo
from y10c.errors import ModelError
from y10c.frontend.importer import load
from y10c.ir.graph import Graph
from y10c.passes.head.fold import describe, fold_head
from y10c.passes.head.recognize import find_head


def runnable(path: Path) -> tuple[Path | bytes, HeadInfo]:
    """A model to run and how to decode it.

    Models that we wrote say it themselves; `[1, 300, 6]` is taken as it is; of everything else the raw
    logits are decoded, so that one-to-many heads and heads cut in any order work the same way.

    Args:
        path: An ONNX file.

    Raises:
        ModelError: The file cannot be read, or no detection head is recognised.
    """
    graph = load(path)
    info = head_info(graph)
    if not info.found:
        reason = info.notes[0] if info.notes else "no detection head is recognised"
        raise ModelError(
            f"{reason}, so the outputs cannot be decoded",
            code="Y3003",
            where=str(path),
            help="y10c info MODEL shows what it is",
        )
    folded, info = decodable(graph)
    return path if folded is None else folded.to_onnx().SerializeToString(), info


def decodable(graph: Graph) -> tuple[Graph | None, HeadInfo]:
    """A copy of a detector folded to raw logits, None where it is decoded as it stands, and how to decode it.

    Args:
        graph: It is not changed; where no head is recognised the description says so (`found`).
    """
    info = head_info(graph)
    if not info.found or info.mode == "raw" or info.detections:
        return None, info
    folded = graph.clone()
    return folded, fold_head(folded, "raw")


def head_info(graph: Graph) -> HeadInfo:
    """What a graph's metadata says of its head if that fits its outputs, else what its structure says."""
    told = graph.info.metadata.get(METADATA_KEY)
    if told is not None:
        info = HeadInfo.from_json(told)
        if info.outputs == tuple(graph.output_names):
            return info
    try:
        head = find_head(graph)
    except ModelError as error:
        return HeadInfo("none", notes=(error.message,))
    return HeadInfo("none") if head is None else replace(describe(graph, head), notes=head.assumed)
