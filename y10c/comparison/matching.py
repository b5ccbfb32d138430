"""Which tensor of one model is which of another: by lineage, the ONNX names that a value stands for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from y10c.comparison.outputs import ranking_tail
from y10c.comparison.shifts import Shift, shifted, shifts_of
from y10c.comparison.sides import Side
from y10c.comparison.tensors import IntegerGrid, Seen, may_fit, real_values, seen
from y10c.ir.types import DType
from y10c.ir.value import Value


@dataclass(frozen=True)
class Pair:
    """A tensor that both models have, each as its readers see it.

    Args:
        tensor: Name in the reference.
        node: The candidate's node that makes it; the tensor's name for an input.
        op: What that node is; `input` for an input.
        reference: Tensor to read in the reference.
        candidate: Tensor to read in the candidate.
        raw: The candidate's tensor before its quantization.
        grid: The candidate's integers; None for floats.
        quantized: Whether the candidate quantizes it.
        element: Float type that the candidate computes in.
        elements: Number of elements of one sample; open extents count as 1.
        shift: By how much the candidate's tensor is meant to be less than the reference's, one number a
            channel; None for nothing.
    """

    tensor: str
    node: str
    op: str
    reference: str
    candidate: str
    raw: str
    grid: IntegerGrid | None
    quantized: bool
    element: DType = DType.f32
    elements: int = 0
    shift: Shift | None = field(default=None, compare=False)

    def expected(self, array: NDArray[Any]) -> NDArray[Any]:
        """What the candidate's tensor should be where the reference's is `array`."""
        if self.shift is None:
            return array
        moved: NDArray[Any] = array - self.shift.astype(array.dtype).reshape(-1, *(1,) * (array.ndim - 2))
        return moved

    @property
    def dtype(self) -> str:
        """Type in which the candidate passes the tensor on."""
        if self.grid is not None:
            return str(self.grid.dtype.numpy)
        return "integers" if self.quantized else "float"


def match(reference: Side, candidate: Side) -> list[Pair]:
    """The tensors that can be compared, in the candidate's order; inputs are matched by their places.

    Constants, integers, tensors of other shapes, what follows a ranking op, and inputs that stay floats are
    left out.
    """
    known = _by_name(reference)
    taken, ours = shifts_of(candidate.graph), shifts_of(reference.graph)
    same_place = dict(zip(candidate.graph.inputs, reference.graph.inputs, strict=True))
    pairs: dict[str, Pair] = {}
    for value in _comparable(candidate):
        by_name = (known[name] for name in _names(value) if name in known)
        found = same_place.get(value) or next(by_name, None)
        if found is not None and found.name not in pairs and may_fit(found, value):
            moved = shifted(value)
            shift = _less(taken.get(moved), ours.get(found))
            pairs[found.name] = _pair(found, seen(found), value, seen(moved), shift)
    told = (pair for pair in pairs.values() if pair.op != "input" or pair.quantized)
    first, second = reference.tensors, candidate.tensors
    return [pair for pair in told if pair.reference in first and {pair.candidate, pair.raw} <= second]


def _comparable(side: Side) -> Iterator[Value]:
    behind = {v for op in ranking_tail(side.graph) for v in op.results}
    return (value for value in real_values(side.graph) if value not in behind)


def _by_name(side: Side) -> dict[str, Value]:
    values = list(_comparable(side))
    further = {name: v for v in values for name in v.lineage}
    return {**further, **{v.name: v for v in values}, **_behind_pairs(values)}


def _behind_pairs(values: Iterable[Value]) -> dict[str, Value]:
    """The dequantized names: quantizers of others give the output's name to the value behind the pair."""
    return {s.value.name: v for v in values if (s := seen(v)).quantized}


def _names(value: Value) -> Iterator[str]:
    yield value.name
    yield seen(value).value.name
    yield from value.lineage


def _less(candidate: Shift | None, reference: Shift | None) -> Shift | None:
    """What one is shifted more than the other; None where that is nothing but a constant's own rounding."""
    if candidate is None and reference is None:
        return None
    first, second = (np.zeros(1) if s is None else s for s in (candidate, reference))
    apart = first - second
    small = 1e-3 * max(float(np.abs(first).max()), float(np.abs(second).max()))
    return apart if np.abs(apart).max() > small else None


def _pair(a: Value, a_seen: Seen, b: Value, b_seen: Seen, shift: Shift | None) -> Pair:
    op = b.producer
    return Pair(
        a.name,
        b.name if op is None else op.location or b.name,
        "input" if op is None else op.kind,
        a_seen.value.name,
        b_seen.value.name,
        b_seen.raw.name,
        b_seen.grid,
        b_seen.quantized,
        b.tensor_type.dtype,
        math.prod(d for d in b.shape or () if isinstance(d, int)),
        shift,
    )
