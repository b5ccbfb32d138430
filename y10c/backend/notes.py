"""Notes of the IR, written into ONNX messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import onnx

from y10c.ir.notes import ATTRIBUTE, DENOTATION, DOC, METADATA, QUANTIZATION, Notes


def write_notes(proto: Any, notes: Notes) -> None:
    """Set the documentation and metadata of a message that has these fields."""
    if DOC in notes:
        proto.doc_string = notes[DOC]
    for key, text in _under(METADATA, notes):
        proto.metadata_props.add(key=key, value=text)


def write_node_notes(node: onnx.NodeProto, notes: Notes) -> None:
    """Set those of a node and of its attributes."""
    write_notes(node, notes)
    said = dict(_under(ATTRIBUTE, notes))
    for attribute in node.attribute if said else ():
        attribute.doc_string = said.get(attribute.name, "")


def write_value_notes(entry: onnx.ValueInfoProto, notes: Notes) -> None:
    """Set those of a value's entry, and the denotations in its type."""
    write_notes(entry, notes)
    if DENOTATION in notes:
        entry.type.denotation = notes[DENOTATION]
    dims = entry.type.tensor_type.shape.dim if entry.type.HasField("tensor_type") else ()
    for axis, text in _under(f"{DENOTATION}.", notes):
        if int(axis) < len(dims):
            dims[int(axis)].denotation = text


def write_annotation(graph: onnx.GraphProto, name: str, notes: Notes) -> None:
    """Add what a quantizer said of a value."""
    said = list(_under(QUANTIZATION, notes))
    if said:
        annotation = graph.quantization_annotation.add(tensor_name=name)
        for key, text in said:
            annotation.quant_parameter_tensor_names.add(key=key, value=text)


def _under(prefix: str, notes: Notes) -> Iterator[tuple[str, str]]:
    return ((k.removeprefix(prefix), t) for k, t in sorted(notes.items()) if k.startswith(prefix))
