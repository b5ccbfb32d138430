"""What happened to a graph, rewrite by rewrite: numbered, with the ops that went and the ops that came."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from y10c.ir.value import Op
from y10c.rewrite.rewriter import Listener

if TYPE_CHECKING:
    from y10c.rewrite.rule import Rule


@dataclass(frozen=True)
class Application:
    """One application of a rule.

    Args:
        number: Its number over the whole run, from 1: what `--rewrite-limit` counts.
        rule: The rule; a pass that has none counts as one application under its own name.
        root: Location of the op at which it fired, the ONNX node's name; empty for a pass.
        erased: The ops that went, dead ones included, each as `Name "location"`.
        inserted: The ops that came, in the same form.
    """

    number: int
    rule: str
    root: str
    erased: tuple[str, ...]
    inserted: tuple[str, ...]

    def touches(self, location: str) -> bool:
        """True where an op of that location went."""
        return any(label.endswith(f'"{location}"') for label in self.erased)


class Journal(Listener):
    """A listener that keeps every application of a rule, in order."""

    def __init__(self) -> None:
        self.applications: list[Application] = []
        self.broken: Application | None = None
        self._erased: list[Op] = []
        self._inserted: list[Op] = []

    def inserted(self, op: Op) -> None:
        """Remember an op that came."""
        self._inserted.append(op)

    def erased(self, op: Op) -> None:
        """Remember an op that went."""
        self._erased.append(op)

    def fired(self, rule: Rule, root: Op) -> None:
        """Close the application; what a rule that declined had built until then was rolled back."""
        self.close(rule.name, root)

    def raised(self, rule: Rule, root: Op) -> None:
        """Remember in `broken` what a rule was about to do."""
        self.broken = Application(len(self.applications) + 1, rule.name, root.location, (label(root),), ())

    def close(self, name: str, root: Op | None = None) -> None:
        """Count what happened since the last application as one of `name`, a rule or a pass."""
        number = len(self.applications) + 1
        came = tuple(label(op) for op in self._inserted if op.graph is not None)
        went = tuple(label(op) for op in self._erased if op.graph is None)
        location = root.location if root is not None else ""
        self.applications.append(Application(number, name, location, went, came))
        self._erased, self._inserted = [], []

    def at(self, location: str) -> Iterator[Application]:
        """The applications that took away an op of a location."""
        return (one for one in self.applications if one.touches(location))


def label(op: Op) -> str:
    """An op for a sentence: `Conv "/model.0/conv/Conv"`."""
    place = op.location or (op.results[0].name if op.results else "")
    return f'{op.name} "{place}"'
