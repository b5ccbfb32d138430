"""Whether the ranges that the search chose tensor by tensor also serve the outputs, on a few samples.

The search knows the error of each tensor alone. Here the whole network runs with all 8-bit activations
quantized, once with the chosen ranges and once with those of the plain methods; another method is taken only
where the outputs are clearly better with it, since few samples say little about small differences.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx
from onnx import helper, numpy_helper

from y10c.calib.collect import mapped
from y10c.calib.feeds import Feeds
from y10c.calib.table import CalibrationTable
from y10c.detect.head_info import HeadInfo
from y10c.ir.graph import Graph
from y10c.passes.int8.output_error import Arrays, OutputError, output_error
from y10c.passes.int8.sensitivity import telling
from y10c.passes.observe.calibrate import Sketches, calibration_table, choose_ranges, known_inputs
from y10c.passes.observe.ranges import Ranges, RangeSearch
from y10c.quant.plan import Edge, QuantPlan
from y10c.rewrite.passes import Pass, PassContext

CLEARLY = 0.7
"""Another method's error must be below this share of the search's. fitted: on YOLOv10n, runs that differ by
chance alone differ by up to a fifth."""


@dataclass(frozen=True)
class Confirmation:
    """The error of the outputs by method, and which was taken.

    Args:
        errors: `OutputError.gain` over the samples, activations quantized, weights float.
        taken: The method whose ranges are used.
        samples: Number of samples.
    """

    errors: Mapping[str, float]
    taken: str
    samples: int


@dataclass(frozen=True)
class ConfirmRanges(Pass):
    """Run a few samples with the searched ranges and with plain ones, and keep what serves the outputs.

    Args:
        looked: Samples looked at.
        samples: Samples run, those that tell most; at most 8.
        methods: What the search is compared with.
    """

    name: ClassVar[str] = "confirm-ranges"
    requires: ClassVar[frozenset[str]] = frozenset({"Calibrated"})

    looked: int = 20
    samples: int = 4
    methods: tuple[str, ...] = ("min-max",)

    def run(self, graph: Graph, context: PassContext) -> None:
        """Leave `Confirmation`, and the better `Ranges`, in the context; nothing on generated data."""
        feeds: Feeds = context.tables[Feeds]
        plan: QuantPlan = context.tables[QuantPlan]
        if feeds.synthetic or not plan.exits:
            return
        sketches: Sketches = context.tables[Sketches]
        searched: Ranges = context.tables[Ranges]
        others = {m: choose_ranges(plan, sketches, RangeSearch(m)) for m in self.methods}
        for ranges in others.values():
            ranges.update(known_inputs(plan, sketches, feeds))
        model = graph.to_onnx()
        error = output_error(plan.exits, context.tables.get(HeadInfo))
        some = telling(model, context, error, self.looked, self.samples)
        found = compare(model, {"search": searched, **others}, plan, some, error)
        best = min(found, key=lambda m: found[m])
        taken = best if found[best] < CLEARLY * found["search"] else "search"
        context.tables[Confirmation] = Confirmation(found, taken, some.count)
        if taken != "search":
            context.tables[Ranges] = others[taken]
            context.tables[CalibrationTable] = calibration_table(plan, sketches, others[taken], feeds)


def compare(
    model: onnx.ModelProto,
    settings: Mapping[str, Ranges],
    plan: QuantPlan,
    feeds: Feeds,
    error: OutputError,
) -> dict[str, float]:
    """The error of the outputs with the 8-bit activations quantized to each set of ranges."""
    expected: list[Arrays] = list(mapped(model, feeds, error.names, _copied))
    found = {}
    for name, ranges in settings.items():
        runs = mapped(with_pairs(model, plan, ranges), feeds, error.names, _copied)
        parts = [error.measure(e, f) for e, f in zip(expected, runs, strict=True)]
        found[name] = error.gain(np.mean(parts, axis=0))
    return found


def with_pairs(model: onnx.ModelProto, plan: QuantPlan, ranges: Ranges) -> onnx.ModelProto:
    """The float model with a Q/DQ pair behind each 8-bit activation that is no mere copy."""
    whole: onnx.ModelProto = onnx.ModelProto.FromString(model.SerializeToString())
    edges = {
        e.value.name: e
        for e in plan.edges
        if e.grid.dtype.bits == 8 and plan.is_source(e) and not e.value.is_constant
    }
    nodes = [
        pair
        for one in whole.graph.input
        if one.name in edges
        for pair in _pair(whole, edges[one.name], ranges)
    ]
    for node in whole.graph.node:
        copy = onnx.NodeProto.FromString(node.SerializeToString())
        copy.input[:] = [f"{name}/dq" if name in edges else name for name in node.input]
        nodes.append(copy)
        nodes += [pair for name in node.output if name in edges for pair in _pair(whole, edges[name], ranges)]
    del whole.graph.node[:]
    whole.graph.node.extend(nodes)
    return whole


def _pair(model: onnx.ModelProto, edge: Edge, ranges: Ranges) -> list[onnx.NodeProto]:
    name, found = edge.value.name, ranges[edge.group]
    params = edge.grid.params(found.low, found.high)
    stored = {
        f"{name}/scale": np.asarray(params.scale[0], np.float32),
        f"{name}/zero": np.asarray(params.zero_point[0], edge.grid.dtype.numpy),
    }
    model.graph.initializer.extend(numpy_helper.from_array(array, key) for key, array in stored.items())
    return [
        helper.make_node("QuantizeLinear", [name, *stored], [f"{name}/q"]),
        helper.make_node("DequantizeLinear", [f"{name}/q", *stored], [f"{name}/dq"]),
    ]


def _copied(index: int, arrays: Arrays) -> Arrays:
    return {name: array.copy() for name, array in arrays.items()}
