"""The Python API; the command line is a thin layer over it."""

from __future__ import annotations

import onnx

from y10c.backend.exporter import save
from y10c.comparison.compare import compare
from y10c.comparison.result import Comparison
from y10c.frontend.importer import load
from y10c.pipeline.compile import compile
from y10c.pipeline.result import Result

__all__ = ["Comparison", "Result", "compare", "compile", "load", "optimize", "save"]


def optimize(model: onnx.ModelProto) -> onnx.ModelProto:
    """A smaller model of the same meaning: load, canonicalize, export.

    Raises:
        ModelError: The model is not valid.
    """
    from y10c.passes.pipelines import canonicalization
    from y10c.pipeline.manager import run_passes
    from y10c.rewrite.passes import PassContext

    graph = load(model)
    run_passes(graph, canonicalization(), PassContext())
    return graph.to_onnx()
