"""`y10c repro`: replay what a file says went wrong."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from y10c.cli.terminal import terminal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def repro(
    file: Annotated[Path, typer.Argument(help="Written by bisect or reduce, or y10c-crash-*.json.")],
) -> None:
    """Replay a reproducer: exit code 1 where the failure happens again, 0 where it is gone.

    So `git bisect run y10c repro FILE` finds the commit that broke it. A crash report replays its command
    line in a temporary folder, on the inputs that it holds.
    """
    from y10c.pipeline.repro import Reproduced, read_json

    recorded, now, again = _command(file) if "command" in read_json(file) else _pipeline(file)
    result = {"file": str(file), "recorded": recorded, "now": now, "reproduced": again}
    if again:
        terminal().result(result, lambda: f"recorded: {recorded}")
        raise Reproduced(f"it happens again: {now}", where=str(file))
    terminal().result(result, lambda: f"gone: it was {recorded}\n  now: {now}")


def _pipeline(file: Path) -> tuple[str, str, bool]:
    """What a recorded pipeline did, what it does now, and whether that is the same failure."""
    from y10c.pipeline.repro import load_reproducer, replay

    found = load_reproducer(file)
    now = replay(found)
    return found.verdict.why, now.why, now.broken and now.signature == found.verdict.signature


def _command(file: Path) -> tuple[str, str, bool]:
    """The same for a recorded command line."""
    from y10c.cli.crash import error_of
    from y10c.pipeline.repro import read_json

    report = read_json(file)
    with tempfile.TemporaryDirectory() as folder:
        arguments = _arguments(report, Path(folder))
        raised = _run(arguments, Path(folder))
    recorded = report["error"]
    now = error_of(raised) if raised is not None else None
    said = "it runs through" if now is None else f"{now['type']}: {now['message']}"
    return f"{recorded['type']}: {recorded['message']}", said, now == recorded


def _arguments(report: Mapping[str, Any], folder: Path) -> list[str]:
    """The command line on the recorded inputs; what it writes goes into the folder.

    Raises:
        DataError: An input is neither in the report nor where it was.
    """
    from y10c.cli.crash import restored

    places = {one["path"]: str(restored(report, one["path"], folder)) for one in report["inputs"]}
    arguments = [_replaced(argument, places, report["folder"]) for argument in report["command"][1:]]
    for index, argument in enumerate(arguments[:-1]):
        if argument in ("-o", "--output"):
            arguments[index + 1] = str(folder / "output" / Path(arguments[index + 1]).name)
    return arguments


def _replaced(argument: str, places: Mapping[str, str], home: str) -> str:
    name, equals, value = argument.rpartition("=")
    if Path(home, value).is_dir() and value:
        return name + equals + str(Path(home, value))
    return name + equals + places.get(value, value)


def _run(arguments: Sequence[str], folder: Path) -> BaseException | None:
    from y10c.cli.main import run_command

    before = Path.cwd()
    os.chdir(folder)
    try:
        run_command(list(arguments))
    except (Exception, SystemExit) as error:  # what the command raises is what is looked for
        return error
    finally:
        os.chdir(before)
    return None
