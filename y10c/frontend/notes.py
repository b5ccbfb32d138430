"""What ONNX messages say to people and tools, as notes of the IR."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import onnx

from y10c.ir.notes import ATTRIBUTE, DENOTATION, DOC, METADATA, NO_NOTES, QUANTIZATION, Notes


def read_notes(proto: Any) -> Notes:
    """The documentation and metadata of a message that has these fields: a graph, node, value or tensor."""
    return _notes_of(proto) or NO_NOTES


def read_node_notes(node: onnx.NodeProto) -> Notes:
    """Those of a node, and what is said of its attributes."""
    said = {f"{ATTRIBUTE}{a.name}": a.doc_string for a in node.attribute if a.doc_string}
    return {**_notes_of(node), **said} or NO_NOTES


def read_value_notes(graph: onnx.GraphProto) -> dict[str, Notes]:
    """By name what a graph says of its values: inputs, inner ones, outputs, initializers."""
    found: dict[str, dict[str, str]] = {}
    for entry in (*graph.output, *graph.value_info, *graph.input):
        found.setdefault(entry.name, {}).update({**_notes_of(entry), **dict(_denotations(entry.type))})
    for tensor in graph.initializer:
        found.setdefault(tensor.name, {}).update(_notes_of(tensor))
    for annotation in graph.quantization_annotation:
        said = {f"{QUANTIZATION}{e.key}": e.value for e in annotation.quant_parameter_tensor_names}
        found.setdefault(annotation.tensor_name, {}).update(said)
    return {name: notes for name, notes in found.items() if notes}


def _notes_of(proto: Any) -> dict[str, str]:
    return dict(_notes(proto))


def _notes(proto: Any) -> Iterator[tuple[str, str]]:
    if proto.doc_string:
        yield DOC, proto.doc_string
    for entry in proto.metadata_props:
        yield f"{METADATA}{entry.key}", entry.value


def _denotations(type: onnx.TypeProto) -> Iterator[tuple[str, str]]:
    if type.denotation:
        yield DENOTATION, type.denotation
    for axis, dim in enumerate(type.tensor_type.shape.dim):
        if dim.denotation:
            yield f"{DENOTATION}.{axis}", dim.denotation
