"""What happened to a graph, rewrite by rewrite: numbered, with the ops that went and the ops that came."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from y10c.ir.value import Op
from y10c.rewrite.rewriter import Listener


@dataclass(frozen=True)
class Application:
    """One application of a rule.

    Args:
        number: Its number over the whole run, from 1: what `--rewrite-limit` counts.
        rule: The rule.
        root: Location of the op at which it fired; the ONNX node's name.
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
        self._erased: list[Op] = []
        self._inserted: list[Op] = []

    def inserted(self, op: Op) -> None:
        """Remember an op that came."""
        self._inserted.append(op)

    def erased(self, op: Op) -> None:
        """Remember an op that went."""
        self._erased.append(op)

    def applied(self, rule: str, root: Op) -> None:
        """Close the application; what a rule that declined had built until then was rolled back."""
        number = len(self.applications) + 1
        came = tuple(label(op) for op in self._inserted if op.graph is not None)
        went = tuple(label(op) for op in self._erased if op.graph is None)
        self.applications.append(Application(number, rule, root.location, went, came))
        self._erased, self._inserted = [], []

    def at(self, location: str) -> Iterator[Application]:
        """The applications that took away an op of a location."""
        return (one for one in self.applications if one.touches(location))


def label(op: Op) -> str:
    """An op for a sentence: `Conv "/model.0/conv/Conv"`."""
    place = op.location or (op.results[0].name if op.results else "")
    return f'{op.name} "{place}"'
