"""Mutants are made at every place to which an operator applies, and only where they change something."""

from __future__ import annotations

import sys
from types import ModuleType

from y10c.testing.mutate import mutants, rules_in

SOURCE = '''
import numpy as np
from y10c.rewrite import decline, op, rule, variables

x, W, C = variables("x W C")


def size(array):
    return array.ndim


@rule(match=op.Sub(op.Mul(x, W, single_use=True), C))
def fold(rw, m):
    """Not named by a mutant."""
    if size(m.W) > 2:
        return decline("too many axes")
    return rw.op.Sub(m.x, rw.const(np.sqrt(m.W) - m.C))


LIMIT = 3
'''


def all_of() -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for mutant in mutants(SOURCE):
        found.setdefault(mutant.operator, []).append((mutant.before, mutant.after))
    return found


def test_each_operator_finds_its_places() -> None:
    found = all_of()
    assert ("size(m.W) > 2", "size(m.W) >= 2") in found["other comparison"]
    assert ("np.sqrt(m.W)", "m.W") in found["function forgotten"]
    assert ("np.sqrt(m.W) - m.C", "np.sqrt(m.W) + m.C") in found["other arithmetic"]
    assert ("2", "3") in found["other number"]
    assert ("True", "False") in found["other number"]
    assert any(after.startswith("op.Sub(C, op.Mul") for _, after in found["operands swapped"])


def test_what_changes_nothing_is_no_mutant() -> None:
    swapped = [before for before, _ in all_of()["operands swapped"]]
    assert not any(before.startswith("op.Mul") for before in swapped)


def test_reasons_and_what_no_rule_reads_are_left_alone() -> None:
    assert not any(before.startswith("decline") for pairs in all_of().values() for before, _ in pairs)
    assert not any(before == "3" for before, _ in all_of()["other number"])


def test_a_mutant_runs_under_a_name_of_its_own() -> None:
    module = ModuleType("rules_of_a_test")
    mutant = next(m for m in mutants(SOURCE) if m.operator == "other comparison")
    try:
        loaded = mutant.load(module)
        assert [r.name for r in rules_in(loaded, mutant.rules)] == ["fold"]
        assert mutant.rules == ("fold",)
    finally:
        sys.modules.pop("rules_of_a_test_mutant", None)
