"""Hypothesis as the source of choices of the ops' samplers, and drawing whole op instances.

The protocol between samplers and whoever calls them is in `y10c.ops.sample`; its names are public here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest
from random import Random
from typing import Any, TypeVar

from hypothesis import strategies as st

from y10c.ir.attrs import Attrs
from y10c.ir.tensor import Tensor
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
    need,
)
from y10c.ops.spec import Inputs, OpSpec

T = TypeVar("T")

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
    "RandomDraw",
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
        need(low <= high, f"nothing to choose from: {label}")
        if low == high:
            return low
        return low + int(self._draw(st.integers(0, high - low)))

    def unit(self, drawn: Callable[[Draw], T]) -> T:
        """What a function draws, as one span of hypothesis."""
        unit: T = self._draw(_unit(drawn))
        return unit

    def indices(self, count: int, size: int) -> Sequence[int]:
        """Integers that shrink towards 0."""
        need(size > 0 or not count, "nothing to choose from")
        return list(self._draw(st.lists(st.integers(0, size - 1), min_size=count, max_size=count)))


@st.composite
def _unit(draw: Callable[[st.SearchStrategy[Any]], Any], drawn: Callable[[Draw], T]) -> T:
    return drawn(HypothesisDraw(draw))


class RandomDraw(Draw):
    """Choices drawn at random, without shrinking; the same seed draws the same.

    Args:
        seed: Where the sequence of choices begins.
    """

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def integer(self, low: int, high: int, label: str = "") -> int:
        """An integer, all alike."""
        need(low <= high, f"nothing to choose from: {label}")
        return self._random.randint(low, high)

    def indices(self, count: int, size: int) -> Sequence[int]:
        """Integers, all alike."""
        need(size > 0 or not count, "nothing to choose from")
        return [self._random.randrange(size) for _ in range(count)]


def draw_instance(draw: Draw, name: str, request: Request | None = None) -> OpInstance:
    """A valid instance of an op.

    Raises:
        ValueError: The op has no sampler.
        NoInstance: The request cannot be met.
    """
    spec = get_spec(name)
    if spec.sample is None:
        raise ValueError(f"op {name} declares no sampler")
    asked = request or Request()
    instance: OpInstance = spec.sample(draw, asked)
    _check_kept(instance, asked)
    _check_valid(spec, instance)
    return instance


def _check_kept(instance: OpInstance, request: Request) -> None:
    """Give up where a sampler could not honour what was fixed."""
    for slot, drawn in zip_longest(request.operands, instance.operands):
        if isinstance(slot, Given):
            same = (
                drawn is not None
                and drawn.type == slot.type
                and (slot.data is None or drawn.data is slot.data)
            )
            need(same, "a given operand was not kept")
        extra = slot is LEFT_OUT or (slot is None and request.exact)
        need(drawn is None or not extra, "an operand too many")
    for name, value in request.attrs.items():
        need(value is None or instance.attrs.get(name) == value, f"attribute {name} was not kept")


def _check_valid(spec: OpSpec, instance: OpInstance) -> None:
    """Give up where given operands lead to something that is no valid op."""
    present = tuple(None if o is None else o.dtype for o in instance.operands)
    problem = dtype_problem(spec.name, present)
    need(problem is None, problem or "")
    inputs = Inputs(
        tuple(None if o is None else o.type for o in instance.operands),
        tuple(None if o is None or o.data is None else Tensor.of(o.data) for o in instance.operands),
        Attrs(dict(instance.attrs)),
        instance.results,
    )
    try:
        spec.infer(inputs)
    except ValueError as error:
        raise NoInstance(str(error)) from error
