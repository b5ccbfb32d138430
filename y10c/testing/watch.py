"""What a rule's own code decides: every comparison and condition, and how it came out.

An example that makes a condition come out in a new way is worth keeping, as fuzzers keep inputs that reach
new branches (Zalewski, AFL). Comparisons tell less, equal and greater apart, so that a limit off by one
shows.
"""

from __future__ import annotations

import ast
import inspect
import sys
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

from y10c.rewrite.rule import Rule

Outcome = tuple[int, int, str]
"""Line and column of a condition, and how it came out."""


@dataclass
class Watched:
    """A copy of a rule that notes how its conditions come out.

    Args:
        rule: The copy; the rule itself where its source is not to be had.
        outcomes: What was noted since it was last cleared.
    """

    rule: Rule
    outcomes: set[Outcome] = field(default_factory=set)

    def note(self, line: int, column: int, outcome: str) -> None:
        """Remember an outcome."""
        self.outcomes.add((line, column, outcome))


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
    found = getattr(copy, rule.build.__name__, None)
    if isinstance(found, Rule) and found.name == rule.name:
        result.rule = replace(found, build=found.build)
    return result


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
        place = [ast.Constant(node.lineno), ast.Constant(node.col_offset)]
        sides = [node.left, node.comparators[0], ast.Constant(type(node.ops[0]).__name__)]
        return ast.copy_location(ast.Call(ast.Name(_COMPARED, ast.Load()), [*place, *sides], []), node)

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
    place: list[ast.expr] = [ast.Constant(node.lineno), ast.Constant(node.col_offset)]
    return ast.copy_location(ast.Call(ast.Name(_SEEN, ast.Load()), [*place, node], []), node)


def _see(result: Watched) -> Any:
    def seen(line: int, column: int, value: Any) -> Any:
        result.note(line, column, str(bool(value)))
        return value

    return seen


def _compare(result: Watched) -> Any:
    def compared(line: int, column: int, left: Any, right: Any, kind: str) -> Any:
        result.note(line, column, _order(left, right, kind))
        return _COMPARISONS[kind](left, right)

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
