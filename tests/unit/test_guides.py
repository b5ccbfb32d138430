"""The guides: what they quote is what the code is and says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from y10c.testing import WrongRewrite, check_rule

DOCS = Path(__file__).parents[2] / "docs"
SMALLEST = DOCS / "examples" / "smallest_pass.py"


def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> ModuleType:
    name = f"guide_{abs(hash(source))}"
    (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    return __import__(name)


def test_the_smallest_pass_has_at_most_ten_lines_and_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = SMALLEST.read_text()
    assert sum(bool(line.strip()) for line in source.splitlines()) <= 10
    made = module(tmp_path, monkeypatch, source)
    assert made.MergeSubs.rules == (made.merge_subs,)
    assert str(made.MergeSubs()) == "merge-subs"
    report = check_rule(made.merge_subs, examples=40)
    assert report.fired == report.examples > 0


def test_its_wrong_version_is_caught_with_at_most_four_nodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = module(tmp_path, monkeypatch, SMALLEST.read_text().replace("m.A + m.B", "m.A - m.B"))
    with pytest.raises(WrongRewrite) as caught:
        check_rule(made.merge_subs)
    assert len(caught.value.counterexample.before) <= 4


@pytest.mark.slow(reason="runs every command that the guides show")
def test_what_the_guides_quote_is_true() -> None:
    ran = subprocess.run(
        [sys.executable, DOCS / "generate.py", "--check"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
