"""Searched ranges are kept unless others serve the outputs clearly better."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from y10c.calib.feeds import Feeds, generated_feeds, open_feeds
from y10c.calib.observers import Range
from y10c.frontend.importer import load
from y10c.ir import Graph
from y10c.passes.canonicalize.recognize import RecognizeFunctions
from y10c.passes.int8.confirm_ranges import Confirmation, ConfirmRanges
from y10c.passes.observe.calibrate import Calibrate
from y10c.passes.observe.ranges import Ranges
from y10c.pipeline.manager import run_passes
from y10c.quant.plan import QuantPlan
from y10c.quant.scheme import QuantScheme
from y10c.rewrite.passes import PassContext
from y10c.targets.j6.scheme import SCHEME

Net = Callable[..., onnx.ModelProto]


def calibrated(model: onnx.ModelProto, photos: Path | None) -> tuple[Graph, PassContext]:
    graph = load(model)
    inputs = {v.name: v.tensor_type for v in graph.inputs}
    feeds = generated_feeds(inputs) if photos is None else open_feeds(inputs, photos)
    context = PassContext(tables={QuantScheme: SCHEME, Feeds: feeds})
    run_passes(graph, [RecognizeFunctions(), Calibrate()], context)
    return graph, context


def test_good_ranges_are_kept(net: Net, photos: Path) -> None:
    graph, context = calibrated(net(), photos)
    before = dict(context.tables[Ranges])
    run_passes(graph, [ConfirmRanges()], context)
    found: Confirmation = context.tables[Confirmation]
    assert found.taken == "search"
    assert found.samples == 4
    assert 0 < found.errors["search"] < 0.01
    assert dict(context.tables[Ranges]) == before


def test_ranges_that_ruin_the_outputs_give_way(net: Net, photos: Path) -> None:
    graph, context = calibrated(net(), photos)
    ranges: Ranges = context.tables[Ranges]
    plan: QuantPlan = context.tables[QuantPlan]
    group = next(e.group for e in plan.edges if e.value.name == "a1")
    ranges[group] = Range(-0.01, 0.01, "search")
    run_passes(graph, [ConfirmRanges()], context)
    assert context.tables[Confirmation].taken == "min-max"
    assert context.tables[Ranges][group].high > 0.1


def test_generated_data_confirms_nothing(net: Net) -> None:
    graph, context = calibrated(net(), None)
    run_passes(graph, [ConfirmRanges()], context)
    assert Confirmation not in context.tables


@pytest.mark.parametrize("samples", [1, 3])
def test_few_samples_are_enough(net: Net, photos: Path, samples: int) -> None:
    graph, context = calibrated(net(), photos)
    run_passes(graph, [ConfirmRanges(samples=samples)], context)
    assert context.tables[Confirmation].samples == samples
