"""Activations become integers: one QuantizeLinear and one DequantizeLinear on every planned edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from y10c.ir.graph import Graph
from y10c.ir.types import QuantParams
from y10c.ir.value import Value
from y10c.passes.observe.ranges import Ranges
from y10c.quant.plan import Edge, QuantPlan
from y10c.quant.qparams import integer_range, quantize
from y10c.rewrite.passes import Pass, PassContext
from y10c.rewrite.rewriter import Rewriter


@dataclass(frozen=True)
class QuantizeActivations(Pass):
    """Put one Q/DQ pair on every tensor that passes between two integer ops."""

    name: ClassVar[str] = "quantize-activations"
    exact: ClassVar[bool] = False
    requires: ClassVar[frozenset[str]] = frozenset({"Calibrated"})
    establishes: ClassVar[frozenset[str]] = frozenset({"IntegerActivations"})

    def run(self, graph: Graph, context: PassContext) -> None:
        """Insert the pairs behind the values; float readers keep the float value."""
        plan: QuantPlan = context.tables[QuantPlan]
        ranges: Ranges = context.tables[Ranges]
        rewriter = Rewriter(graph, context.listeners, by=self.name)
        for edge in plan.edges:
            found = ranges[edge.group]
            params = edge.grid.params(found.low, found.high)
            real = (_integer_constant if edge.value.is_constant else _pair)(rewriter, graph, edge, params)
            for use in edge.readers:
                rewriter.set_operand(use.op, use.index, real)


def _pair(rewriter: Rewriter, graph: Graph, edge: Edge, params: QuantParams) -> Value:
    scale, zero = _constants(rewriter, edge, params)
    name = edge.value.name
    with rewriter.after(edge.value, graph):
        integers = rewriter.op.QuantizeLinear(edge.value, scale, zero, _location=f"{name}/quantize")
        real: Value = rewriter.op.DequantizeLinear(integers, scale, zero, _location=f"{name}/dequantize")
    integers.name, real.name = f"{name}_quantized", f"{name}_dequantized"
    return real


def _integer_constant(rewriter: Rewriter, graph: Graph, edge: Edge, params: QuantParams) -> Value:
    scale, zero = _constants(rewriter, edge, params)
    lowest = integer_range(edge.grid.dtype.bits)[0] if edge.grid.dtype.name.startswith("u") else 0
    signed = quantize(
        edge.value.numpy(), params.scale[0], params.zero_point[0] + lowest, bits=edge.grid.dtype.bits
    )
    integers = (signed.astype(np.int64) - lowest).astype(edge.grid.dtype.numpy)
    with rewriter.after(edge.value, graph):
        real: Value = rewriter.op.DequantizeLinear(rewriter.const(integers), scale, zero)
    return real


def _constants(rewriter: Rewriter, edge: Edge, params: QuantParams) -> tuple[Value, Value]:
    scale = np.asarray(params.scale[0], np.float32)
    return rewriter.const(scale), rewriter.const(np.asarray(params.zero_point[0], edge.grid.dtype.numpy))
