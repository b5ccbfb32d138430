"""Outliers of activation channels moved into the weights that read them.

A channel divided by `s` behind its table and weights times `s` are the same network. The division is a
product with a constant a channel on the 16-bit side of the table, which costs vector time and no MACs.
Source: G. Xiao et al., "SmoothQuant", ICML 2023. On YOLOv10n it gains nothing with zero points, see
docs/design/quantization-findings.md, so it is off by default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from y10c.calib.channels import collect_channels
from y10c.calib.feeds import Feeds
from y10c.ir.graph import Graph
from y10c.ir.value import Op, Value
from y10c.passes.int8.absorb_shift import TABLES
from y10c.passes.observe.calibrate import name_values
from y10c.quant.equalize import scale_inputs, smoothing_scales
from y10c.quant.plan import QuantPlan, Tail, plan_quantization
from y10c.quant.scheme import QuantScheme
from y10c.rewrite.passes import Pass, PassContext
from y10c.rewrite.rewriter import Rewriter


@dataclass(frozen=True)
class Smooth(Pass):
    """Divide the channels of tables that convolutions alone read, and multiply the weights by as much.

    Args:
        strength: 0 leaves the activations alone, 1 makes the ranges of all channels equal.
        images: Samples that tell the range of each channel.
    """

    name: ClassVar[str] = "smooth"

    strength: float = 0.5
    images: int = 24

    def run(self, graph: Graph, context: PassContext) -> None:
        """Change nothing where no data is at hand."""
        feeds: Feeds = context.tables[Feeds]
        if not feeds.count:
            return
        name_values(graph)
        plan = plan_quantization(graph, context.tables[QuantScheme], context.tables.get(Tail, Tail()))
        sources = [v for v in plan.observed if _readers(v, plan)]
        axes = {v.name: 1 for v in sources}
        peaks = collect_channels(graph.to_onnx(), axes, feeds.limited(self.images)) if axes else {}
        rewriter = Rewriter(graph, context.listeners, by=self.name)
        for value in sources:
            readers = _readers(value, plan)
            both = np.concatenate([_by_channel(op) for op in readers])
            scales = smoothing_scales(peaks[value.name].magnitude, both, self.strength)
            _divide(rewriter, graph, value, readers, scales)
        context.applied[self.name] += len(sources)


def _readers(value: Value, plan: QuantPlan) -> list[Op]:
    """The convolutions that read a table's result; none where something else reads it too."""
    shape = value.shape or ()
    if value.producer is None or value.producer.name not in TABLES or len(shape) < 3:
        return []
    users = list(value.users)
    plain = all(op in plan.integer_ops and op.name == "Conv" and _scalable(op, shape[1]) for op in users)
    return users if plain and all(use.index == 0 for use in value.uses) else []


def _scalable(op: Op, channels: int | str | None) -> bool:
    weight = op.operand(1)
    return weight is not None and weight.is_constant and op.attr("group", 1) in (1, channels)


def _by_channel(op: Op) -> NDArray[Any]:
    """The greatest magnitude of the weights that read each channel, `[1, C]`."""
    weight = np.abs(_weight(op))
    columns = weight if op.attr("group", 1) == 1 else np.moveaxis(weight, 0, 1)
    peaks: NDArray[Any] = columns.max(axis=(0, *range(2, weight.ndim)))
    return peaks[None]


def _weight(op: Op) -> NDArray[Any]:
    value = op.operands[1]
    assert value is not None
    return value.numpy()


def _divide(
    rewriter: Rewriter, graph: Graph, value: Value, readers: list[Op], scales: NDArray[np.float64]
) -> None:
    for op in readers:
        weight = scale_inputs(_weight(op), scales, op.attr("group", 1)).astype(np.float32)
        with rewriter.before(op):
            rewriter.set_operand(op, 1, rewriter.const(weight))
    column = (1 / scales).astype(np.float32).reshape(1, -1, *[1] * (len(value.shape or ()) - 2))
    with rewriter.after(value, graph):
        scaled = rewriter.op.Mul(value, rewriter.const(column), _location=f"{value.name}/smooth")
    for use in value.uses:
        if use.op in readers:
            rewriter.set_operand(use.op, use.index, scaled)
