"""Elements that are expressions: numpy object arrays of them run through a rule's own Python.

Arithmetic is exact: a double is read as the simplest fraction, or root of one, that rounds to it. A
comparison is decided where it holds, or fails, for every value of the symbols: a variance is positive, a
divisor is not zero. Any other one, and what has no meaning for an expression, raises `DataDependent` and
ends the proof.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from numbers import Number
from typing import Any

import numpy as np
import sympy

from y10c.ir.tensor import Array


class DataDependent(Exception):
    """The code asks for the value of an expression."""


class Symbolic:
    """One element: a sympy expression with the operators and methods that numpy calls on objects."""

    __slots__ = ("expression",)

    def __init__(self, expression: Any) -> None:
        self.expression = expression

    def _sympy_(self) -> Any:
        return self.expression

    def __add__(self, other: Any) -> Any:
        return _combined(self, other, lambda a, b: a + b)

    def __radd__(self, other: Any) -> Any:
        return _combined(self, other, lambda a, b: b + a)

    def __sub__(self, other: Any) -> Any:
        return _combined(self, other, lambda a, b: a - b)

    def __rsub__(self, other: Any) -> Any:
        return _combined(self, other, lambda a, b: b - a)

    def __mul__(self, other: Any) -> Any:
        return _combined(self, other, lambda a, b: a * b)

    def __rmul__(self, other: Any) -> Any:
        return _combined(self, other, lambda a, b: b * a)

    def __truediv__(self, other: Any) -> Any:
        return _combined(self, other, lambda a, b: a / b)

    def __rtruediv__(self, other: Any) -> Any:
        return _combined(self, other, lambda a, b: b / a)

    def __pow__(self, other: Any) -> Any:
        return _combined(self, other, lambda a, b: a**b)

    def __rpow__(self, other: Any) -> Any:
        return _combined(self, other, lambda a, b: b**a)

    def __neg__(self) -> Symbolic:
        return Symbolic(-self.expression)

    def __pos__(self) -> Symbolic:
        return self

    def __abs__(self) -> Symbolic:
        return Symbolic(sympy.Abs(self.expression))

    def maximum(self, other: Any) -> Any:
        """The greater of two."""
        return _combined(self, other, sympy.Max)

    def minimum(self, other: Any) -> Any:
        """The smaller of two."""
        return _combined(self, other, sympy.Min)

    def __getattr__(self, name: str) -> Callable[[], Symbolic]:
        function = _FUNCTIONS.get(name)
        if function is None:
            raise AttributeError(f"{name} has no meaning for an expression")
        return lambda: Symbolic(function(self.expression))

    def __bool__(self) -> bool:
        return _decided(sympy.Ne(self.expression, 0))

    def __lt__(self, other: Any) -> bool:
        return _decided(self.expression < expression_of(other))

    def __le__(self, other: Any) -> bool:
        return _decided(self.expression <= expression_of(other))

    def __gt__(self, other: Any) -> bool:
        return _decided(self.expression > expression_of(other))

    def __ge__(self, other: Any) -> bool:
        return _decided(self.expression >= expression_of(other))

    def __eq__(self, other: Any) -> bool:
        return _decided(sympy.Eq(self.expression, expression_of(other)))

    def __ne__(self, other: Any) -> bool:
        return _decided(sympy.Ne(self.expression, expression_of(other)))

    def _unknown(self, *_: Any) -> Any:
        raise DataDependent("the code looks at the numbers of a tensor")

    __float__ = __int__ = __index__ = _unknown
    __hash__ = None  # type: ignore[assignment]  # equality is undecided

    def __repr__(self) -> str:
        return repr(self.expression)


_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "sqrt": sympy.sqrt,
    "exp": sympy.exp,
    "log": sympy.log,
    "tanh": sympy.tanh,
    "sin": sympy.sin,
    "cos": sympy.cos,
    "erf": sympy.erf,
    "sign": sympy.sign,
    "floor": sympy.floor,
    "ceil": sympy.ceiling,
}


def _decided(condition: Any) -> bool:
    """The truth of a condition that does not depend on the values of the symbols.

    Raises:
        DataDependent: It depends on them.
    """
    if condition == sympy.true or condition == sympy.false:
        return bool(condition)
    raise DataDependent("the code looks at the numbers of a tensor")


@lru_cache(maxsize=4096)
def exact_number(value: float) -> Any:
    """The number that a double stands for: the simplest fraction or root of one that rounds to it."""
    fraction = Fraction(value).limit_denominator(MOST_DENOMINATOR)
    if float(fraction) == value:
        return sympy.Rational(fraction.numerator, fraction.denominator)
    square = Fraction(value * value).limit_denominator(MOST_DENOMINATOR)
    if square > 0 and abs(value) == math.sqrt(square):
        root = sympy.sqrt(sympy.Rational(square.numerator, square.denominator))
        return root if value > 0 else -root
    return sympy.Rational(value)


MOST_DENOMINATOR = 1000000


def expression_of(element: Any) -> Any:
    """The expression of an element; floats are taken as the exact numbers that they stand for."""
    if isinstance(element, Symbolic):
        return element.expression
    if isinstance(element, int | np.integer | np.bool_):
        return sympy.Integer(int(element))
    if isinstance(element, Number | np.floating):
        value = float(element)  # type: ignore[arg-type]
        return exact_number(value) if np.isfinite(value) else sympy.sympify(value)
    return sympy.sympify(element)


def _combined(a: Symbolic, b: Any, operation: Callable[[Any, Any], Any]) -> Any:
    if isinstance(b, np.ndarray):
        return NotImplemented
    return Symbolic(operation(a.expression, expression_of(b)))


def symbols(name: str, shape: tuple[int, ...], *, positive: bool, nonzero: bool) -> Array:
    """An object array of independent symbols."""
    count = int(np.prod(shape, dtype=np.int64))
    facts: dict[str, bool] = {"positive": True} if positive else {"real": True}
    if nonzero and not positive:
        facts["nonzero"] = True
    array = np.empty(count, dtype=np.object_)
    array[:] = [Symbolic(sympy.Symbol(f"{name}{i}", **facts)) for i in range(count)]
    return array.reshape(shape)


def difference_of(before: Any, after: Any) -> Any:
    """`before - after`, simplified; zero where the two are one function."""
    difference = expression_of(before) - expression_of(after)
    for step in (sympy.expand, lambda d: sympy.cancel(sympy.together(d)), sympy.simplify):
        if difference == 0:
            break
        difference = step(difference)
    return difference


def largest(difference: Any) -> float:
    """The largest magnitude of an expression at a few points, to tell rounding from a wrong rule."""
    rng = np.random.default_rng(0)
    names = sorted(difference.free_symbols, key=str)
    worst = 0.0
    for _ in range(5):
        point = {s: sympy.Rational(int(rng.integers(1, 9)), 4) for s in names}
        found = complex(sympy.N(difference.subs(point)))
        worst = max(worst, abs(found))
    return worst
