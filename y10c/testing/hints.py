"""Numbers that a rule's own code compares with, so that its conditions are met more often than by chance.

`np.float32(m.gate.alpha) != np.float32(1 / 6)` says that `alpha` should sometimes be 1/6, and so does
`is_number(m.ROOT, sqrt(2))` of `ROOT`. Numbers of the code under test as a dictionary for its inputs are an
idea of fuzzers (Zalewski, AFL dictionaries).
"""

from __future__ import annotations

import ast
import inspect
import math
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from y10c.rewrite.rule import Rule

Hints = dict[str, tuple[float, ...]]
"""Numbers by the name of the attribute or of the variable that they are compared with."""

_CONSTANTS = {"pi": math.pi, "e": math.e}
_FUNCTIONS: dict[str, Callable[..., float]] = {"sqrt": math.sqrt, "exp": math.exp, "log": math.log}


def hints_of(rule: Rule) -> Hints:
    """What the code of a rule and of its conditions compares with what."""
    found: dict[str, list[float]] = {}
    codes: tuple[Callable[..., Any], ...] = (rule.build, *rule.where)
    for code in codes:
        tree = _tree(code)
        for node in ast.walk(tree) if tree is not None else ():
            if isinstance(node, ast.Compare) or _asks(node):
                numbers = list(dict.fromkeys(_numbers(node)))
                for name in _names(node):
                    found.setdefault(name, []).extend(numbers)
    if _speaks_of(rule, RARE):
        found[RARE] = [0, 1]
    return {name: tuple(dict.fromkeys(numbers)) for name, numbers in found.items() if numbers}


RARE = "training_mode"
"""A rule whose module speaks of training is tried on it too; for all others graphs are for inference."""


def _speaks_of(rule: Rule, word: str) -> bool:
    try:
        return word in Path(rule.build.__code__.co_filename).read_text(encoding="utf-8")
    except OSError:
        return False


def _asks(node: ast.AST) -> bool:
    """True for a call of a function of the rule's own module, which may compare its arguments."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) > 1


def _tree(code: Callable[..., Any]) -> ast.AST | None:
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(code)))
    except (OSError, TypeError, SyntaxError):
        return None


_STRUCTURE = frozenset({"shape", "ndim", "size", "dtype", "rank", "type"})
"""What is asked of a variable without looking at its numbers."""


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Attribute):
        if node.attr in _STRUCTURE:
            return
        yield node.attr
    for child in ast.iter_child_nodes(node):
        yield from _names(child)


def _numbers(node: ast.AST) -> Iterator[float]:
    value = _value(node)
    if value is not None:
        yield value
        return
    for child in ast.iter_child_nodes(node):
        yield from _numbers(child)


def _value(node: ast.AST) -> float | None:
    """The number that an expression of numbers alone stands for."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    if isinstance(node, ast.Name):
        return _CONSTANTS.get(node.id)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _value(node.operand)
        return None if inner is None else -inner
    if isinstance(node, ast.BinOp):
        return _arithmetic(node)
    return _call(node) if isinstance(node, ast.Call) else None


def _arithmetic(node: ast.BinOp) -> float | None:
    left, right = _value(node.left), _value(node.right)
    if left is None or right is None:
        return None
    try:
        expression = ast.Expression(ast.BinOp(ast.Constant(left), node.op, ast.Constant(right)))
        return float(eval(compile(ast.fix_missing_locations(expression), "number", "eval"), {}))
    except (ArithmeticError, TypeError):
        return None


def _call(node: ast.Call) -> float | None:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    argument = _value(node.args[0]) if len(node.args) == 1 else None
    function = _FUNCTIONS.get(name)
    return function(argument) if function is not None and argument is not None and argument > 0 else None
