"""Chosen layouts in an ONNX file: an entry of the model's metadata, since ONNX has no field for them.

The entry is JSON, a list of tensor names for each layout: `{"nhwc": ["images", "/conv/Conv_output_0"]}`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from y10c.errors import ModelError
from y10c.ir.graph import Graph
from y10c.ir.types import Layout, TensorType
from y10c.ir.value import Value

KEY = "y10c.layouts"


def values_with_layout(graph: Graph) -> list[Value]:
    """The inputs and results of a graph whose layout was chosen."""
    values = [*graph.inputs, *(result for op in graph.ops for result in op.results)]
    return [v for v in values if isinstance(v.type, TensorType) and v.type.layout is not None]


def table_of(values: Iterable[tuple[str, Value]]) -> str:
    """The entry for tensors by their names in the file; empty where no layout was chosen."""
    table: dict[str, list[str]] = {}
    for name, value in values:
        layout = value.tensor_type.layout
        if layout is not None:
            table.setdefault(layout.value, []).append(name)
    return json.dumps(table, sort_keys=True) if table else ""


def apply_table(graph: Graph, text: str) -> None:
    """Set the layouts that an entry lists; names that the graph does not know are passed over.

    Raises:
        ModelError: The entry is not such a table.
    """
    try:
        layouts = {name: Layout(kind) for kind, names in json.loads(text).items() for name in names}
    except (ValueError, AttributeError, TypeError) as error:
        raise ModelError(
            f"the metadata entry {KEY} is damaged: {error}", help="remove the entry, then import again"
        ) from error
    for value in (*graph.inputs, *(result for op in graph.ops for result in op.results)):
        if value.name in layouts and isinstance(value.type, TensorType):
            value.type = value.type.with_(layout=layouts[value.name])
