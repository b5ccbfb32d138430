"""Mathematical functions that a reference may use: on numbers they are numpy's, on objects symbolic ones.

A symbolic element is a sympy expression, or anything that has a method of the function's name.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from y10c.ir.tensor import Array


def is_symbolic(*arrays: Any) -> bool:
    """True where an array holds objects (expressions) and not numbers."""
    return any(np.asarray(a).dtype == np.object_ for a in arrays)


def _symbolic(name: str, sympy_name: str, *arrays: Any) -> Any:
    import sympy

    function = getattr(sympy, sympy_name)

    def apply(*elements: Any) -> Any:
        for element in elements:
            method = getattr(element, name, None)
            if callable(method):
                rest = list(elements)
                rest.remove(element)
                return method(*rest)
        return function(*elements)

    result = np.frompyfunc(apply, len(arrays), 1)(*arrays)
    return np.asarray(result, dtype=np.object_)


def sqrt(x: Any) -> Any:
    """Square root."""
    return _symbolic("sqrt", "sqrt", x) if is_symbolic(x) else np.sqrt(x)


def exp(x: Any) -> Any:
    """Exponential; overflows to infinity without a warning."""
    if is_symbolic(x):
        return _symbolic("exp", "exp", x)
    with np.errstate(over="ignore"):
        return np.exp(x)


def log(x: Any) -> Any:
    """Natural logarithm."""
    if is_symbolic(x):
        return _symbolic("log", "log", x)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(x)


def tanh(x: Any) -> Any:
    """Hyperbolic tangent."""
    return _symbolic("tanh", "tanh", x) if is_symbolic(x) else np.tanh(x)


def sin(x: Any) -> Any:
    """Sine."""
    return _symbolic("sin", "sin", x) if is_symbolic(x) else np.sin(x)


def cos(x: Any) -> Any:
    """Cosine."""
    return _symbolic("cos", "cos", x) if is_symbolic(x) else np.cos(x)


def erf(x: Any) -> Any:
    """Error function, in the precision of double and the type of `x`."""
    if is_symbolic(x):
        return _symbolic("erf", "erf", x)
    from math import erf as one

    return np.vectorize(one, otypes=[np.float64])(x).astype(np.asarray(x).dtype)


def absolute(x: Any) -> Any:
    """Magnitude."""
    return _symbolic("__abs__", "Abs", x) if is_symbolic(x) else np.abs(x)


def maximum(a: Any, b: Any) -> Any:
    """The greater of two, element by element."""
    return _symbolic("maximum", "Max", a, b) if is_symbolic(a, b) else np.maximum(a, b)


def minimum(a: Any, b: Any) -> Any:
    """The smaller of two, element by element."""
    return _symbolic("minimum", "Min", a, b) if is_symbolic(a, b) else np.minimum(a, b)


def full(shape: tuple[int, ...], value: Any, like: Any) -> Array:
    """An array filled with one number, of the element type of `like`."""
    return np.full(shape, value, dtype=np.asarray(like).dtype)
