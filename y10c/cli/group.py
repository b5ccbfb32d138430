"""The group `y10c`: commands that load on demand, each with the shared options."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from y10c import __version__, progress
from y10c.cli.commands import COMMANDS
from y10c.cli.terminal import terminal
from y10c.errors import UnknownNameError


class LazyGroup(TyperGroup):
    """A group that lists its commands from a table and imports one when it is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all commands, in the order of their table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """What the help needs of a command, or None; `resolve_command` imports the command itself."""
        known = COMMANDS.get(cmd_name)
        return known and TyperCommand(cmd_name, help=known.summary, rich_markup_mode="markdown")

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the arguments name.

        Raises:
            UnknownNameError: There is none of that name.
        """
        name, *rest = args
        if name in COMMANDS:
            return name, load_command(name), rest
        if name.startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        raise UnknownNameError("command", name, list(COMMANDS))


def root() -> Any:
    """The group `y10c` itself."""
    app = typer.Typer(cls=LazyGroup, rich_markup_mode="markdown")
    app.callback()(_y10c)
    group: Any = typer.main.get_command(app)
    _share_options(group)
    return group


def load_command(name: str) -> TyperCommand | TyperGroup:
    """Import the command of a name and give it, and its subcommands, the shared options."""
    module, _, attribute = COMMANDS[name].target.partition(":")
    declared = getattr(import_module(module), attribute)
    is_group = isinstance(declared, typer.Typer)
    command = typer.main.get_group(declared) if is_group else _single(declared, name)
    command.name = name
    _share_options(command)
    return command


def _single(function: Any, name: str) -> Any:
    app = typer.Typer(rich_markup_mode="markdown", add_completion=False)
    app.command(name)(function)
    return typer.main.get_command(app)


def _share_options(command: TyperCommand | TyperGroup) -> None:
    shared: list[Any] = _single(_shared_options, "shared").params
    for option in shared:
        option.expose_value = False
        option.rich_help_panel = "Shared options"
    command.params = [*command.params, *shared]
    for inner in getattr(command, "commands", {}).values():
        _share_options(inner)


def _print_version(wanted: bool) -> None:
    if wanted:
        terminal().result({"version": __version__}, lambda: f"y10c {__version__}")
        raise typer.Exit


def _y10c(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Take ONNX networks to INT8: compile, look inside, compare, explain."""


def _set_quiet(wanted: bool) -> None:
    if wanted:
        terminal().verbosity = -1
        progress.show(False)


def _add_verbosity(count: int) -> None:
    terminal().verbosity += count


def _shared_options(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress, notes or warnings.", callback=_set_quiet)
    ] = False,
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose", "-v", count=True, show_default=False, help="More detail.", callback=_add_verbosity
        ),
    ] = 0,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colour, like NO_COLOR=1.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """The options of every command.

    `--json`, `--no-color` and `--debug` must hold even for a command line that does not parse, so
    `main` looks for them itself.
    """
