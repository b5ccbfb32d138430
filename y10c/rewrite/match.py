"""Matching a pattern against the graph, with the best partial match and the reason where it fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

import numpy as np

from y10c.ir.types import TensorType
from y10c.ir.value import Op, Value
from y10c.ops.registry import find_spec
from y10c.ops.spec import Trait
from y10c.rewrite.pattern import AnyOf, AnyOp, BoundAttr, Literal, OpPattern, Pattern, Rest, Var, describe

Bindings = dict[str, Any]


class OpView:
    """A matched op as a rule reads it: attributes by name, defaults included."""

    def __init__(self, op: Op) -> None:
        self.op = op

    @property
    def attrs(self) -> Mapping[str, Any]:
        """The attributes that are set, ready to be handed on as keyword arguments."""
        return dict(self.op.attrs)

    @property
    def result(self) -> Value:
        """The op's first result."""
        return self.op.results[0]

    def __getattr__(self, name: str) -> Any:
        return self.op.attr(name)


class Match:
    """What a pattern found: `m.x` is a value, `m.W` an array, `m.conv` an op, `m.perm` its attribute."""

    def __init__(self, root: Op, bindings: Bindings, constants: frozenset[str]) -> None:
        self.root = root
        self._bindings = bindings
        self._constants = constants

    def __getattr__(self, name: str) -> Any:
        try:
            found = self._bindings[name]
        except KeyError:
            raise AttributeError(
                f"the pattern binds no {name!r}; it binds {sorted(self._bindings)}"
            ) from None
        return found.numpy() if name in self._constants and isinstance(found, Value) else found

    def value(self, name: str) -> Value:
        """The value behind a constant's name."""
        found = self._bindings[name]
        assert isinstance(found, Value)
        return found


@dataclass
class Attempt:
    """How far a match came: the deepest mismatch and why.

    Args:
        depth: Number of operands that had matched.
        reason: One sentence.
    """

    depth: int = -1
    reason: str = ""
    at: Op | None = None
    steps: int = field(default=0, repr=False)

    def fail(self, reason: str, at: Op | None) -> None:
        """Remember the mismatch if it is the deepest so far."""
        if self.steps > self.depth:
            self.depth, self.reason, self.at = self.steps, reason, at


def match_op(pattern: Pattern, root: Op, attempt: Attempt | None = None) -> Match | None:
    """The first way in which `pattern` matches with `root` as its outermost op."""
    tries = attempt if attempt is not None else Attempt()
    if isinstance(pattern, AnyOp):
        bound = {pattern.bind: OpView(root)}
        return Match(root, bound, frozenset()) if pattern.accepts(root.name) else None
    for top in pattern.alternatives if isinstance(pattern, AnyOf) else (pattern,):
        assert isinstance(top, OpPattern), "the root of a pattern is an op"
        for found in _match_at(top, root, {}, tries):
            constants = (p.name for p in pattern.walk() if isinstance(p, Var) and p.constant)
            return Match(root, found, frozenset(constants))
    return None


def _match_at(pattern: OpPattern, op: Op, known: Bindings, attempt: Attempt) -> Iterator[Bindings]:
    if op.name not in pattern.names:
        attempt.fail(f"{op.name} is not {' or '.join(pattern.names)}", op)
        return
    if op.version is not None:
        attempt.fail(f"{op.name} means what it meant in version {op.version} of its schema", op)
        return
    attempt.steps += 1
    bound = _bind_attrs(pattern, op, known, attempt)
    if bound is None:
        return
    if pattern.bind:
        bound[pattern.bind] = OpView(op)
    for operands in _orders(pattern, op):
        yield from _match_operands(pattern.operands, operands, bound, attempt, op)


def _orders(pattern: OpPattern, op: Op) -> Iterator[tuple[Value | None, ...]]:
    yield op.operands
    spec = find_spec(op.name)
    swappable = not pattern.ordered and spec is not None and spec.has(Trait.commutative)
    if swappable and len(pattern.operands) == 2 == len(op.operands):
        yield from list(permutations(op.operands))[1:]


def _bind_attrs(pattern: OpPattern, op: Op, known: Bindings, attempt: Attempt) -> Bindings | None:
    bound = dict(known)
    for name, wanted in pattern.attrs:
        actual = op.attr(name)
        if isinstance(wanted, BoundAttr):
            if bound.setdefault(wanted.name, actual) != actual:
                attempt.fail(f"{name} of {op.name} is {actual!r}, elsewhere {bound[wanted.name]!r}", op)
                return None
        elif actual != wanted:
            attempt.fail(f"{name} of {op.name} is {actual!r}, not {wanted!r}", op)
            return None
    return bound


