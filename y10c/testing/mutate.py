"""Mutants of rules, made mechanically over the syntax tree: do the derived tests bite?

Each operator makes one small change of a kind that authors of rules make by mistake. None is chosen by
hand: every place of every rule to which an operator applies gives a mutant. Left out are only changes
that change nothing: swaps of equal operands and of the operands of a commutative op, whose pattern matches
both ways round, a trailing operand None, an attribute of a new op that has its default. The method is
that of DeMillo, Lipton and Sayward, "Hints on Test Data Selection" (1978).
"""

from __future__ import annotations

import ast
import copy
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import TypeGuard

from y10c.ops.registry import find_spec
from y10c.ops.spec import Trait
from y10c.rewrite.rule import Rule

Operator = Callable[[ast.AST], Iterator[ast.expr | ast.stmt]]


@dataclass(frozen=True)
class Mutant:
    """One change of a module that holds rules.

    Args:
        operator: The kind of change.
        line: Where.
        column: Where in that line.
        before: The expression as it is.
        after: What it becomes.
        rules: Functions of the rules that can be affected.
        tree: The whole module with the change.
    """

    operator: str
    line: int
    column: int
    before: str
    after: str
    rules: tuple[str, ...]
    tree: ast.Module

    def load(self, like: ModuleType) -> ModuleType:
        """The changed module, run under a name of its own; take it out of `sys.modules` afterwards."""
        module = ModuleType(f"{like.__name__}_mutant")
        module.__file__ = getattr(like, "__file__", None)
        sys.modules[module.__name__] = module
        exec(compile(self.tree, module.__file__ or "<mutant>", "exec"), module.__dict__)
        return module


def mutants(source: str) -> Iterator[Mutant]:
    """Every mutant of the rules of a module."""
    tree = ast.parse(source)
    _mark_shapes(tree)
    nodes = list(ast.walk(tree))
    index = {id(node): i for i, node in enumerate(nodes)}
    affected = _affected(tree)
    operators = {**OPERATORS, "attribute becomes its default": _default_attribute(tree)}
    for statement in tree.body:
        rules = affected.get(_name(statement), ())
        for node in _mutable(statement) if rules else ():
            for name, operator in operators.items():
                for changed in operator(node):
                    yield Mutant(
                        name,
                        getattr(node, "lineno", 0),
                        getattr(node, "col_offset", 0),
                        _short(node),
                        _short(changed),
                        tuple(rules),
                        _substituted(tree, index[id(node)], changed),
                    )


def _short(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())[:120]


def _substituted(tree: ast.Module, index: int, changed: ast.AST) -> ast.Module:
    result = copy.deepcopy(tree)
    target = list(ast.walk(result))[index]
    replacement = ast.copy_location(copy.deepcopy(changed), target)
    for parent in ast.walk(result):
        for name, value in ast.iter_fields(parent):
            if value is target:
                setattr(parent, name, replacement)
            elif isinstance(value, list) and any(v is target for v in value):
                value[:] = [replacement if v is target else v for v in value]
    return ast.fix_missing_locations(result)


# --- what is changed ---


def _name(statement: ast.stmt) -> str:
    if isinstance(statement, ast.FunctionDef):
        return statement.name
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id
    return ""


def _affected(tree: ast.Module) -> dict[str, list[str]]:
    """The rules that a top-level name reaches, itself included."""
    named = {_name(s): s for s in tree.body if _name(s)}
    reads = {
        n: {x.id for x in ast.walk(s) if isinstance(x, ast.Name)} & named.keys() for n, s in named.items()
    }
    found: dict[str, list[str]] = {}
    for name, statement in named.items():
        if not (isinstance(statement, ast.FunctionDef) and any(map(_is_rule, statement.decorator_list))):
            continue
        reached, todo = {name}, [name]
        while todo:
            new = reads[todo.pop()] - reached
            reached |= new
            todo.extend(new)
        for one in reached:
            found.setdefault(one, []).append(name)
    return found


