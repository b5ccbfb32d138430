"""Hypothesis as the source of choices of the ops' samplers, and drawing whole op instances.

The protocol between samplers and whoever calls them is in `y10c.ops.sample`; its names are public here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import reject
from hypothesis import strategies as st

from y10c.ops.onnx_schema import dtype_problem
from y10c.ops.registry import get_spec
from y10c.ops.sample import (
    ANY,
    LEFT_OUT,
    NONZERO,
    OPEN,
    POSITIVE,
    Domain,
    Draw,
    Given,
    NoInstance,
    Open,
    OpInstance,
    Request,
    Sampler,
    Slot,
)

__all__ = [
    "ANY",
    "LEFT_OUT",
    "NONZERO",
    "OPEN",
    "POSITIVE",
    "Domain",
    "Draw",
    "Given",
    "HypothesisDraw",
    "NoInstance",
    "OpInstance",
    "Open",
    "Request",
    "Sampler",
    "Slot",
    "draw_instance",
]


class HypothesisDraw(Draw):
    """Choices drawn by hypothesis, so that what they build shrinks.

    Args:
        draw: The `draw` of a composite strategy, or `data.draw`.
    """

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self._draw = draw

    def integer(self, low: int, high: int, label: str = "") -> int:
        """An integer that shrinks towards `low`."""
        if low == high:
            return low
        return low + int(self._draw(st.integers(0, high - low)))

    def indices(self, count: int, size: int) -> Sequence[int]:
        """Integers that shrink towards 0."""
        return list(self._draw(st.lists(st.integers(0, size - 1), min_size=count, max_size=count)))


def draw_instance(draw: Draw, name: str, request: Request | None = None) -> OpInstance:
    """A valid instance of an op.

    Raises:
        ValueError: The op has no sampler.
        NoInstance: The request cannot be met.
    """
    spec = get_spec(name)
    if spec.sample is None:
        raise ValueError(f"op {name} declares no sampler")
    instance: OpInstance = spec.sample(draw, request or Request())
    problem = dtype_problem(name, [None if o is None else o.dtype for o in instance.operands])
    if problem is not None:
        raise NoInstance(problem)
    return instance


def instance_or_reject(draw: Draw, name: str, request: Request | None = None) -> OpInstance:
    """As `draw_instance`; inside a hypothesis test the example is dropped where the request cannot be met."""
    try:
        return draw_instance(draw, name, request)
    except NoInstance:
        reject()
