"""Every way a command ends: what a person reads, what a program reads, and the exit code."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

from y10c import atomic, diagnostics
from y10c.cli import commands
from y10c.cli.main import main
from y10c.cli.terminal import terminal
from y10c.errors import DataError, InternalError, ModelError, UsageError, VisibleFailure


@pytest.fixture(autouse=True)
def in_scratch_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., None]], None]:
    """Registers a function as the command `trial`."""

    def register(function: Callable[..., None]) -> None:
        module = ModuleType("y10c_trial")
        monkeypatch.setattr(module, "trial", function, raising=False)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(commands.COMMANDS, "trial", commands.Command("y10c_trial:trial", "Try."))

    return register


def raising(error: BaseException) -> Callable[[], None]:
    def run() -> None:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (VisibleFailure("the cosine 0.91 is below 0.99"), 1),
        (UsageError("no model is given"), 2),
        (ModelError("the graph has no outputs", where="m.onnx"), 3),
        (DataError("the folder holds no image", where="images/"), 3),
        (InternalError("a value has two producers"), 4),
        (KeyError("surprise"), 4),
        (RecursionError("deep"), 4),
        (KeyboardInterrupt(), 130),
        (typer.Abort(), 130),
        (typer.Exit(1), 1),
        (SystemExit(3), 3),
        (OSError(errno.ENOSPC, "No space left on device", "out.onnx"), 2),
    ],
    ids=lambda value: value if isinstance(value, int) else type(value).__name__,
)
def test_each_exception_has_its_exit_code_and_no_traceback(
    error: BaseException, code: int, command: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    command(raising(error))
    assert main(["trial"]) == code
    streams = capsys.readouterr()
    assert streams.out == ""
    assert "Traceback" not in streams.err


def test_error_says_what_where_and_what_to_do(command: Any, capsys: pytest.CaptureFixture[str]) -> None:
    command(raising(ModelError("the file ends early", code="Y3001", where="m.onnx", help="fetch it again")))
    main(["trial"])
    assert capsys.readouterr().err == (
        "error[Y3001]: the file ends early\n  --> m.onnx\n   = help: fetch it again\n"
    )


def test_json_makes_the_error_one_object_on_stdout(command: Any, capsys: pytest.CaptureFixture[str]) -> None:
    command(raising(ModelError("the file ends early", code="Y3001", where="m.onnx")))
    assert main(["trial", "--json"]) == 3
    assert json.loads(capsys.readouterr().out) == {
        "error": {
            "code": "Y3001",
            "message": "the file ends early",
            "where": "m.onnx",
            "rule": None,
            "help": None,
        }
    }


def test_error_after_a_result_stays_one_object(command: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def compare() -> None:
        terminal().result({"cosine": float("nan"), "file": Path("a.onnx")}, lambda: "never drawn")
        raise VisibleFailure("the models differ")

    command(compare)
    assert main(["trial", "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert data["cosine"] is None
    assert data["file"] == "a.onnx"
    assert data["error"]["message"] == "the models differ"


@pytest.mark.parametrize("arguments", [["--json", "trial", "--no-such"], ["trial", "--no-such", "--json"]])
def test_usage_errors_have_the_same_form(
    arguments: list[str], command: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    command(lambda: None)
    assert main(arguments) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "Y2001"
    assert "--no-such" in error["message"]
    assert "y10c trial --help" in error["help"]


def test_unknown_command_suggests_a_near_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctr"]) == 2
    assert "did you mean 'doctor'?" in capsys.readouterr().err


def test_bug_leaves_a_crash_report_that_names_its_inputs(
    command: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def read(model: Path) -> None:
        raise ZeroDivisionError("division by zero")

    command(read)
    (tmp_path / "m.onnx").write_bytes(b"abc")
    assert main(["trial", "m.onnx"]) == 4
    [path] = tmp_path.glob("y10c-crash-*.json")
    assert path.name in capsys.readouterr().err
    report = json.loads(path.read_text())
    assert report["command"] == ["y10c", "trial", "m.onnx"]
    assert report["traceback"][-1] == "ZeroDivisionError: division by zero"
    assert report["versions"]["onnx"]
    assert report["inputs"] == [
        {
            "path": "m.onnx",
            "bytes": 3,
            "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        }
    ]


def test_input_error_leaves_nothing_behind(command: Any, tmp_path: Path) -> None:
    command(raising(DataError("no image")))
    main(["trial"])
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_the_traceback_and_then_the_error(
    command: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    command(raising(ModelError("broken")))
    assert main(["trial", "--debug"]) == 3
    err = capsys.readouterr().err
    assert err.startswith("Traceback")
    assert err.endswith("error[Y3002]: broken\n")


def test_termination_unwinds_the_work(command: Any, tmp_path: Path) -> None:
    def killed() -> None:
        with atomic.folder(tmp_path / "out") as temporary:
            (temporary / "half").touch()
            signal.raise_signal(signal.SIGTERM)

    command(killed)
    assert main(["trial"]) == 143
    assert list(tmp_path.iterdir()) == []


def test_help_with_json_is_help_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help", "--json"]) == 0
    assert capsys.readouterr().out.rstrip().endswith("╯")


def test_names_that_no_encoding_holds_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["caf\udcff", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["message"] == "unknown command 'caf\\udcff'"


def test_interrupt_is_one_line(command: Any, capsys: pytest.CaptureFixture[str]) -> None:
    command(raising(KeyboardInterrupt()))
    main(["trial"])
    assert capsys.readouterr().err == "interrupted\n"


def test_warnings_go_to_stderr_once_and_into_the_json(
    command: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    def warned() -> None:
        for _ in range(2):
            diagnostics.warn("Y5002", "the model holds nothing to quantize", where="m.onnx")
        terminal().result({"nodes": 3}, lambda: "3 nodes")

    command(warned)
    assert main(["trial"]) == 0
    streams = capsys.readouterr()
    assert streams.out == "3 nodes\n"
    assert streams.err == "warning[Y5002]: the model holds nothing to quantize\n  --> m.onnx\n"
    assert main(["trial", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["nodes"] == 3
    assert [warning["code"] for warning in data["warnings"]] == ["Y5002"]


@pytest.mark.parametrize("flag", ["-q", "--quiet"])
def test_quiet_keeps_results_alone(flag: str, command: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def chatty() -> None:
        diagnostics.warn("Y5002", "nothing to quantize")
        terminal().note("next: y10c compare")
        terminal().result({}, lambda: "done")

    command(chatty)
    main(["trial", flag])
    assert capsys.readouterr() == ("done\n", "")


@pytest.mark.parametrize(("flags", "shown"), [([], ""), (["-v"], "detail\n")])
def test_verbose_adds_details(
    flags: list[str], shown: str, command: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    command(lambda: terminal().detail("detail"))
    main(["trial", *flags])
    assert capsys.readouterr().err == shown


def test_reader_that_goes_away_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    ran = subprocess.run(
        [sys.executable, "-c", "import sys; from y10c.cli.main import main; sys.exit(main(['--help']))"],
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write)
    assert ran.returncode == 141
    assert ran.stderr == b""
