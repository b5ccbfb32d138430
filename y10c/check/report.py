"""`check`: every node of a graph with its place, the cut, and the distinct problems."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from y10c.check.constraint import HOST
from y10c.check.partition import Cut, cut, producers
from y10c.check.table import NOWHERE, OperatorTable, Verdict
from y10c.cost.precision import MOVES, PRODUCTS, macs_of
from y10c.errors import IllegalOpError, ModelError
from y10c.ir.graph import Graph
from y10c.ir.value import Op


@dataclass(frozen=True)
class Problem:
    """One broken rule, with every node that breaks it.

    Args:
        rule: The row or constraint.
        source: Where it comes from.
        reason: As the first of the nodes has it.
        remedy: What to do about it.
        nodes: The nodes.
        mid_graph: How many of them stand between ops of the chip.
    """

    rule: str
    source: str
    reason: str
    remedy: str
    nodes: tuple[str, ...]
    mid_graph: int


@dataclass(frozen=True)
class CheckReport:
    """What runs where.

    Args:
        target: Name of the target.
        march: Name of the march.
        verdicts: One a node, in graph order.
        macs_bpu: Share of the multiply-accumulates that the chip runs, 0 to 1; 1 where there are none.
        crossings: Tensors that go between chip and host.
        segments: Visits to the host in one inference.
        middle: Names of the host's nodes in mid-graph.
        problems: The distinct problems, those in mid-graph first.
    """

    target: str
    march: str
    verdicts: tuple[Verdict, ...]
    macs_bpu: float
    crossings: int
    segments: int
    middle: tuple[str, ...]
    problems: tuple[Problem, ...]

    @property
    def refused(self) -> tuple[Verdict, ...]:
        """Nodes that the chip does not run."""
        return tuple(v for v in self.verdicts if not v.on_chip)

    @property
    def homeless(self) -> tuple[Verdict, ...]:
        """Nodes that nothing can run."""
        return tuple(v for v in self.verdicts if v.unit == NOWHERE)


def check_graph(graph: Graph, table: OperatorTable, target: str, tail: Collection[Op] = ()) -> CheckReport:
    """Place every op of a graph.

    Args:
        graph: As the chip would get it.
        table: The march's operator list.
        target: Name of the target, for the report.
        tail: The decode tail, which stays in float on the host.
    """
    places = {op: table.place(op) for op in graph.ops}
    for op in _decoding(graph, tail, places):
        places[op] = _tail_verdict(places[op])
    refused = [op for op, verdict in places.items() if not verdict.on_chip]
    pinned = [op for op, verdict in places.items() if verdict.on_chip and op.name in PRODUCTS]
    found = cut(graph, refused, pinned)
    for op in found.moved:
        places[op] = _moved_verdict(places[op])
    middle = {op for op in found.middle if op not in tail}
    return CheckReport(
        target,
        table.march,
        tuple(places.values()),
        _mac_share(graph, found),
        found.crossings,
        found.segments,
        tuple(places[op].node for op in graph.ops if op in middle),
        _problems((places[op], op in middle) for op in graph.ops if not places[op].on_chip),
    )


def require_homes(report: CheckReport, where: str) -> None:
    """Whether every node can run somewhere.

    Raises:
        IllegalOpError: Neither the chip nor the host knows an op.
    """
    for verdict in report.homeless[:1]:
        raise IllegalOpError(
            verdict.reason.rstrip("."),
            where=f'{where}: node "{verdict.node}"',
            rule=f"{verdict.rule} (source: {verdict.source})",
            help=verdict.remedy,
        )


def _mac_share(graph: Graph, found: Cut) -> float:
    try:
        macs = macs_of(graph)
    except ModelError:  # open shapes: whatever they are, such products are refused
        macs = {op: 1 for op in graph.ops if op.name in PRODUCTS}
    total = sum(macs.values())
    on_chip = sum(n for op, n in macs.items() if op not in found.host)
    return on_chip / total if total else 1.0


def _decoding(graph: Graph, tail: Collection[Op], places: Mapping[Op, Verdict]) -> Iterator[Op]:
    """The ops of the tail but for what only moves the network's results, such as a Transpose to NHWC."""
    host: set[Op] = set()
    for op in graph.ops:
        moved = op.name in MOVES and places[op].on_chip and not any(p in host for p in producers(op))
        if op in tail and not moved:
            host.add(op)
            yield op


def _tail_verdict(verdict: Verdict) -> Verdict:
    return replace(
        verdict,
        unit=HOST,
        rule="decode-tail",
        reason="The decode tail stays in float and runs on the host, behind the network.",
        remedy="--head raw leaves it out of the model",
        source="published: S5 S6 S8 (the vendor's zoo cuts there)",
    )


def _moved_verdict(verdict: Verdict) -> Verdict:
    return replace(
        verdict,
        unit=HOST,
        rule="between-host-ops",
        reason="The chip could run it, but between ops of the host it would only add crossings.",
        remedy="mend the ops around it",
        source="assumed",
    )


def _problems(found: Iterable[tuple[Verdict, bool]]) -> tuple[Problem, ...]:
    groups: dict[tuple[str, str], list[tuple[Verdict, bool]]] = {}
    for verdict, middle in found:
        groups.setdefault((verdict.rule, verdict.remedy), []).append((verdict, middle))
    problems = [
        Problem(
            rule,
            group[0][0].source,
            group[0][0].reason,
            remedy,
            tuple(v.node for v, _ in group),
            sum(middle for _, middle in group),
        )
        for (rule, remedy), group in groups.items()
    ]
    return tuple(sorted(problems, key=lambda p: (-p.mid_graph, -len(p.nodes))))
