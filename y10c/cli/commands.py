"""The commands of `y10c`: one line each, imported when called.

A command is a function (its signature is the command line, its docstring the help) or a `typer.Typer`
with subcommands, in a module of its own under `y10c/cli/` that imports nothing heavy at its top.
"""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """Where a command is (`module:attribute`), and its line in `y10c --help`, which imports none of them."""

    target: str
    summary: str


COMMANDS: dict[str, Command] = {
    "compile": Command("y10c.cli.compile:compile", "Compile an ONNX model to INT8 with a cost report."),
    "doctor": Command("y10c.cli.doctor:doctor", "Show what y10c finds on this machine, and what is missing."),
}
"""Every command by name, in the order of the help."""
