"""Patterns as data: what a rule looks for, which can be matched, drawn, documented and inverted into tests.

x, W, B = var("x"), const("W"), const("B")
op.BatchNormalization(op.Conv(x, W, B.optional(0), bind="conv", single_use=True), ..., bind="bn")
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from y10c.ir.attrs import freeze
from y10c.ir.types import DType


class _Needed:
    def __repr__(self) -> str:
        return "NEEDED"


NEEDED = _Needed()
"""The operand must be there."""


@dataclass(frozen=True)
class Pattern:
    """Base of all patterns of one value."""

    def parts(self) -> Iterator[Pattern]:
        """The patterns directly inside."""
        yield from ()

    def walk(self) -> Iterator[Pattern]:
        """This pattern and everything inside it, operands after their readers."""
        yield self
        for part in self.parts():
            yield from part.walk()


@dataclass(frozen=True)
class Var(Pattern):
    """Any value; the same name twice means the same value.

    Args:
        name: The attribute of the match that holds the value, or the array of a constant.
        constant: Only constants match; the match then gives the array.
        absent: What the match gives where an optional operand is left out; `NEEDED` forbids that.
        dtypes: Element types that match; empty means all.
        ranks: Ranks that match; empty means all.
        single: The constant has exactly one element.
    """

    name: str
    constant: bool = False
    absent: Any = NEEDED
    dtypes: frozenset[DType] = frozenset()
    ranks: frozenset[int] = frozenset()
    single: bool = False

    def optional(self, default: Any = None) -> Var:
        """The operand may be left out; the match then gives `default`."""
        return replace(self, absent=default)

    def of(self, *dtypes: DType) -> Var:
        """Only these element types."""
        return replace(self, dtypes=frozenset(dtypes))

    def ranked(self, *ranks: int) -> Var:
        """Only these ranks."""
        return replace(self, ranks=frozenset(ranks))

    @property
    def is_optional(self) -> bool:
        """True where the operand may be left out."""
        return self.absent is not NEEDED


@dataclass(frozen=True)
class Literal(Pattern):
    """A constant whose every element equals one number."""

    value: float

    def __str__(self) -> str:
        return repr(self.value)


@dataclass(frozen=True)
class Rest(Pattern):
    """All remaining operands of a variadic op; the match gives a list of values."""

    name: str


@dataclass(frozen=True)
class BoundAttr:
    """An attribute whose value the match remembers, its default included; equal names must agree."""

    name: str


@dataclass(frozen=True)
class OpPattern(Pattern):
    """A result of an op.

    Args:
        name: Op name; several in `names` mean any of them.
        operands: Patterns of the operands in order.
        attrs: Attribute values that must hold (defaults count), or `BoundAttr`.
        bind: The attribute of the match that holds the op.
        single_use: The result is read once.
        result: Which result is meant.
        ordered: Operands of a commutative op may not be swapped.
    """

    names: tuple[str, ...]
    operands: tuple[Pattern, ...] = ()
    attrs: tuple[tuple[str, Any], ...] = ()
    bind: str = ""
    single_use: bool = False
    result: int = 0
    ordered: bool = False

    def parts(self) -> Iterator[Pattern]:
        """The operands."""
        yield from self.operands

    def __getitem__(self, result: int) -> OpPattern:
        return replace(self, result=result)


@dataclass(frozen=True)
class AnyOf(Pattern):
    """The first of several patterns that matches."""

    alternatives: tuple[Pattern, ...]

    def parts(self) -> Iterator[Pattern]:
        """The alternatives."""
        yield from self.alternatives


@dataclass(frozen=True)
class AnyOp(Pattern):
    """Any op at all, for rules that look at traits rather than at names; only as a rule's root.

    Args:
        bind: The attribute of the match that holds the op.
        accepts: Whether an op of this name is looked at.
    """

    bind: str
    accepts: Callable[[str], bool] = field(default=lambda name: True)


class _OpPatterns:
    """`op.Conv(x, W)`, `op["bpu.lut"](x)`, `op.any_of("Add", "Sub")(x, y)`."""

    def __getattr__(self, name: str) -> Callable[..., OpPattern]:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> Callable[..., OpPattern]:
        return self.any_of(name)

    def any_of(self, *names: str) -> Callable[..., OpPattern]:
        """A pattern of an op that has one of several names."""

        def build(
            *operands: Pattern | float,
            bind: str = "",
            single_use: bool = False,
            ordered: bool = False,
            **attrs: Any,
        ) -> OpPattern:
            return OpPattern(
                names,
                tuple(o if isinstance(o, Pattern) else Literal(float(o)) for o in operands),
                tuple((k, v if isinstance(v, BoundAttr) else freeze(v)) for k, v in sorted(attrs.items())),
                bind,
                single_use,
                ordered=ordered,
            )

        return build


op = _OpPatterns()
"""Builds op patterns by name."""


def var(name: str) -> Var:
    """Any value."""
    return Var(name)


def const(name: str) -> Var:
    """A constant; the match gives its array."""
    return Var(name, constant=True)


def scalar_const(name: str) -> Var:
    """A constant of one element; the match gives its array."""
    return Var(name, constant=True, single=True)


def variables(names: str) -> tuple[Var, ...]:
    """Several at once: lower-case names are values, upper-case ones constants."""
    return tuple(const(n) if n.isupper() else var(n) for n in names.split())


def rest(name: str) -> Rest:
    """All remaining operands of a variadic op."""
    return Rest(name)


def attr(name: str) -> BoundAttr:
    """An attribute that the match remembers under `name`."""
    return BoundAttr(name)


def any_of(*alternatives: Pattern) -> AnyOf:
    """One of several patterns."""
    return AnyOf(alternatives)


def describe(pattern: Pattern) -> str:
    """The pattern as a line of text, for documentation and explanations."""
    if isinstance(pattern, Var):
        return pattern.name + ("?" if pattern.is_optional else "")
    if isinstance(pattern, Rest):
        return f"*{pattern.name}"
    if isinstance(pattern, AnyOf):
        return " | ".join(map(describe, pattern.alternatives))
    if isinstance(pattern, AnyOp):
        return f"<any op> as {pattern.bind}"
    if isinstance(pattern, OpPattern):
        inner = [describe(o) for o in pattern.operands]
        inner += [f"{k}={v.name if isinstance(v, BoundAttr) else v!r}" for k, v in pattern.attrs]
        return f"{'|'.join(pattern.names)}({', '.join(inner)})" + (
            f"[{pattern.result}]" if pattern.result else ""
        )
    return str(pattern)
