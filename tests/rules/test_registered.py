"""Shipped rules pass their derived tests, on few graphs here; `pytest --rules` draws more, and proves."""

from __future__ import annotations

from pathlib import Path

import pytest

from y10c.testing import check_rule
from y10c.testing.registered import Registered, registered_rules

RECORDS = Path(__file__).parent / "records"
BUILT_IN = [r for r in registered_rules() if r.distribution == "y10c"]


@pytest.mark.parametrize("registered", BUILT_IN, ids=lambda r: r.rule.name)
def test_a_shipped_rule_keeps_the_meaning_of_graphs_of_its_pattern(registered: Registered) -> None:
    check_rule(registered.rule, examples=5, shrink=False, records=RECORDS)


def test_rules_have_names_and_sentences_of_their_own() -> None:
    names = [r.rule.name for r in BUILT_IN]
    assert len(set(names)) == len(names)
    assert all(r.rule.doc for r in BUILT_IN)
