"""Elements that are expressions: numpy object arrays of them run through a rule's own Python.

Arithmetic is exact: floats become the rationals that they are. What has no meaning for an expression (a
comparison, a conversion to a number) raises `DataDependent` and ends the proof, never silently decides.
"""

from __future__ import annotations

from collections.abc import Callable
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

    def _unknown(self, *_: Any) -> Any:
        raise DataDependent("the code looks at the numbers of a tensor")

    __bool__ = __float__ = __int__ = __index__ = _unknown
    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = _unknown
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


def expression_of(element: Any) -> Any:
    """The expression of an element; floats are taken as the exact rationals that they are."""
    if isinstance(element, Symbolic):
        return element.expression
    if isinstance(element, int | np.integer | np.bool_):
        return sympy.Integer(int(element))
    if isinstance(element, Number | np.floating):
        value = float(element)  # type: ignore[arg-type]
        return sympy.Rational(value) if np.isfinite(value) else sympy.sympify(value)
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
