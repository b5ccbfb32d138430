"""The choice of tensors that get 16 bits: most gain under a budget of cost.

A convolution is 16-bit as soon as one of its operands is, so the cost of a tensor is the MACs of all its
consumers. Gains are taken as additive, which holds for independent rounding noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Candidate:
    """A tensor that could be wide.

    Args:
        name: Key that the caller knows it by.
        gain: Error that 16 bits remove; at most 0 means never chosen.
        macs: The operations that turn 16-bit with it, as name -> MACs.
    """

    name: str
    gain: float
    macs: dict[str, int]


@dataclass(frozen=True)
class Choice:
    """What was chosen.

    Args:
        names: Chosen candidates, in the order given.
        gain: Sum of their gains.
        cost: MACs of all operations that turned 16-bit, each counted once.
    """

    names: tuple[str, ...]
    gain: float
    cost: int


def choose(candidates: Sequence[Candidate], budget: int, *, resolution: int = 2000) -> Choice:
    """The best set whose cost is at most `budget` MACs, to the resolution of the budget.

    Exact dynamic program over the budget cut into `resolution` parts with costs rounded up, so the budget
    is never exceeded. Candidates that share an operation are priced as if they did not; what that saves
    is then spent greedily by gain for each MAC.

    Args:
        candidates: Any order; the result does not depend on it but for exact ties.
        budget: Greatest total of MACs with a 16-bit operand.
        resolution: Parts of the budget.
    """
    useful = [c for c in candidates if c.gain > 0]
    chosen = _dynamic_program(useful, budget, resolution)
    by_density = sorted(useful, key=lambda c: (-c.gain / max(1, sum(c.macs.values())), c.name))
    for candidate in by_density:
        if candidate.name not in chosen and _cost(useful, chosen | {candidate.name}) <= budget:
            chosen |= {candidate.name}
    names = tuple(c.name for c in candidates if c.name in chosen)
    return Choice(names, sum(c.gain for c in useful if c.name in chosen), _cost(useful, chosen))


def _dynamic_program(useful: Sequence[Candidate], budget: int, resolution: int) -> frozenset[str]:
    best: list[tuple[float, frozenset[str]]] = [(0.0, frozenset())] * (resolution + 1)
    for candidate in useful:
        parts = _parts(sum(candidate.macs.values()), budget, resolution)
        for room in range(resolution, parts - 1, -1):
            gain, names = best[room - parts]
            if gain + candidate.gain > best[room][0]:
                best[room] = (gain + candidate.gain, names | {candidate.name})
    return best[resolution][1]


def _parts(cost: int, budget: int, resolution: int) -> int:
    if cost <= 0:
        return 0
    return resolution + 1 if cost > budget else -(-cost * resolution // budget)


def _cost(useful: Sequence[Candidate], chosen: frozenset[str]) -> int:
    wide: dict[str, int] = {}
    for candidate in useful:
        if candidate.name in chosen:
            wide.update(candidate.macs)
    return sum(wide.values())