def _match_operands(
    patterns: tuple[Pattern, ...],
    operands: tuple[Value | None, ...],
    known: Bindings,
    attempt: Attempt,
    op: Op,
) -> Iterator[Bindings]:
    if not patterns:
        if any(v is not None for v in operands):
            attempt.fail(f"{op.name} has more operands than the pattern", op)
        else:
            yield known
        return
    first, *others = patterns
    if isinstance(first, Rest):
        yield {**known, first.name: [v for v in operands if v is not None]}
        return
    value, left = (operands[0], operands[1:]) if operands else (None, ())
    for bound in _match_value(first, value, known, attempt, op):
        yield from _match_operands(tuple(others), left, bound, attempt, op)


def _match_value(
    pattern: Pattern, value: Value | None, known: Bindings, attempt: Attempt, reader: Op
) -> Iterator[Bindings]:
    if isinstance(pattern, AnyOf):
        for alternative in pattern.alternatives:
            yield from _match_value(alternative, value, known, attempt, reader)
    elif value is None:
        yield from _match_absent(pattern, known, attempt, reader)
    elif isinstance(pattern, Var):
        yield from _match_var(pattern, value, known, attempt, reader)
    elif isinstance(pattern, Literal):
        if value.tensor is not None and _all_equal(value, pattern.value):
            yield known
        else:
            attempt.fail(f"an operand of {reader.name} is not the constant {pattern.value}", reader)
    elif isinstance(pattern, OpPattern):
        yield from _match_producer(pattern, value, known, attempt, reader)


def _match_absent(pattern: Pattern, known: Bindings, attempt: Attempt, reader: Op) -> Iterator[Bindings]:
    if isinstance(pattern, Var) and isinstance(known.get(pattern.name), Value):
        attempt.fail(f"{reader.name} has no operand {pattern.name}, which is there elsewhere", reader)
    elif isinstance(pattern, Var) and pattern.is_optional:
        yield {**known, pattern.name: pattern.absent}
    else:
        attempt.fail(f"{reader.name} has no operand {describe(pattern)}", reader)


def _match_producer(
    pattern: OpPattern, value: Value, known: Bindings, attempt: Attempt, reader: Op
) -> Iterator[Bindings]:
    producer = value.producer
    if producer is None or value.index != pattern.result:
        attempt.fail(
            f"an operand of {reader.name} is not result {pattern.result} of {pattern.names[0]}", reader
        )
    elif pattern.single_use and not value.has_single_use and producer.name in pattern.names:
        attempt.fail(f"the result of {producer.name} is read {len(value.uses)} times, not once", producer)
    else:
        yield from _match_at(pattern, producer, known, attempt)


def _match_var(
    pattern: Var, value: Value, known: Bindings, attempt: Attempt, reader: Op
) -> Iterator[Bindings]:
    problem = _var_problem(pattern, value, known)
    if problem:
        attempt.fail(f"operand {pattern.name} of {reader.name} {problem}", reader)
        return
    attempt.steps += 1
    yield {**known, pattern.name: value}


def _var_problem(pattern: Var, value: Value, known: Bindings) -> str:
    if pattern.constant and value.tensor is None:
        return "is not constant"
    if pattern.single and (value.tensor is None or np.prod(value.tensor.shape) != 1):
        return "is not a single number"
    if pattern.name in known and not _same(known[pattern.name], value):
        return "is not the value of that name elsewhere"
    if not (pattern.dtypes or pattern.ranks):
        return ""
    if not isinstance(value.type, TensorType):
        return "has no known type"
    if pattern.dtypes and value.type.dtype not in pattern.dtypes:
        return f"is of type {value.type.dtype.name}"
    if pattern.ranks and value.type.rank not in pattern.ranks:
        return f"has rank {value.type.rank}"
    return ""


def _same(a: Any, b: Value) -> bool:
    """True for one value and for equal constants; an operand that was left out is no value."""
    return a is b or (isinstance(a, Value) and a.tensor is not None and a.tensor == b.tensor)


def _all_equal(value: Value, number: float) -> bool:
    array = value.numpy()
    return array.dtype.kind in "iufb" and array.size > 0 and bool(np.all(array == number))