def _is_rule(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "rule"


def _mutable(statement: ast.stmt) -> Iterator[ast.AST]:
    """The nodes that say what a rule does: no annotations, texts, or data that is no pattern."""
    if isinstance(statement, ast.Assign) and not _mentions_op(statement):
        return
    roots: list[ast.AST] = [statement]
    if isinstance(statement, ast.FunctionDef):
        roots = [*statement.decorator_list, *statement.body]
    for root in roots:
        skipped = {id(n) for part in ast.walk(root) if _says_nothing(part) for n in ast.walk(part)}
        yield from (n for n in ast.walk(root) if id(n) not in skipped)


def _mentions_op(statement: ast.stmt) -> bool:
    return any(isinstance(n, ast.Name) and n.id == "op" for n in ast.walk(statement))


def _says_nothing(node: ast.AST) -> bool:
    """True for reasons, `strict=True` of zip, which only asserts, and the -1 of a shape: -2 is the same."""
    if isinstance(node, ast.keyword):
        return node.arg == "strict"
    if isinstance(node, ast.UnaryOp):
        return ast.unparse(node) == "-1" and getattr(node, "in_shape", False)
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") == "decline"


def _mark_shapes(tree: ast.Module) -> None:
    """Mark what stands in a `reshape`."""
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "reshape":
            for argument in call.args:
                argument.in_shape = True  # type: ignore[attr-defined]


# --- operators ---


def _swap(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub | ast.Div | ast.Pow | ast.MatMult):
        yield ast.BinOp(node.right, node.op, node.left)
    if _makes_op(node) and _has_two(node) and not _same_either_way(node):
        yield ast.Call(node.func, [node.args[1], node.args[0], *node.args[2:]], node.keywords)


def _has_two(node: ast.Call) -> bool:
    return len(node.args) >= 2 and not any(isinstance(a, ast.Starred) for a in node.args[:2])


def _same_either_way(node: ast.Call) -> bool:
    """True where swapping changes nothing: equal operands, those of a commutative op, names in a set."""
    if ast.unparse(node.args[0]) == ast.unparse(node.args[1]) or ast.unparse(node.func) == "op.any_of":
        return True
    spec = find_spec(node.func.attr) if isinstance(node.func, ast.Attribute) else None
    ordered = any(k.arg == "ordered" for k in node.keywords)
    return spec is not None and spec.has(Trait.commutative) and not ordered


_OTHER: dict[type[ast.operator], ast.operator] = {
    ast.Add: ast.Sub(),
    ast.Sub: ast.Add(),
    ast.Mult: ast.Div(),
    ast.Div: ast.Mult(),
}


def _other_arithmetic(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.BinOp) and type(node.op) in _OTHER:
        yield ast.BinOp(node.left, _OTHER[type(node.op)], node.right)


def _forget_side(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.BinOp) and type(node.op) in _OTHER:
        yield node.left
        yield node.right


def _forget_argument(node: ast.AST) -> Iterator[ast.expr]:
    if not _makes_op(node):
        return
    for i, keyword in enumerate(node.keywords):
        if not _is_default(node, keyword):
            yield ast.Call(node.func, node.args, node.keywords[:i] + node.keywords[i + 1 :])
    if len(node.args) > 2 and ast.unparse(node.args[-1]) != "None":
        yield ast.Call(node.func, node.args[:-1], node.keywords)


def _is_default(node: ast.Call, keyword: ast.keyword) -> bool:
    """True where an op is made with an attribute that it has without saying so; a pattern asks for it."""
    if not ast.unparse(node.func).startswith("rw.op."):
        return False
    spec = find_spec(node.func.attr) if isinstance(node.func, ast.Attribute) else None
    default = spec.attr_default(keyword.arg or "") if spec is not None else None
    return default is not None and ast.unparse(keyword.value) == repr(default)


def _forget_condition(node: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    if isinstance(node, ast.If):
        yield ast.If(ast.Constant(False), node.body, node.orelse)
    if isinstance(node, ast.BoolOp):
        for i in range(len(node.values)):
            left = node.values[:i] + node.values[i + 1 :]
            yield left[0] if len(left) == 1 else ast.BoolOp(node.op, left)
    if isinstance(node, ast.Call) and _is_rule(node):
        kept = [k for k in node.keywords if k.arg != "where"]
        if len(kept) < len(node.keywords):
            yield ast.Call(node.func, node.args, kept)


def _forget_function(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords:
        called = ast.unparse(node.func)
        if called in ("np.sqrt", "np.abs", "abs", "reversed", "sorted", "np.exp", "np.transpose"):
            yield node.args[0]


def _forget_sign(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
        yield node.operand


def _other_number(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.Constant) and isinstance(node.value, float):
        yield ast.Constant(2 * node.value or 1.0)


_COMPARED: dict[type[ast.cmpop], ast.cmpop] = {
    ast.Lt: ast.LtE(),
    ast.LtE: ast.Lt(),
    ast.Gt: ast.GtE(),
    ast.GtE: ast.Gt(),
    ast.Eq: ast.NotEq(),
    ast.NotEq: ast.Eq(),
}


def _other_comparison(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARED:
        yield ast.Compare(node.left, [_COMPARED[type(node.ops[0])]], node.comparators)


def _makes_op(node: ast.AST) -> TypeGuard[ast.Call]:
    """True for `rw.op.Name(...)` and for the patterns `op.Name(...)`."""
    if not isinstance(node, ast.Call):
        return False
    called = ast.unparse(node.func)
    return called.startswith(("rw.op.", "rw.op[", "op.", "op["))


def _default_attribute(tree: ast.Module) -> Operator:
    names = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and _on_op(n)}
    specs = [s for s in map(find_spec, sorted(names)) if s is not None]

    def operator(node: ast.AST) -> Iterator[ast.expr]:
        if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute)):
            return
        if getattr(node.value.value, "id", "") != "m":
            return
        for spec in specs:
            default = spec.attr_default(node.attr)
            if isinstance(default, int | float | str):
                yield ast.Constant(default)
                return

    return operator


def _on_op(node: ast.Attribute) -> bool:
    return getattr(node.value, "id", "") == "op" or getattr(node.value, "attr", "") == "op"


OPERATORS: dict[str, Operator] = {
    "operands swapped": _swap,
    "other arithmetic": _other_arithmetic,
    "side of an expression forgotten": _forget_side,
    "operand or attribute forgotten": _forget_argument,
    "condition forgotten": _forget_condition,
    "function forgotten": _forget_function,
    "sign or negation forgotten": _forget_sign,
    "other number": _other_number,
    "other comparison": _other_comparison,
}
"""Every kind of change by name, beside the one that needs the ops' declarations."""


def rules_in(module: ModuleType, functions: tuple[str, ...]) -> list[Rule]:
    """The rules of a module that were made of these functions."""
    return [r for f in functions if isinstance(r := getattr(module, f, None), Rule)]
