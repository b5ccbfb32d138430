"""onnx-graphsurgeon in and out, so that scripts written for it go on working beside y10c.

import onnx_graphsurgeon as gs
from y10c.graphsurgeon import from_gs, to_gs

graph = from_gs(gs.import_onnx(model))   # a y10c graph
...
edited = to_gs(graph)                    # an onnx-graphsurgeon graph
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from y10c.backend.exporter import export_model
from y10c.errors import ModelError
from y10c.frontend.importer import load
from y10c.ir.graph import Graph

if TYPE_CHECKING:
    import onnx_graphsurgeon as gs


def from_gs(graph: gs.Graph) -> Graph:
    """An onnx-graphsurgeon graph in the IR.

    Nodes need not be in order, types and shapes need not be set, and dead nodes stay.

    Args:
        graph: It is not changed.

    Raises:
        ModelError: The graph has a cycle, or is not valid ONNX; the error names the node.
    """
    import onnx_graphsurgeon as gs

    try:
        model = gs.export_onnx(graph.copy().toposort(), do_type_check=False)
    except Exception as error:  # onnx-graphsurgeon raises several unrelated classes here
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(f"onnx-graphsurgeon cannot write the graph: {reason}") from error
    return load(model)


def to_gs(graph: Graph, *, opset: int | None = None) -> gs.Graph:
    """A graph of the IR for onnx-graphsurgeon, every op of y10c's own written in ONNX's.

    Args:
        graph: It is not changed.
        opset: Of ONNX's own domain; by default the imported one, raised where an op needs it.

    Raises:
        ModelError: An op does not exist in the opset asked for.
    """
    import onnx_graphsurgeon as gs

    return gs.import_onnx(export_model(graph, opset=opset))
