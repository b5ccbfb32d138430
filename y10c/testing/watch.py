"""What a rule's own code decides: every comparison and condition, and how it came out.

An example that makes a condition come out in a new way is worth keeping, as fuzzers keep inputs that reach
new branches (Zalewski, AFL). Comparisons tell less, equal and greater apart, so that a limit off by one
shows. Where a rule turns an example down, one condition can be negated: if the rule then fires, that one
alone decided, which is what MC/DC coverage asks of tests (Chilenski and Miller, "Applicability of modified
condition/decision coverage to software testing", 1994).
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import wraps
from types import ModuleType
from typing import Any

from y10c.rewrite.rule import Rule

Place = tuple[int, int, int]
"""Line, first and last column of a condition; the negative number of one of the rule's `where`."""
Outcome = tuple[Place, str]
"""A condition, and how it came out."""


@dataclass
class Watched:
    """A copy of a rule that notes how its conditions come out.

    Args:
        rule: The copy; the rule itself where its source is not to be had.
        outcomes: What was noted since it was last cleared.
        negated: The condition that comes out the other way round.
    """

    rule: Rule
    outcomes: set[Outcome] = field(default_factory=set)
    negated: Place | None = None

    def note(self, place: Place, outcome: str) -> None:
        """Remember an outcome."""
        self.outcomes.add((place, outcome))

    def settled(self, place: Place, value: Any) -> Any:
        """How a condition comes out."""
        return not value if place == self.negated else value

    def condition(self, number: int, where: Callable[[Any], bool]) -> Callable[[Any], bool]:
        """One of the rule's `where`, noted under a line of its own."""

        @wraps(where)
        def noted(match: Any) -> bool:
            value = where(match)
            self.note((-number, 0, 0), str(bool(value)))
            return bool(self.settled((-number, 0, 0), value))

        return noted


def watched(rule: Rule) -> Watched:
    """A copy of a rule whose code, with that of its module, notes its conditions."""
    result = Watched(rule)
    module = sys.modules.get(rule.build.__module__)
    try:
        tree = _Watching().visit(ast.parse(inspect.getsource(module)))  # type: ignore[arg-type]
    except (OSError, TypeError, SyntaxError):
        return result
    copy = ModuleType(f"{rule.build.__module__}_watched")
    copy.__file__ = getattr(module, "__file__", None)
    copy.__dict__.update({_COMPARED: _compare(result), _SEEN: _see(result)})
    sys.modules[copy.__name__] = copy  # dataclasses look their module up
    try:
        exec(compile(ast.fix_missing_locations(tree), copy.__file__ or "<rules>", "exec"), copy.__dict__)
    finally:
        del sys.modules[copy.__name__]
    where = tuple(result.condition(i, _copied(copy, one)) for i, one in enumerate(rule.where, 1))
    result.rule = replace(rule, build=_copied(copy, rule.build), where=where)
    return result


def _copied(copy: ModuleType, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of the copy that has a function's name, or the function itself."""
    found = getattr(copy, function.__name__, function)
    return found.build if isinstance(found, Rule) else found


_COMPARED, _SEEN = "__compared__", "__seen__"


class _Watching(ast.NodeTransformer):
    """Puts a note around the conditions inside functions."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.body = [self.visit(statement) for statement in node.body]
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        return self.generic_visit(node) if node.col_offset else node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if len(node.ops) != 1:
            return _noted(node)
        sides = [node.left, node.comparators[0], ast.Constant(type(node.ops[0]).__name__)]
        return ast.copy_location(ast.Call(ast.Name(_COMPARED, ast.Load()), [_place(node), *sides], []), node)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        node.values = [_noted(value) for value in node.values]
        return node

    def visit_If(self, node: ast.If) -> ast.AST:
        self.generic_visit(node)
        node.test = _noted(node.test)
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        self.generic_visit(node)
        node.test = _noted(node.test)
        return node


def _noted(node: ast.expr) -> ast.expr:
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == _COMPARED:
        return node
    return ast.copy_location(ast.Call(ast.Name(_SEEN, ast.Load()), [_place(node), node], []), node)


def _place(node: ast.expr) -> ast.expr:
    columns = (node.col_offset, node.end_col_offset)
    return ast.Tuple([*map(ast.Constant, (node.lineno, *columns))], ast.Load())


def _see(result: Watched) -> Any:
    def seen(place: Place, value: Any) -> Any:
        result.note(place, str(bool(value)))
        return result.settled(place, value)

    return seen


def _compare(result: Watched) -> Any:
    def compared(place: Place, left: Any, right: Any, kind: str) -> Any:
        result.note(place, _order(left, right, kind))
        return result.settled(place, _COMPARISONS[kind](left, right))

    return compared


def _order(left: Any, right: Any, kind: str) -> str:
    """How two sides stand to each other, where that is one of three; else the truth of the comparison."""
    try:
        for name in ("Lt", "Eq", "Gt"):
            if kind in _ORDERED and bool(_COMPARISONS[name](left, right)):
                return name
        return str(bool(_COMPARISONS[kind](left, right)))
    except (TypeError, ValueError):
        return ""


_ORDERED = frozenset({"Lt", "LtE", "Gt", "GtE"})
_COMPARISONS: dict[str, Any] = {
    "Lt": lambda a, b: a < b,
    "LtE": lambda a, b: a <= b,
    "Gt": lambda a, b: a > b,
    "GtE": lambda a, b: a >= b,
    "Eq": lambda a, b: a == b,
    "NotEq": lambda a, b: a != b,
    "Is": lambda a, b: a is b,
    "IsNot": lambda a, b: a is not b,
    "In": lambda a, b: a in b,
    "NotIn": lambda a, b: a not in b,
}
