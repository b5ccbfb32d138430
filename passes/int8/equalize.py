"""Cross-layer equalization: the weight ranges on both sides of a channel become alike.

A channel of one convolution divided by `s` and read times `s` by the next is the same network, where nothing
but positively homogeneous ops lies between. SiLU is none, so YOLO networks have few such places.
Source: M. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from y10c.ir.graph import Graph
from y10c.ir.value import Op, Value
from y10c.quant.equalize import equalizing_scales, scale_inputs, scale_outputs
from y10c.rewrite.passes import Pass, PassContext
from y10c.rewrite.rewriter import Rewriter

HOMOGENEOUS = ("Relu", "LeakyRelu", "MaxPool")
"""Ops with `f(s x) = s f(x)` for every positive s, channel by channel."""

SWEEPS = 3
"""Chains of convolutions settle after a few sweeps. assumed."""


@dataclass(frozen=True)
class Equalize(Pass):
    """Make the weight ranges on both sides of each channel equal, between neighbouring convolutions."""

    name: ClassVar[str] = "equalize"

    def run(self, graph: Graph, context: PassContext) -> None:
        """Change the weights of all pairs, sweep by sweep."""
        rewriter = Rewriter(graph, context.listeners, by=self.name)
        for _ in range(SWEEPS):
            for first, last in pairs(graph):
                _equalize(rewriter, first, last)
                context.applied[self.name] += 1


def pairs(graph: Graph) -> Iterator[tuple[Op, Op]]:
    """Convolutions that alone read what another alone makes, with homogeneous ops between."""
    for op in list(graph.ops):
        if _weighted(op):
            reader = _only_reader(op.results[0])
            while reader is not None and reader.name in HOMOGENEOUS and len(reader.results) == 1:
                reader = _only_reader(reader.results[0])
            if reader is not None and _weighted(reader) and _along_channels(op, reader):
                yield op, reader


def _weighted(op: Op) -> bool:
    weight, bias = op.operand(1), op.operand(2)
    constant = weight is not None and weight.is_constant and (bias is None or bias.is_constant)
    return op.name == "Conv" and constant


def _along_channels(first: Op, last: Op) -> bool:
    """True where the reader sees every channel of the writer in one place: plain or depthwise."""
    channels = len(_weight(first))
    return bool(last.attr("group", 1) in (1, channels))


def _only_reader(value: Value) -> Op | None:
    return value.users[0] if value.has_single_use and not value.is_output else None


def _weight(op: Op) -> NDArray[Any]:
    value = op.operands[1]
    assert value is not None
    return value.numpy()


def _equalize(rewriter: Rewriter, first: Op, last: Op) -> None:
    before, after = _weight(first), _weight(last)
    group = last.attr("group", 1)
    scales = equalizing_scales(before, after if group == 1 else np.moveaxis(after, 0, 1))
    bias = first.operand(2)
    weight, moved = scale_outputs(before, bias.numpy() if bias is not None else None, scales)
    with rewriter.before(first):
        operands = [first.operands[0], _const(rewriter, weight)]
        operands += [_const(rewriter, moved)] if moved is not None else []
    rewriter.set_operands(first, operands)
    with rewriter.before(last):
        rewriter.set_operand(last, 1, _const(rewriter, scale_inputs(after, scales, group)))


def _const(rewriter: Rewriter, array: NDArray[Any]) -> Value:
    return rewriter.const(array.astype(np.float32))
