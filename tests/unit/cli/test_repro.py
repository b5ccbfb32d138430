"""`y10c repro` on crash reports: the command line again, on the inputs that the report holds."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Annotated

import pytest
import typer

from y10c.cli import commands
from y10c.cli.main import main

State = dict[str, bool]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    """Registers a command `trial MODEL -o OUT` that crashes on a model holding `bad` until it is fixed."""
    found = {"fixed": False}

    def trial(model: Path, output: Annotated[Path, typer.Option("--output", "-o")] = Path("out")) -> None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text("written")
        if model.read_text() == "bad" and not found["fixed"]:
            raise ZeroDivisionError("division by zero")

    module = ModuleType("y10c_trial")
    monkeypatch.setattr(module, "trial", trial, raising=False)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(commands.COMMANDS, "trial", commands.Command("y10c_trial:trial", "Try."))
    monkeypatch.chdir(tmp_path)
    return found


@pytest.fixture
def report(state: State, tmp_path: Path) -> Path:
    (tmp_path / "m.txt").write_text("bad")
    assert main(["trial", "m.txt", "-o", "out.txt"]) == 4
    (tmp_path / "out.txt").unlink()
    [path] = tmp_path.glob("y10c-crash-*.json")
    return path


def test_the_crash_happens_again_and_no_output_is_touched(report: Path, tmp_path: Path) -> None:
    assert main(["repro", str(report)]) == 1
    assert not (tmp_path / "out.txt").exists()
    assert len(list(tmp_path.glob("y10c-crash-*.json"))) == 1


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_text("other")])
def test_an_input_that_changed_or_went_is_taken_from_the_report(
    report: Path, tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    spoil(tmp_path / "m.txt")
    assert main(["repro", str(report)]) == 1


def test_without_a_copy_the_error_names_the_input(
    report: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = json.loads(report.read_text())
    report.write_text(json.dumps({**content, "files": {}}))
    (tmp_path / "m.txt").unlink()
    assert main(["repro", str(report)]) == 3
    assert "m.txt" in capsys.readouterr().err


def test_what_is_fixed_is_exit_code_0(report: Path, state: State, capsys: pytest.CaptureFixture[str]) -> None:
    state["fixed"] = True
    assert main(["repro", str(report)]) == 0
    out = capsys.readouterr().out
    assert "gone: it was ZeroDivisionError: division by zero" in out
