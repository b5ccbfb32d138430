"""What an exception that reaches the command line means: an error to show, or an exit code."""

from __future__ import annotations

import errno
import os
import sys
import traceback

import typer

from y10c.errors import InternalError, OutputError, UsageError, Y10cError

INTERRUPTED = 130
BROKEN_PIPE = 141

NO_BUGS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE}
"""Errors of the machine that a user can mend: full or forbidden disks, too many open files."""


def outcome_of(raised: BaseException, arguments: list[str]) -> Y10cError | int:
    """The error to show a person for an exception, or the exit code of one that ends quietly.

    A bug of y10c leaves a crash report, whose path the error names.

    Args:
        raised: What the command raised.
        arguments: The command line, for the crash report.
    """
    match raised:
        case SystemExit() if isinstance(raised.__context__, BrokenPipeError):
            return BROKEN_PIPE  # rich exits with 1 of its own accord
        case typer.Exit() | SystemExit():
            return _exit_code(raised)
        case KeyboardInterrupt() | typer.Abort():
            return INTERRUPTED
        case InternalError():
            return _reported(raised, raised, arguments)
        case Y10cError():
            return raised
        case typer.TyperException():
            return _usage_error(raised)
        case OSError() if raised.errno in NO_BUGS:
            reason = os.strerror(raised.errno)
            return OutputError(f"the system refused: {reason}", where=_path_of(raised))
        case _:
            wrapped = InternalError(f"{type(raised).__name__}: {_first_line(raised)}")
            return _reported(wrapped, raised, arguments)


def print_traceback(raised: BaseException) -> None:
    """Print where an exception came from, to stderr; quiet exits have nothing to tell."""
    if not isinstance(raised, typer.Exit | SystemExit):
        traceback.print_exception(raised, file=sys.stderr)


def _reported(error: InternalError, raised: BaseException, arguments: list[str]) -> InternalError:
    from y10c.cli import crash

    try:
        path = crash.write_report(raised, arguments)
        advice = f"this is a bug of y10c: report it with the file {path}, or look with --debug"
    except (OSError, OutputError):
        advice = "this is a bug of y10c, and no crash report could be written: run it again with --debug"
    error.help = f"{error.help}; {advice}" if error.help else advice
    return error


def _usage_error(raised: typer.TyperException) -> UsageError:
    context = getattr(raised, "ctx", None)
    command = context.command_path if context is not None else "y10c"
    return UsageError(" ".join(raised.format_message().split()).rstrip("."), help=f"see {command} --help")


def _exit_code(raised: typer.Exit | SystemExit) -> int:
    code = raised.exit_code if isinstance(raised, typer.Exit) else raised.code
    return code if isinstance(code, int) else int(code is not None)


def _path_of(raised: OSError) -> str | None:
    return None if raised.filename is None else os.fsdecode(raised.filename)


def _first_line(raised: BaseException) -> str:
    return (str(raised).splitlines() or ["no message"])[0].rstrip(".")
