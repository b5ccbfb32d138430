"""The group `y10c`: its table of commands, its help, and how light it is."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from y10c import __version__
from y10c.cli.commands import COMMANDS
from y10c.cli.group import load_command
from y10c.cli.main import main

HEAVY = {"numpy", "onnx", "onnxruntime", "networkx", "onnx_graphsurgeon", "ortools", "numba", "scipy", "PIL"}


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from y10c.cli.main import main; code = main(['--help']); "
        "print(*sys.modules, file=sys.stderr); sys.exit(code)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not HEAVY & set(ran.stderr.split())


def test_help_imports_no_command() -> None:
    program = (
        "import sys; from y10c.cli.main import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {command.target.partition(":")[0] for command in COMMANDS.values()} & set(ran.stderr.split())


def test_importing_y10c_imports_nothing_heavy() -> None:
    program = "import sys, y10c; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not HEAVY & set(ran.stdout.split())


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    words = capsys.readouterr().out.split()
    assert set(COMMANDS) <= set(words)


def test_shell_completion_knows_the_commands() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", "from y10c.cli.main import main; main([])"],
        env={**os.environ, "_Y10C_COMPLETE": "complete_bash", "COMP_WORDS": "y10c do", "COMP_CWORD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "doctor" in ran.stdout.split()


def test_no_arguments_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "Usage: y10c" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--version"], ["--version", "--json"], ["--json", "--version"]])
def test_version(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    out = capsys.readouterr().out
    if "--json" in arguments:
        assert json.loads(out) == {"version": __version__}
    else:
        assert out == f"y10c {__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
class TestEveryCommand:
    def test_lies_in_one_file_of_the_cli(self, name: str) -> None:
        module, _, attribute = COMMANDS[name].target.partition(":")
        assert module.startswith("y10c.cli.")
        assert attribute

    def test_summary_is_one_short_sentence(self, name: str) -> None:
        summary = COMMANDS[name].summary
        assert summary.endswith(".")
        assert len(summary) <= 80

    def test_has_help_and_the_shared_options(self, name: str) -> None:
        command: Any = load_command(name)
        assert command.help
        shared = {option for parameter in command.params for option in parameter.opts}
        assert {"--json", "-q", "-v", "--no-color", "--debug"} <= shared

    def test_names_no_option_twice(self, name: str) -> None:
        command: Any = load_command(name)
        options = [option for parameter in command.params for option in parameter.opts]
        assert len(options) == len(set(options))

    def test_module_imports_nothing_heavy_at_its_top(self, name: str) -> None:
        spec = find_spec(COMMANDS[name].target.partition(":")[0])
        assert spec is not None
        assert spec.origin is not None
        tree = ast.parse(Path(spec.origin).read_text())
        imported = {
            alias.name.split(".")[0]
            for node in tree.body
            if isinstance(node, ast.Import)
            for alias in node.names
        } | {str(node.module).split(".")[0] for node in tree.body if isinstance(node, ast.ImportFrom)}
        assert not imported & HEAVY


def test_doctor_reports_versions_and_providers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["ok"]
    assert "CPUExecutionProvider" in data["onnxruntime_providers"]
    assert {package["name"] for package in data["packages"]} >= {"onnx", "onnxruntime", "typer"}


def test_doctor_fails_when_a_required_package_is_too_old(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("y10c.cli.doctor.installed_version", lambda name: "0.0.1")
    assert main(["doctor"]) == 1
    assert "not ready" in capsys.readouterr().out
