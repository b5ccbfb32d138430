"""The cut between chip and host: as few crossings as possible, and what lies in mid-graph.

An op that the chip could run but that stands between host ops may as well run on the host. Which do is a
minimum cut: every tensor that both sides touch costs one crossing, moving an op to the host costs a little,
products stay where they are (Stone, "Multiprocessor Scheduling with the Aid of Network Flow Algorithms",
IEEE TSE 1977).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from y10c.ir.graph import Graph
from y10c.ir.value import Op
from y10c.rewrite.rewriter import reads


@dataclass(frozen=True)
class Cut:
    """Which ops the host runs.

    Args:
        host: All of them.
        moved: Those that the chip could run, but that would only add crossings there.
        crossings: Tensors that go from one side to the other.
        segments: Visits to the host in one inference, those before and behind the chip's work included.
        middle: Host ops between chip ops.
    """

    host: frozenset[Op]
    moved: frozenset[Op]
    crossings: int
    segments: int
    middle: frozenset[Op]


def cut(graph: Graph, refused: Collection[Op], pinned: Collection[Op]) -> Cut:
    """Divide a graph between chip and host.

    Args:
        graph: The graph.
        refused: Ops that the chip cannot run.
        pinned: Ops that stay on the chip even between them, since that is what it is for.
    """
    if not refused:
        return Cut(frozenset(), frozenset(), 0, 0, frozenset())
    movable = _surrounded(graph, refused) - set(refused) - set(pinned)
    host = _cheapest(graph, refused, movable) if movable else set(refused)
    crossings = sum(
        any((op in host) != (reader in host) for reader in readers) for op, readers in _tensors(graph)
    )
    phases = _phases(graph, host)
    return Cut(
        frozenset(host),
        frozenset(host - set(refused)),
        crossings,
        len({phases[op] for op in host}),
        frozenset(host & _surrounded(graph, {op for op in graph.ops if op not in host})),
    )


def _tensors(graph: Graph) -> Iterator[tuple[Op, list[Op]]]:
    """Every computed tensor: who makes it and which ops read it."""
    for op in graph.ops:
        for result in op.results:
            readers = [user for user in result.users if not user.is_terminator]
            if readers:
                yield op, readers


def _cheapest(graph: Graph, refused: Collection[Op], movable: Collection[Op]) -> set[Op]:
    """The ops on the host's side of a minimum cut: the refused ones and some of the movable ones.

    One crossing weighs more than all ops that could be moved for it.
    """
    import networkx

    net = networkx.DiGraph()
    crossing = len(movable) + 1
    for op in graph.ops:
        if op in refused:
            net.add_edge(op, "host")
        elif op in movable:
            net.add_edge("chip", op, capacity=1)
        else:
            net.add_edge("chip", op)
    for number, (op, readers) in enumerate(_tensors(graph)):
        net.add_edge(("in", number), ("out", number), capacity=crossing)
        for end in (op, *readers):
            net.add_edge(end, ("in", number))
            net.add_edge(("out", number), end)
    _, (_, on_host) = networkx.minimum_cut(net, "chip", "host")
    return {op for op in graph.ops if op in on_host}


def producers(op: Op) -> Iterator[Op]:
    """The ops that make what an op reads."""
    return (v.producer for v in reads(op) if v.producer is not None)


def _phases(graph: Graph, host: Collection[Op]) -> dict[Op, int]:
    """Each op's turn where chip and host take turns and every op runs as early as it can.

    Even turns are the chip's, odd ones the host's; -1 is the host before the chip. Running everything as
    early as possible takes the fewest turns.
    """
    phases: dict[Op, int] = {}
    for op in graph.ops:
        known = [phases[p] for p in producers(op) if p in phases]
        first = max(known, default=-1 if op in host else 0)
        phases[op] = first + ((first % 2 == 0) == (op in host))
    return phases


def _surrounded(graph: Graph, members: Collection[Op]) -> set[Op]:
    """The ops that have a member somewhere before them and one somewhere behind."""
    behind: set[Op] = set()
    for op in graph.ops:
        if any(p in behind or p in members for p in producers(op)):
            behind.add(op)
    before: set[Op] = set()
    for op in reversed(list(graph.ops)):
        readers = (user for result in op.results for user in result.users)
        if any(reader in before or reader in members for reader in readers):
            before.add(op)
    return behind & before
