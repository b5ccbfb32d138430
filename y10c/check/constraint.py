"""Constraints and rows of an operator list: declarations whose docstring is the sentence that a user reads.

@within(1, 31, source="published: S11", remedy="take a smaller kernel", cures=("split-large-kernel",))
def conv_kernel_size(node):
\"\"\"A Conv kernel is {low} to {high} high and wide.\"\"\"
return node.kernel
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from y10c.check.node import Node
from y10c.ir.value import Op

HOST = "CPU"
"""The unit that runs what the chip does not."""

Breach = Callable[[Node], str | None]
"""The actual value where a constraint does not hold, else None."""


@dataclass(frozen=True)
class Constraint:
    """One thing that must hold for an op to run on the chip.

    Args:
        name: As reports show it, `conv-kernel-size`.
        sentence: What must hold.
        allowed: The values that are legal, in short.
        source: Where it comes from: `published: …`, `assumed` or `assumed: …`.
        remedy: What a person does about it.
        breach: Gives the actual value where it does not hold.
        cures: Rules that rewrite a breach into legal ops.
        needed: Where it does not hold, nothing else can be said: what follows is not asked.
    """

    name: str
    sentence: str
    allowed: str
    source: str
    remedy: str
    breach: Breach
    cures: tuple[str, ...] = ()
    needed: bool = False

    def from_source(self, source: str) -> Constraint:
        """The same constraint, known from elsewhere."""
        return replace(self, source=source)


def within(
    low: int, high: int, *, source: str, remedy: str, cures: tuple[str, ...] = ()
) -> Callable[[Callable[[Node], Iterable[int]]], Constraint]:
    """A constraint on numbers: the function gives them, each lies in `low` to `high`."""

    def make(values: Callable[[Node], Iterable[int]]) -> Constraint:
        def breach(node: Node) -> str | None:
            return next((str(v) for v in values(node) if not low <= v <= high), None)

        allowed = f"{low} to {high}" if low else f"at most {high}"
        return _made(values, breach, allowed, source, remedy, cures, {"low": low, "high": high})

    return make


def one_of(
    *legal: int, source: str, remedy: str, cures: tuple[str, ...] = ()
) -> Callable[[Callable[[Node], Iterable[int]]], Constraint]:
    """A constraint on numbers: the function gives them, each is one of a few."""

    def make(values: Callable[[Node], Iterable[int]]) -> Constraint:
        def breach(node: Node) -> str | None:
            return next((str(v) for v in values(node) if v not in legal), None)

        allowed = " or ".join(map(str, legal))
        return _made(values, breach, allowed, source, remedy, cures, {"legal": allowed})

    return make


def demand(
    allowed: str, *, source: str, remedy: str, cures: tuple[str, ...] = (), needed: bool = False
) -> Callable[[Breach], Constraint]:
    """A constraint that no range says: the function gives the actual value where it does not hold."""

    def make(breach: Breach) -> Constraint:
        made = _made(breach, breach, allowed, source, remedy, cures, {"allowed": allowed})
        return replace(made, needed=needed)

    return make


def _made(
    function: Callable[..., object],
    breach: Breach,
    allowed: str,
    source: str,
    remedy: str,
    cures: tuple[str, ...],
    numbers: Mapping[str, object],
) -> Constraint:
    sentence = (inspect.getdoc(function) or "").format(**numbers)
    name = function.__name__.strip("_").replace("_", "-")
    return Constraint(name, sentence, allowed, source, remedy, breach, cures)


def always(node: Node) -> bool:
    """True of every op."""
    return True


@dataclass(frozen=True)
class Row:
    """One row of an operator list: which ops, where they run, what must hold.

    Args:
        name: As reports show it, `conv`.
        ops: Names of the ops.
        sentence: What a user reads of it.
        source: Where it comes from.
        unit: The unit that runs it; `CPU` for what the chip does not run.
        constraints: What must hold for it to run there.
        remedy: What a person does where the unit is the CPU.
        cures: Rules that write ops of a CPU row as others.
        when: Which ops of these names are meant.
        indices: Operands (from 0) and results (from -1 downwards) that may be 64-bit indices.
    """

    name: str
    ops: tuple[str, ...]
    sentence: str
    source: str
    unit: str
    constraints: tuple[Constraint, ...] = ()
    remedy: str = ""
    cures: tuple[str, ...] = ()
    when: Callable[[Node], bool] = always
    indices: frozenset[int] = frozenset()

    @property
    def on_host(self) -> bool:
        """Whether the host runs it."""
        return self.unit == HOST

    def applies(self, op: Op) -> bool:
        """Whether the row is about an op."""
        return op.name in self.ops and self.when(Node(op))
