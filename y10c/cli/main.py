"""`y10c`: the entry point, and the boundary where every error becomes a message and an exit code.

Exit codes: 0 done; 1 the work ran and its result is a failure; 2 wrong usage or configuration;
3 wrong model or data; 4 a bug of y10c; 130 interrupted; 141 the reader of stdout went away; 143 terminated.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from y10c import diagnostics, progress
from y10c.cli import boundary
from y10c.cli.group import root
from y10c.cli.terminal import Terminal, use
from y10c.errors import Y10cError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code and raises nothing.

    Args:
        argv: The arguments after the program's name; those of the process by default.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    flags = set(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    terminal = Terminal(json="--json" in flags and "--help" not in flags, debug="--debug" in flags)
    if "--no-color" in flags:
        os.environ["NO_COLOR"] = "1"
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names hold what no encoding does
    progress.show(True)
    try:
        with use(terminal), _terminated_like_interrupted(), diagnostics.collect(terminal.warn) as warnings:
            code, error = _guarded(arguments, terminal)
            extra: dict[str, object] = {"error": error} if error else {}
            terminal.finish(**extra, **({"warnings": warnings.as_dicts()} if warnings else {}))
            sys.stdout.flush()
            return code
    except BrokenPipeError:
        _forget_stdout()
        return boundary.BROKEN_PIPE


def _guarded(arguments: list[str], terminal: Terminal) -> tuple[int, dict[str, object] | None]:
    """The exit code of a command line, and its error as a JSON object, already shown to the person."""
    try:
        run_command(arguments)
    except BrokenPipeError:
        raise
    except BaseException as raised:
        outcome = boundary.outcome_of(raised, arguments)
        if terminal.debug:
            boundary.print_traceback(raised)
        if isinstance(outcome, Y10cError):
            terminal.complain(outcome.render())
            return outcome.exit_code, {**outcome.as_dict()}
        if outcome == boundary.INTERRUPTED:
            terminal.complain("interrupted")
        return outcome, None
    return 0, None


def run_command(arguments: list[str]) -> None:
    """Run a command line; it raises whatever the command raises."""
    group = root()
    if "_Y10C_COMPLETE" in os.environ:
        group.main(args=arguments, prog_name="y10c")
    with group.make_context("y10c", arguments or ["--help"]) as context:
        group.invoke(context)


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Let SIGTERM unwind the stack, so that half-written outputs go away as they do on ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _forget_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's last flush does not complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
