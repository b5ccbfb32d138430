"""The commands of `y10c`: one line each, imported when called or listed.

A command is a function (its signature is the command line, its docstring the help) or a `typer.Typer`
with subcommands, in a module of its own under `y10c/cli/` that imports nothing heavy at its top.
"""

from __future__ import annotations

COMMANDS: dict[str, str] = {
    "doctor": "y10c.cli.doctor:doctor",
}
"""Name -> `module:attribute`, in the order of the help."""
