"""Passes that change weights for INT8 leave the float network what it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

import y10c
from y10c.calib.feeds import Feeds, open_feeds
from y10c.frontend.importer import load
from y10c.ir import Graph
from y10c.ir.value import Op, Value
from y10c.ops.reference import evaluate
from y10c.passes.canonicalize.recognize import RecognizeFunctions
from y10c.passes.int8.absorb_shift import AbsorbShift
from y10c.passes.int8.equalize import Equalize, pairs
from y10c.passes.int8.smooth import Smooth
from y10c.pipeline.manager import run_passes
from y10c.quant.options import QuantOptions
from y10c.quant.scheme import QuantScheme
from y10c.rewrite.passes import Pass, PassContext
from y10c.targets.j6.scheme import SCHEME

Net = Callable[..., onnx.ModelProto]
SYMMETRIC = SCHEME.without_zero_points()


def rewritten(model: onnx.ModelProto, photos: Path, scheme: QuantScheme, *passes: Pass) -> Graph:
    graph = load(model)
    feeds = open_feeds({v.name: v.tensor_type for v in graph.inputs}, photos)
    context = PassContext(tables={QuantScheme: scheme, Feeds: feeds})
    run_passes(graph, [RecognizeFunctions(), *passes], context)
    return graph


def outputs(graph: Graph) -> NDArray[np.float32]:
    image = np.random.default_rng(3).random((1, 3, 16, 16)).astype(np.float32)
    return evaluate(graph, {"image": image})["out"]


def count(graph: Graph, kind: str) -> int:
    return sum(op.name == kind for op in graph.ops)


def test_shifted_tables_leave_the_float_network_as_it_was(net: Net, photos: Path) -> None:
    before = rewritten(net(), photos, SYMMETRIC)
    after = rewritten(net(), photos, SYMMETRIC, AbsorbShift())
    assert count(after, "Sub") == 2  # a2 feeds no convolution, so it has 16 bits and steps to spare
    np.testing.assert_allclose(outputs(after), outputs(before), atol=2e-5)


def test_borders_are_filled_with_what_a_zero_has_become(net: Net, photos: Path) -> None:
    graph = rewritten(net(), photos, SYMMETRIC, AbsorbShift())
    pads = [op for op in graph.ops if op.name == "Pad"]
    shifts = {op.results[0]: op.operands[1] for op in graph.ops if op.name == "Sub"}
    assert len(pads) == 2  # c2 and deep; c1 reads the image, the others do not pad
    moved = {float(c.numpy()) for c in shifts.values() if c is not None}
    assert {-float(op.operands[2].numpy()) for op in pads if op.operands[2] is not None} <= moved


def test_zero_points_need_no_shift(net: Net, photos: Path) -> None:
    graph = rewritten(net(), photos, SCHEME, AbsorbShift())
    assert count(graph, "Sub") == 0


def test_a_table_whose_reader_cannot_take_a_shift_keeps_its_values(net: Net, photos: Path) -> None:
    model = net()
    model.graph.node[-1].input[0] = "scaled"
    scaled = onnx.helper.make_node("Mul", ["deep", "pooled"], ["scaled"])
    model.graph.node.insert(len(model.graph.node) - 1, scaled)
    graph = rewritten(model, photos, SYMMETRIC, AbsorbShift())
    assert {op.operands[0].name for op in graph.ops if op.name == "Sub" and op.operands[0]} == {"a1"}


def test_a_number_beside_a_shifted_tensor_has_no_channels(net: Net, photos: Path) -> None:
    model = net()
    model.graph.node[-1].input[0] = "scaled"
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(2), "two"))
    model.graph.node.insert(
        len(model.graph.node) - 1, onnx.helper.make_node("Mul", ["deep", "two"], ["scaled"])
    )
    before = rewritten(model, photos, SYMMETRIC)
    after = rewritten(model, photos, SYMMETRIC, AbsorbShift())
    np.testing.assert_allclose(outputs(after), outputs(before), atol=2e-5)


def test_equalized_channels_have_equal_ranges(net: Net, photos: Path) -> None:
    rng = np.random.default_rng(5)
    uneven = (rng.normal(0, 0.5, (8, 1, 3, 3)) * np.logspace(-2, 1, 8).reshape(8, 1, 1, 1)).astype(np.float32)
    before = rewritten(net(w4=uneven), photos, SYMMETRIC)
    after = rewritten(net(w4=uneven), photos, SYMMETRIC, Equalize())
    np.testing.assert_allclose(outputs(after), outputs(before), rtol=1e-3, atol=1e-4)
    ((first, last),) = pairs(after)
    writes = np.abs(weight(first)).reshape(8, -1).max(axis=1)
    reads = np.abs(np.moveaxis(weight(last), 1, 0)).reshape(8, -1).max(axis=1)
    np.testing.assert_allclose(writes, reads, rtol=1e-4)


def test_smoothed_channels_leave_the_float_network_as_it_was(net: Net, photos: Path) -> None:
    model = net()
    model.graph.node[-2].input[0] = "a3"  # so that a convolution reads a table, with nothing between
    model.graph.node[-2].attribute.append(onnx.helper.make_attribute("strides", [2, 2]))
    before = rewritten(model, photos, SYMMETRIC)
    after = rewritten(model, photos, SYMMETRIC, Smooth())
    assert count(after, "Mul") == 1
    np.testing.assert_allclose(outputs(after), outputs(before), rtol=1e-3, atol=1e-5)


def weight(op: Op) -> NDArray[np.float32]:
    value = op.operands[1]
    assert value is not None
    return value.numpy()


@pytest.mark.parametrize(
    "options", [{}, {"weight_clip": True}, {"bias_correction": True}, {"equalize": True}, {"smooth": True}]
)
def test_every_switch_gives_a_model_that_stays_close(
    net: Net, photos: Path, options: dict[str, bool]
) -> None:
    result = y10c.compile(net(), calibration=photos, head="keep", quant=QuantOptions(mixed="off", **options))
    assert result.worst_output is not None
    assert result.worst_output.cosine > 0.995


def test_the_symmetric_scheme_has_no_zero_points(net: Net, photos: Path) -> None:
    result = y10c.compile(net(), calibration=photos, head="keep", quant=QuantOptions(scheme="symmetric"))
    graph = load(result.model)
    zeros = [op.operand(2) for op in graph.ops if op.name == "QuantizeLinear"]
    assert zeros
    assert not any(z.numpy().any() for z in zeros if z is not None)


def test_weights_are_rounded_for_their_inputs(net: Net, photos: Path) -> None:
    found = {}
    for rounding in (True, False):
        quant = QuantOptions(mixed="off", rounding=rounding)
        model = y10c.compile(net(), calibration=photos, head="keep", quant=quant).model
        found[rounding] = next(i for i in model.graph.initializer if list(i.dims) == [8, 12, 1, 1])
    steps = {k: onnx.numpy_helper.to_array(v).astype(int) for k, v in found.items()}
    moved = np.abs(steps[True] - steps[False])
    assert moved.any()
    assert moved.max() <= 3


def test_the_bias_of_a_shift_counts_the_weights_as_rounded(net: Net, photos: Path) -> None:
    quant = QuantOptions(scheme="symmetric", mixed="off", rounding=False)
    result = y10c.compile(net(), calibration=photos, head="keep", quant=quant)
    before, after = (load(result.models[stage]) for stage in ("optimized", "ptq"))
    shift = {op.operands[0].name: op.operands[1] for op in before.ops if op.name == "Sub" and op.operands[0]}
    assert shift["a3"] is not None
    ends = [next(op for op in g.ops if op.results[0].name == "deep") for g in (before, after)]
    (w, b), (v, c) = ([real(op.operands[k]) for k in (1, 2)] for op in ends)
    wanted = b + (v - w).reshape(8, -1).sum(axis=1) * float(shift["a3"].numpy())
    np.testing.assert_allclose(c, wanted, atol=2e-3)
    assert np.abs(c - b).max() > 0


def real(value: Value | None) -> NDArray[np.float64]:
    """A constant, or the reals that a DequantizeLinear makes of integers along its first axis."""
    assert value is not None
    if value.producer is None:
        return value.numpy().astype(np.float64)
    integers, scale = (v.numpy().astype(np.float64) for v in value.producer.operands[:2] if v is not None)
    return np.asarray(integers * scale.reshape(-1, *[1] * (integers.ndim - 1)), np.float64)
