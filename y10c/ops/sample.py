"""How an op's sampler speaks: what is already known of the op, and the valid instance that it draws.

A sampler is a function `sample(draw, request) -> OpInstance`, given in the op's declaration. It knows every
fact about valid operands and attributes, so whoever needs an instance (a property test, the inversion of a
rule's pattern, a random model) only says what is fixed already:

* an operand that exists is a `Given` (its type, and its data where it is constant);
* an operand that does not exist is `LEFT_OUT`;
* an operand that is still to be drawn is an `Open`, perhaps with wishes; so is everything beyond the end of
  `Request.operands`, except that the sampler may leave optional ones out.

The instance repeats the given operands and adds the rest. Where an added operand carries data (a shape, axes,
pads), it has to become a constant of these values; elsewhere it may become a constant, drawn by
`draw.array(operand.type, operand.domain)`, a graph input fed from the same domain, or another op's result.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from y10c.ir.tensor import Array
from y10c.ir.types import DType, TensorType

T = TypeVar("T")


class NoInstance(Exception):
    """What the request fixes cannot be part of a valid instance of the op."""


REACH = 3.0
"""As far from zero numbers are drawn where an op takes all of them."""


@dataclass(frozen=True)
class Domain:
    """The numbers that an operand may hold.

    Args:
        low: Least number.
        high: Greatest number.
        step: Distance of the numbers; a power of two, so that every one is exact in any float type.
        nonzero: Zero is left out.
    """

    low: float = -REACH
    high: float = REACH
    step: float = 0.25
    nonzero: bool = False

    @cached_property
    def floats(self) -> tuple[float, ...]:
        """The numbers, simplest first: whole before fractional, small before large, positive first."""
        count = round((self.high - self.low) / self.step)
        numbers = [self.low + i * self.step for i in range(count + 1)]
        if self.nonzero:
            numbers.remove(0.0)
        return tuple(sorted(numbers, key=lambda v: (v.as_integer_ratio()[1], abs(v), v < 0)))

    def takes(self, numbers: Array) -> bool:
        """True where an op is defined on the numbers; how far to draw by default is no limit of any op."""
        outside = (numbers < self.low) & (self.low > -REACH) | (numbers > self.high) & (self.high < REACH)
        return not np.any(outside | (self.nonzero & (numbers == 0)))

    def numbers(self, dtype: DType) -> tuple[float, ...]:
        """Those of the numbers that `dtype` can hold, simplest first."""
        if dtype is DType.bool:
            return (0, 1)
        if not dtype.is_integer:
            return self.floats
        low, high = dtype.integer_range
        return tuple(v for v in self.floats if v == int(v) and low <= v <= high)


ANY = Domain()
POSITIVE = Domain(0.25, 4)
NONZERO = Domain(nonzero=True)
UNIT = Domain(-1, 1)


@dataclass(frozen=True)
class Given:
    """An operand of an instance: its type, its data where it has to be a constant, and what it may hold."""

    type: TensorType
    data: Array | None = None
    domain: Domain = ANY

    @property
    def shape(self) -> tuple[int, ...]:
        """Its extents.

        Raises:
            NoInstance: They are not all known.
        """
        if not self.type.is_static:
            raise NoInstance(f"{self.type} is not static")
        return self.type.static_shape

    @property
    def dtype(self) -> DType:
        """Its element type."""
        return self.type.dtype


class LeftOut:
    """An optional operand that is not there."""

    def __repr__(self) -> str:
        return "LEFT_OUT"


LEFT_OUT = LeftOut()


@dataclass(frozen=True)
class Open:
    """An operand still to be drawn, with wishes.

    Args:
        dtypes: Element types that are welcome; empty means all.
        ranks: Ranks that are welcome; empty means all.
        single: It has exactly one element.
        number: Every element is this number.
    """

    dtypes: frozenset[DType] = frozenset()
    ranks: frozenset[int] = frozenset()
    single: bool = False
    number: float | None = None

    def accepts(self, type: TensorType) -> bool:
        """True where an operand of this type fulfils the wishes."""
        return (
            (not self.dtypes or type.dtype in self.dtypes)
            and (not self.ranks or type.rank in self.ranks)
            and (not self.single or (type.is_static and type.elements == 1))
        )


Slot = Given | LeftOut | Open
OPEN = Open()


@dataclass(frozen=True)
class Request:
    """What is fixed before an instance is drawn.

    Args:
        operands: The leading operands.
        attrs: Attributes that are fixed; None fixes that an attribute is not set.
        result: A type that the first result should have; only some samplers can derive operands from it.
        results: How many results a variadic op needs at least.
        exact: There are no operands beyond `operands`.
        rare: Forms that networks for inference do not have, such as training, are welcome too.
    """

    operands: tuple[Slot, ...] = ()
    attrs: Mapping[str, Any] = field(default_factory=dict)
    result: TensorType | None = None
    results: int = 1
    exact: bool = False
    rare: bool = False

    def slot(self, index: int) -> Slot:
        """What is said of operand `index`."""
        if index < len(self.operands):
            return self.operands[index]
        return LEFT_OUT if self.exact else OPEN

    def given(self, index: int) -> Given | None:
        """Operand `index` where it exists already."""
        slot = self.slot(index)
        return slot if isinstance(slot, Given) else None

    def wish(self, index: int) -> Open:
        """The wishes for operand `index`."""
        slot = self.slot(index)
        return slot if isinstance(slot, Open) else OPEN

    @property
    def dtype(self) -> DType | None:
        """The element type of the first given operand, else of the wanted result."""
        for slot in self.operands:
            if isinstance(slot, Given):
                return slot.dtype
        return self.result.dtype if self.result is not None else None


@dataclass(frozen=True)
class OpInstance:
    """A valid instance of an op.

    Args:
        operands: One per position; None is left out.
        attrs: The attributes that are set.
        results: How many results it has.
    """

    operands: tuple[Given | None, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    results: int = 1


class Draw(ABC):
    """A source of choices; the first of several, and small numbers, are the simplest.

    Labels name a choice, so that a source that does not choose at random, such as a proof that has to cover
    each value of an attribute, knows what it decides.
    """

    @abstractmethod
    def integer(self, low: int, high: int, label: str = "") -> int:
        """An integer from `low` to `high`, both included."""

    @abstractmethod
    def indices(self, count: int, size: int) -> Sequence[int]:
        """`count` independent integers from 0 to `size - 1`."""

    def unit(self, drawn: Callable[[Draw], T]) -> T:
        """What a function draws, as choices that belong together, which shrinking leaves out at once."""
        return drawn(self)

    def choice(self, items: Sequence[T], label: str = "") -> T:
        """One of the items.

        Raises:
            NoInstance: There is none.
        """
        if not items:
            raise NoInstance(f"nothing to choose from: {label}")
        return items[self.integer(0, len(items) - 1, label)]

    def boolean(self, label: str = "") -> bool:
        """Yes or no; no is simpler."""
        return bool(self.integer(0, 1, label))

    def array(self, type: TensorType, domain: Domain = ANY) -> Array:
        """Data of a static type from a domain; large arrays repeat few numbers in a mixed order."""
        numbers = np.array(domain.numbers(type.dtype))
        count = min(type.elements, _INDEPENDENT)
        drawn = np.asarray(self.indices(count, len(numbers)), np.int64)
        position = np.arange(type.elements)
        mixed = drawn[(position + 5 * (position // _INDEPENDENT)) % count] if count else drawn
        return numbers[mixed].astype(type.dtype.numpy).reshape(type.static_shape)

    def shape(self, rank: int, low: int = 1, high: int = 3) -> tuple[int, ...]:
        """Extents of a small tensor."""
        return tuple(self.integer(low, high, "extent") for _ in range(rank))

    def permutation(self, size: int, label: str = "") -> tuple[int, ...]:
        """An order of `size` things; the given order is the simplest."""
        left, order = list(range(size)), []
        while left:
            order.append(left.pop(self.integer(0, len(left) - 1, label)))
        return tuple(order)

    def subset(self, size: int, least: int = 0, label: str = "") -> tuple[int, ...]:
        """Ascending numbers below `size`, at least `least` of them."""
        count = self.integer(least, size, label)
        return tuple(sorted(self.permutation(size, label)[:count]))


_INDEPENDENT = 23

Sampler = Callable[[Draw, Request], OpInstance]


def constant(values: Any, dtype: DType = DType.i64) -> Given:
    """An operand that has to be this constant."""
    data = np.asarray(values, dtype.numpy)
    return Given(TensorType(dtype, data.shape), data)


def need(condition: object, why: str = "") -> None:
    """Give up where what is fixed does not fit the op.

    Raises:
        NoInstance: The condition does not hold.
    """
    if not condition:
        raise NoInstance(why)


def keep(draw: Draw, request: Request, index: int, made: Given) -> Given:
    """The given operand `index` where there is one and it fits, else the one just made.

    Raises:
        NoInstance: The given operand has another type, or the made one goes against the wishes.
    """
    slot = request.slot(index)
    need(not isinstance(slot, LeftOut), f"operand {index} is needed")
    if isinstance(slot, Open):
        need(slot.accepts(made.type), f"operand {index} should be otherwise")
        return made
    assert isinstance(slot, Given)
    fits = slot.dtype is made.dtype and slot.type.shape == made.type.shape
    need(fits, f"operand {index} is {slot.type}, not {made.type}")
    return slot


def optional(draw: Draw, request: Request, index: int, made: Given) -> Given | None:
    """As `keep`, for an operand that may be left out."""
    slot = request.slot(index)
    if isinstance(slot, LeftOut):
        return None
    asked = index < len(request.operands)
    if not asked and not draw.boolean("optional operand"):
        return None
    return keep(draw, request, index, made)


def attribute(draw: Draw, request: Request, name: str, choices: Sequence[T], default: T) -> T:
    """A fixed attribute, or one of the choices.

    A fixed None means that the attribute is not set, which is worth `default`.
    """
    if name in request.attrs:
        fixed = request.attrs[name]
        return default if fixed is None else fixed
    return draw.choice(choices, name)


FLOATS = (DType.f32,)
NUMBERS = (DType.f32, DType.i64, DType.i32)


def element_type(draw: Draw, request: Request, choices: Sequence[DType] = FLOATS) -> DType:
    """The element type that is fixed already, else one of the choices that the wishes allow."""
    if request.dtype is not None:
        return request.dtype
    wished = [s.dtypes for s in request.operands if isinstance(s, Open) and s.dtypes]
    allowed = frozenset.intersection(*wished) if wished else frozenset()
    good = [d for d in choices if not allowed or d in allowed] or sorted(allowed, key=lambda d: d.value)
    return draw.choice(good, "dtype")


def rank_of(draw: Draw, request: Request, index: int, choices: Sequence[int]) -> int:
    """The rank of operand `index`: given, or one of the choices that the wishes allow."""
    given = request.given(index)
    if given is not None:
        return len(given.shape)
    ranks = request.wish(index).ranks
    return draw.choice([r for r in choices if not ranks or r in ranks] or sorted(ranks), "rank")


def any_operand(
    draw: Draw,
    request: Request,
    index: int = 0,
    *,
    dtypes: Sequence[DType] = FLOATS,
    ranks: Sequence[int] = (2, 1, 3, 4),
    domain: Domain = ANY,
    high: int = 3,
) -> Given:
    """Operand `index` as given, or a fresh one of any small shape."""
    given = request.given(index)
    if given is not None:
        need(given.shape is not None)
        return Given(given.type, given.data, domain)
    if request.wish(index).single:
        shape: tuple[int, ...] = (1,) * rank_of(draw, request, index, (0, 1, 4))
    else:
        shape = draw.shape(rank_of(draw, request, index, ranks), high=high)
    # Another operand may have an element type of its own, such as the axes of a reduction.
    foreign = request.dtype is not None and request.dtype not in dtypes
    dtype = draw.choice(dtypes, "dtype") if foreign else element_type(draw, request, dtypes)
    return Given(TensorType(dtype, shape), None, domain)
