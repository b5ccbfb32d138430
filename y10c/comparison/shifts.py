"""Constants that a compiler took off some tensors, for whose absence their readers make up.

The pass absorb-shift lets a table emit values around zero: behind it stands a Sub of a constant, whose node's
name ends in `/shift`, and every tensor up to the next convolution is less by that constant, one number a
channel. Such a tensor keeps its name and means the same; a comparison has to add what was taken off.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from y10c.comparison.tensors import PAIR, grid_of, seen
from y10c.cost.precision import DEQUANTIZE
from y10c.ir.graph import Graph
from y10c.ir.value import Op, Value, scalar

Shift = NDArray[np.float64]
"""What was taken off each channel, `[C]`."""

MARK = "/shift"
"""What the name of the node that takes a constant off ends in."""

SAME_CHANNELS = frozenset({*PAIR, "MaxPool", "Resize", "Identity"})
"""Ops that take each result from one channel."""


def shifts_of(graph: Graph) -> dict[Value, Shift]:
    """The shift of every value that carries one."""
    found: dict[Value, Shift] = {}
    for op in graph.ops:
        taken = taken_off(op)
        if taken is not None and op.operands[0] is not None:
            channels = _channels(op.result)
            found[op.result] = np.full(channels, taken) + found.get(op.operands[0], 0.0)
        elif any(v in found for v in op.operands if v is not None):
            found |= zip(op.results, _passed(op, found), strict=False)
    return {value: shift for value, shift in found.items() if shift.any()}


def taken_off(op: Op) -> float | None:
    """The constant that a node takes off; None for any other node."""
    if op.name != "Sub" or not op.location.endswith(MARK):
        return None
    constant = op.operand(1)
    if constant is not None and constant.producer is not None and constant.producer.kind == DEQUANTIZE:
        return _dequantized(constant.producer)
    known = scalar(constant)
    return None if known is None else float(known)


def shifted(value: Value) -> Value:
    """The value that readers get where a constant is taken off behind it; the value itself elsewhere."""
    return next((user.result for user in seen(value).value.users if taken_off(user) is not None), value)


def _dequantized(op: Op) -> float | None:
    """The number that a constant's DequantizeLinear gives."""
    codes, grid = scalar(op.operand(0)), grid_of(op)
    return None if codes is None or grid is None else (codes - grid.zero_point) * grid.scale


def _passed(op: Op, shifts: Mapping[Value, Shift]) -> list[Shift]:
    """The shifts of an op's results; none where it makes up for them, as a convolution does by its bias."""
    read = [v for v in op.operands if v is not None]
    rank = len(op.results[0].shape or ())
    along_channels = op.attr("axis", 0) in (1, 1 - rank)
    if op.kind in SAME_CHANNELS:
        return [shifts[read[0]]] if read[0] in shifts else []
    if op.name == "Split" and along_channels:
        stops = np.cumsum([_channels(result) for result in op.results])[:-1]
        return list(np.split(shifts[read[0]], stops))
    if op.name == "Concat" and along_channels:
        return [np.concatenate([_shift(v, shifts) for v in read])]
    if op.name == "Add":
        return [np.sum([_shift(v, shifts) for v in read], axis=0)]
    return []


def _shift(value: Value, shifts: Mapping[Value, Shift]) -> Shift:
    return shifts[value] if value in shifts else np.zeros(_channels(value))


def _channels(value: Value) -> int:
    extent = (value.shape or ())[1] if len(value.shape or ()) > 1 else 1
    return extent if isinstance(extent, int) else 1
