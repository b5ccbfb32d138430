"""The cheapest choice of one state a variable, where costs belong to single variables and to pairs.

Exact by dynamic programming: variables are eliminated one after another, the least connected first, each
leaving a table over its neighbours (Bertele and Brioschi, Nonserial Dynamic Programming, 1972). On chains and
trees the tables have one neighbour. Where a table would grow beyond `LARGEST` entries, CP-SAT takes over.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce

import numpy as np
import numpy.typing as npt

Costs = npt.NDArray[np.float64]

LARGEST = 500_000
_SCALE = 1000
"""CP-SAT counts in whole numbers: thousandths of a cycle."""
_LIMIT = 20.0
"""CP-SAT's deterministic seconds."""


@dataclass
class Problem:
    """Costs of variables by state, and of pairs (i, j), i < j, by both states, none of these negative."""

    single: list[Costs]
    pairs: dict[tuple[int, int], Costs] = field(default_factory=dict)

    def add_pair(self, i: int, j: int, costs: Costs) -> None:
        """Add a cost of two variables; `costs` has `i`'s states along its first axis."""
        if i == j:
            self.single[i] = self.single[i] + np.diagonal(costs)
            return
        key, table = ((i, j), costs) if i < j else ((j, i), costs.T)
        self.pairs[key] = self.pairs[key] + table if key in self.pairs else table

    def cost(self, states: Sequence[int]) -> float:
        """The whole cost of a choice."""
        alone = sum(float(costs[s]) for costs, s in zip(self.single, states, strict=True))
        return alone + sum(float(table[states[i], states[j]]) for (i, j), table in self.pairs.items())


@dataclass(frozen=True, eq=False)
class _Factor:
    """A table over some variables, in ascending order."""

    scope: tuple[int, ...]
    table: Costs


def solve(problem: Problem) -> list[int]:
    """A cheapest choice; among equals, states of low number are preferred."""
    states = by_elimination(problem)
    return states if states is not None else by_cp_sat(problem)


def by_elimination(problem: Problem, largest: int = LARGEST) -> list[int] | None:
    """The choice by dynamic programming; None where a table would have more than `largest` entries."""
    factors = [_Factor((i,), costs) for i, costs in enumerate(problem.single)]
    factors += [_Factor(pair, table) for pair, table in problem.pairs.items()]
    touching: dict[int, list[_Factor]] = {i: [] for i in range(len(problem.single))}
    for factor in factors:
        for variable in factor.scope:
            touching[variable].append(factor)
    joined: list[tuple[int, _Factor]] = []
    degree = {v: len(_scope(mine)) for v, mine in touching.items()}
    while touching:
        variable = min(touching, key=lambda v: (degree[v], v))
        scope = _scope(touching[variable])
        if np.prod([len(problem.single[v]) for v in scope], dtype=float) > largest:
            return None
        mine = touching.pop(variable)
        whole = _Factor(scope, reduce(np.add, (_spread(f, scope) for f in mine)))
        joined.append((variable, whole))
        rest = tuple(v for v in scope if v != variable)
        left = _Factor(rest, whole.table.min(axis=scope.index(variable)))
        for v in rest:
            touching[v] = [f for f in touching[v] if f not in mine] + [left]
            degree[v] = len(_scope(touching[v]))
    return _read_back(joined)


def _scope(factors: Iterable[_Factor]) -> tuple[int, ...]:
    return tuple(sorted({v for f in factors for v in f.scope}))


def _spread(factor: _Factor, scope: tuple[int, ...]) -> Costs:
    """The table with an axis of length 1 for every variable that it does not know."""
    sizes = iter(factor.table.shape)
    return factor.table.reshape([next(sizes) if v in factor.scope else 1 for v in scope])


def _read_back(joined: Sequence[tuple[int, _Factor]]) -> list[int]:
    states: dict[int, int] = {}
    for variable, factor in reversed(joined):
        place = tuple(slice(None) if v == variable else states[v] for v in factor.scope)
        states[variable] = int(np.argmin(factor.table[place]))
    return [states[v] for v in range(len(states))]


def by_cp_sat(problem: Problem) -> list[int]:
    """The choice by CP-SAT; exact to a thousandth where it ends within its limit."""
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    chosen = [[model.new_bool_var("") for _ in costs] for costs in problem.single]
    terms = []
    for costs, literals in zip(problem.single, chosen, strict=True):
        model.add_exactly_one(literals)
        terms += [round(float(c) * _SCALE) * x for c, x in zip(costs, literals, strict=True)]
    for (i, j), table in problem.pairs.items():
        for a, b in zip(*np.nonzero(table > 0), strict=True):
            both = model.new_bool_var("")
            model.add_bool_or(both, ~chosen[i][a], ~chosen[j][b])
            terms.append(round(float(table[a, b]) * _SCALE) * both)
    model.minimize(cp_model.LinearExpr.sum(terms))
    for costs, literals in zip(problem.single, chosen, strict=True):
        for state, literal in enumerate(literals):
            model.add_hint(literal, state == int(np.argmin(costs)))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 0
    solver.parameters.max_deterministic_time = _LIMIT
    solver.solve(model)
    return [next(s for s, x in enumerate(literals) if solver.boolean_value(x)) for literals in chosen]
