"""The operator list of a march, and the place of an op under it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from y10c.check.chip import Chip
from y10c.check.constraint import HOST, Constraint, Row
from y10c.check.node import Node, name_of
from y10c.ir.value import Op
from y10c.ops.registry import find_spec

NOWHERE = "none"
"""The unit of an op that neither the chip nor the host can run."""


@dataclass(frozen=True)
class Verdict:
    """Where an op runs, and why.

    Args:
        node: Name of the node.
        op: Name of the op.
        unit: A unit of the chip, `CPU`, or `none` where nothing can run it.
        rule: The row that places it, or the constraint that it breaks.
        reason: One sentence, with the actual and the allowed value of a broken constraint.
        remedy: What a person does about it; empty where the chip runs it.
        source: Where the rule comes from.
    """

    node: str
    op: str
    unit: str
    rule: str
    reason: str
    remedy: str
    source: str

    @property
    def on_chip(self) -> bool:
        """Whether a unit of the chip runs it."""
        return self.unit not in (HOST, NOWHERE)


@dataclass(frozen=True)
class OperatorTable:
    """What a march runs: rows by op, and what holds for every row.

    Args:
        march: Name of the march.
        rows: The operator list.
        general: Constraints on every op of the chip.
        chip: The chip's data.
        source: The list as a whole, for documents.
    """

    march: str
    rows: tuple[Row, ...]
    general: tuple[Constraint, ...]
    chip: Chip = field(default_factory=lambda: Chip(title=""))
    source: str = ""

    @cached_property
    def _by_op(self) -> Mapping[str, list[Row]]:
        rows: dict[str, list[Row]] = defaultdict(list)
        for row in self.rows:
            for name in row.ops:
                rows[name].append(row)
        return rows

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """Every constraint of the list once, general ones first."""
        return tuple(dict.fromkeys((*self.general, *(c for row in self.rows for c in row.constraints))))

    def row_of(self, op: Op) -> Row | None:
        """The row that is about an op, or None."""
        if op.version is not None:
            return None
        return next((row for row in self._by_op.get(op.name, ()) if row.applies(op)), None)

    def place(self, op: Op) -> Verdict:
        """Where an op runs, and why; the op's graph is as the chip would get it."""
        row = self.row_of(op)
        if row is None:
            return self._unlisted(op)
        if row.on_host:
            return _verdict(op, HOST, row.name, row.sentence, row.remedy, row.source)
        if not self.chip.has(row.unit):
            return self._without_unit(op, row)
        broken = next(self._broken(op, row), None)
        if broken is None:
            return _verdict(op, row.unit, row.name, row.sentence, "", row.source)
        return _broken_verdict(op, *broken)

    def cures(self, op: Op) -> set[str]:
        """Names of the rules that rewrite what the chip refuses in an op.

        Empty where it runs, and where something is refused that no rule cures.
        """
        row = self.row_of(op)
        if row is None:
            return set()
        if row.on_host:
            return set(row.cures)
        broken = [constraint for constraint, _ in self._broken(op, row)]
        return {name for c in broken for name in c.cures} if all(c.cures for c in broken) else set()

    def _broken(self, op: Op, row: Row) -> Iterator[tuple[Constraint, str]]:
        """The constraints that an op breaks, with the actual values; general ones first."""
        node = Node(op, self.chip, row.indices)
        for constraint in (*self.general, *row.constraints):
            actual = constraint.breach(node)
            if actual is not None:
                yield constraint, actual
                if constraint.needed:
                    return

    def _unlisted(self, op: Op) -> Verdict:
        if not can_run_on_host(op):
            reason = f"{op.name} is no operator of ONNX, so neither the chip nor onnxruntime can run it."
            remedy = "export it as standard operators, or cut the model before it"
            return _verdict(op, NOWHERE, "unknown-op", reason, remedy, "published: ONNX operator schemas")
        if op.version is None and op.name in self._by_op:
            return self._of_other_form(op)
        older = f" in its form of opset {op.version}" if op.version is not None else ""
        return _verdict(
            op,
            HOST,
            "no-row",
            f"The operator list of {self.march} does not name {op.name}{older}.",
            "write it with operators that the list names (docs/reference), or let the host run it",
            self.source,
        )

    def _of_other_form(self, op: Op) -> Verdict:
        """Of an op that the list names: its rank is not known, or none of the rows is about it."""
        node = Node(op, self.chip)
        for constraint in self.general:
            actual = constraint.breach(node) if constraint.needed else None
            if actual is not None:
                return _broken_verdict(op, constraint, actual)
        reason = f"The operator list of {self.march} names {op.name}, but not in this form."
        remedy = "see which forms the list has (docs/reference), or let the host run it"
        return _verdict(op, HOST, "no-row", reason, remedy, self.source)

    def _without_unit(self, op: Op, row: Row) -> Verdict:
        absent = self.chip.absent.get(row.unit)
        return _verdict(
            op,
            HOST,
            "unit-absent",
            f"{row.sentence} {self.march} has no {row.unit}.",
            "leave it to the host, or take a march that has the unit",
            absent.source if absent is not None else row.source,
        )


def can_run_on_host(op: Op) -> bool:
    """Whether onnxruntime can be expected to know an op: ONNX's own, ours, or its contributed ones."""
    return op.domain in ("com.microsoft", "ai.onnx.ml") or find_spec(op.name) is not None


def _broken_verdict(op: Op, constraint: Constraint, actual: str) -> Verdict:
    reason = f"{constraint.sentence} Here: {actual}; allowed: {constraint.allowed}."
    return _verdict(op, HOST, constraint.name, reason, constraint.remedy, constraint.source)


def _verdict(op: Op, unit: str, rule: str, reason: str, remedy: str, source: str) -> Verdict:
    return Verdict(name_of(op), op.kind.removeprefix("y10c."), unit, rule, reason, remedy, source)
