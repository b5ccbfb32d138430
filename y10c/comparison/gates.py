"""Bars that a comparison must reach: `cosine=0.99` on the command line."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from y10c.comparison.result import Comparison
from y10c.errors import UnknownNameError, UsageError, VisibleFailure

Found = tuple[float, str]
"""A figure and what it was measured on."""


def _outputs(found: Comparison, figure: str) -> Iterable[Found]:
    for one in found.outputs:
        value = getattr(one, figure)
        # An output that the candidate has not is no agreement, however good the others are.
        yield (-math.inf if value is None else value), f"output {one.name}"


def _nodes(found: Comparison, figure: str) -> Iterable[Found]:
    return ((getattr(node, figure), f"node {node.node}") for node in found.nodes)


def _detections(found: Comparison, figure: str) -> Iterable[Found]:
    agreements = found.detections.agreements if found.detections is not None else ()
    return ((getattr(one, figure), "detections above 0.25") for one in agreements[:1])


METRICS: dict[str, tuple[str, Callable[[Comparison], Iterable[Found]]]] = {
    "cosine": ("lowest cosine of an output", lambda c: _outputs(c, "cosine")),
    "sqnr": ("lowest SQNR of an output, in dB", lambda c: _outputs(c, "sqnr_db")),
    "node-cosine": ("lowest cosine of a node", lambda c: _nodes(c, "cosine")),
    "node-sqnr": ("lowest SQNR of a node, in dB", lambda c: _nodes(c, "sqnr_db")),
    "agreement": ("AP50-95 of detections above 0.25", lambda c: _detections(c, "ap")),
    "agreement50": ("AP50 of detections above 0.25", lambda c: _detections(c, "ap50")),
}
"""What can have a bar: its meaning, and the figures of which the least counts."""


@dataclass(frozen=True)
class Gate:
    """A bar.

    Args:
        metric: A key of `METRICS`.
        least: The least value that passes.
    """

    metric: str
    least: float

    @classmethod
    def parse(cls, text: str) -> Gate:
        """`cosine=0.99`; raises UnknownNameError or UsageError."""
        name, sign, value = text.partition("=")
        if name not in METRICS:
            raise UnknownNameError("metric", name, list(METRICS))
        try:
            least = float(value)
        except ValueError:
            least = math.nan
        if not sign or math.isnan(least):
            raise UsageError(
                f"--fail-under {text} is not understood", help="write METRIC=NUMBER: cosine=0.99"
            )
        return cls(name, least)

    def missed(self, found: Comparison) -> str | None:
        """Why the bar is missed, as a sentence; None where it is reached."""
        meaning, figures = METRICS[self.metric]
        worst = min(figures(found), default=None)
        if worst is None:
            return f"{self.metric} was to be at least {self.least:g}, and there is nothing to measure it on"
        value, where = worst
        if value >= self.least:
            return None
        if value == -math.inf and self.metric in ("cosine", "sqnr"):
            return f"{self.metric} was to be at least {self.least:g}, and {where} is not in the candidate"
        return f"{meaning}: {value:.6g} ({where}) is below {self.least:g}"


def check(found: Comparison, gates: Iterable[Gate]) -> None:
    """Raise VisibleFailure (Y1002) where a bar is missed; the message names each."""
    missed = [sentence for gate in gates if (sentence := gate.missed(found)) is not None]
    if missed:
        raise VisibleFailure(
            "; ".join(missed), where=found.candidate, help="the node table shows where it begins"
        )
