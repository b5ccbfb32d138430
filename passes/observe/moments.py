"""Second moments of what each convolution and product multiplies, for the rounding of its weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import prod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from y10c import progress
from y10c.calib.collect import mapped
from y10c.calib.feeds import Feeds
from y10c.ir.graph import Graph
from y10c.ir.value import Op
from y10c.quant.moments import Moments, Window, accumulate, patches, pick_positions
from y10c.quant.plan import QuantPlan
from y10c.rewrite.passes import Pass, PassContext

Rows = NDArray[np.float32]

LARGEST = 6000
"""Inputs of one output above which the moment, whose size is the square, is not taken. assumed."""

MOST = 400
"""Places of one sample at most: its neighbours tell the same, and memory grows with them. assumed."""

CHUNK = 4
"""Samples whose rows are multiplied at once: fixed, so that sums do not depend on the number of threads."""


class InputMoments(dict[Op, Moments]):
    """Moments of the inputs of ops with a weight."""


class Shifts(dict[Op, NDArray[np.float64]]):
    """What is taken off the input channels of convolutions whose biases make up for it, `[C]` each."""


@dataclass(frozen=True)
class ObserveMoments(Pass):
    """Take the second moments of what weights multiply, from one pass of the float model.

    Args:
        images: Samples, spread evenly over the data.
        positions: Places taken of each tensor over all samples.
    """

    name: ClassVar[str] = "observe-moments"
    requires: ClassVar[frozenset[str]] = frozenset({"Calibrated"})

    images: int = 25
    positions: int = 8000

    def run(self, graph: Graph, context: PassContext) -> None:
        """Leave `InputMoments` in the context; none of generated data, which teaches weights nothing."""
        plan: QuantPlan = context.tables[QuantPlan]
        ops = [w.op for w in plan.weights if window_of(w.op) is not None]
        feeds: Feeds = context.tables[Feeds].limited(self.images)
        if ops and not feeds.synthetic:
            shifts = context.tables.get(Shifts, Shifts())
            context.tables[InputMoments] = observe_moments(graph, ops, feeds, self.positions, shifts)


def observe_moments(
    graph: Graph, ops: Sequence[Op], feeds: Feeds, positions: int, shifts: Mapping[Op, NDArray[np.float64]]
) -> InputMoments:
    """The moments of the inputs of some ops over all samples.

    Args:
        graph: A float graph whose values are named as in its export.
        ops: Ops for which `window_of` gives a window.
        feeds: Data.
        positions: Places taken of each tensor over all samples.
        shifts: What was taken off some inputs: moments are those of the inputs with it.
    """
    limit = min(MOST, -(-positions // max(1, feeds.count)))

    def rows(index: int, arrays: Mapping[str, NDArray[Any]]) -> list[Rows]:
        return [
            _rows(op, _unshifted(arrays[_input(op)], shifts.get(op)), limit, (index, k))
            for k, op in enumerate(ops)
        ]

    names = list(dict.fromkeys(_input(op) for op in ops))
    samples = mapped(graph.to_onnx(), feeds, names, rows)
    tracked = progress.track(samples, "moments of the inputs", feeds.count)
    with threadpool_limits(1, "blas"):  # beside the threads of the network, more only get in each other's way
        return InputMoments(zip(ops, _summed(tracked), strict=True))


def _summed(samples: Iterator[list[Rows]]) -> list[Moments]:
    sums: list[Moments] = []
    while chunk := list(islice(samples, CHUNK)):
        parts = [accumulate(np.concatenate(rows, axis=1)) for rows in zip(*chunk, strict=True)]
        sums = [a + b for a, b in zip(sums, parts, strict=True)] if sums else parts
    return sums


def window_of(op: Op) -> Window | None:
    """Where an op with a constant weight looks; None where moments are of no use or too large."""
    weight = op.operands[1]
    shape = weight.shape if weight is not None else None
    if shape is None or not all(isinstance(n, int) for n in shape):
        return None
    extents = [int(n) for n in shape if n is not None]
    if op.name == "Conv" and len(extents) == 4 and op.attr("auto_pad", "NOTSET") == "NOTSET":
        if prod(extents[1:]) > LARGEST:
            return None
        return Window(
            kernel=(extents[2], extents[3]),
            strides=tuple(op.attr("strides", (1, 1))),
            pads=tuple(op.attr("pads", (0, 0, 0, 0))),
            dilations=tuple(op.attr("dilations", (1, 1))),
            group=op.attr("group", 1),
        )
    plain = op.name == "MatMul" or (op.name == "Gemm" and not op.attr("transA", 0))
    return Window((1, 1)) if plain and len(extents) == 2 and max(extents) <= LARGEST else None


def _input(op: Op) -> str:
    value = op.operands[0]
    assert value is not None
    return value.name


def _unshifted(x: NDArray[Any], shift: NDArray[np.float64] | None) -> NDArray[Any]:
    if shift is None:
        return x
    whole: NDArray[Any] = x + shift.astype(x.dtype).reshape(1, -1, *[1] * (x.ndim - 2))
    return whole


def _rows(op: Op, x: NDArray[Any], limit: int, seed: tuple[int, int]) -> Rows:
    """Some rows of what an op multiplies, `[group, P, K]`."""
    if op.name != "Conv":
        flat = x.reshape(1, -1, x.shape[-1])
        return np.asarray(flat[:, pick_positions(flat.shape[1], limit, seed)], np.float32)
    window = window_of(op)
    assert window is not None
    shape = op.results[0].shape or ()
    total = x.shape[0] * prod(int(n) for n in shape[2:] if n is not None)
    return patches(x, window, pick_positions(total, limit, seed))
