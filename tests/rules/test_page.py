"""docs/reference/rules.md says what the rules are; the statuses it states are those of the proofs."""

from __future__ import annotations

from pathlib import Path

import pytest

from y10c.testing.catalog import page, statuses_of
from y10c.testing.proof import prove_rule
from y10c.testing.registered import registered_rules

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "rules.md"
RECORDS = ROOT / "tests" / "rules" / "records"
OURS = [r for r in registered_rules() if r.distribution == "y10c"]


def test_the_page_is_what_the_rules_say() -> None:
    text = PAGE.read_text(encoding="utf-8")
    statuses = statuses_of(text)
    assert text == page(OURS, RECORDS, statuses), "run: y10c rules document"
    assert sorted(statuses) == sorted(r.rule.name for r in OURS)
    assert all(status.startswith(("proved: ", "tested: ")) for status in statuses.values())


def test_every_rule_has_a_record() -> None:
    assert {path.stem for path in RECORDS.glob("*.json")} == {r.rule.name for r in OURS}


@pytest.mark.slow  # proves every rule again
def test_the_statuses_are_those_of_the_proofs() -> None:
    stated = statuses_of(PAGE.read_text(encoding="utf-8"))
    for registered in OURS:
        proof = prove_rule(registered.rule)
        status = "proved" if proof.proved else "tested"
        assert stated[registered.rule.name].partition(":")[0] == status, registered.rule.name
