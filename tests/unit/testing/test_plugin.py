"""`pytest --rules` and `y10c rules`: one item a rule, a table, counterexamples, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from y10c.cli.main import main

RULE_MODULE = '''
from y10c.rewrite import op, rule, variables

x, C = variables("x C")


@rule(match=op.Sub(x, C))
def sub_becomes_add(rw, m):
    """Forgets the sign."""
    return rw.op.Add(m.x, rw.const(m.C))


@rule(match=op.Neg(op.Neg(x)))
def minus_minus(rw, m):
    """Two signs cancel."""
    return m.x
'''
ENTRY_POINTS = """[y10c.rules]
sub-becomes-add = their_rules:sub_becomes_add
minus-minus = their_rules:minus_minus
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A distribution of somebody else with two rules, installed by being on the path."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "their_rules.py").write_text(RULE_MODULE)
    info = folder / "their_rules-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-rules\nVersion: 1\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return folder


def run_pytest(package: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "--rules", "-q", "-p", "no:cacheprovider", *arguments]
    environment = {"PYTHONPATH": str(package), "PATH": "/usr/bin:/bin", "HOME": str(package)}
    return subprocess.run(command, cwd=package, env=environment, capture_output=True, text=True, check=False)


def test_a_rule_of_another_package_is_checked_and_a_wrong_one_is_shown(package: Path) -> None:
    ran = run_pytest(package, "-k", "minus or sub_becomes or sub-becomes", "--rules-examples", "20")
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "sub-becomes-add is wrong: float64" in ran.stdout
    assert "1 failed, 1 passed" in ran.stdout
    assert "minus-minus" in ran.stdout
    assert "proved: symbolic" in ran.stdout
    assert (package / "counterexamples" / "sub-becomes-add" / "before.onnx").is_file()


def test_without_the_flag_no_rule_is_collected(package: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    ran = subprocess.run(
        command, cwd=package, env={"PYTHONPATH": str(package)}, capture_output=True, text=True, check=False
    )
    assert "no tests ran" in ran.stdout


def test_check_prints_what_was_done(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    command = ["rules", "check", "drop-double-negation", "-n", "10", "-o", str(tmp_path), "--json"]
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["name"] == "drop-double-negation"
    assert found["pass"] == "drop-noops"
    assert found["status"] == "proved"
    assert found["fired"] > 0
    assert any("Neg(" in case for case in found["cases"])


def test_an_unknown_rule_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "check", "drop-double-negatoin"]) == 2
    assert "drop-double-negation" in capsys.readouterr().err


def test_record_writes_one_file_a_rule(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["rules", "record", "drop-double-relu", "-o", str(tmp_path), "--json"]) == 0
    kept = json.loads(capsys.readouterr().out)["graphs"]["drop-double-relu"]
    assert kept == len(json.loads((tmp_path / "drop-double-relu.json").read_text())) > 3
