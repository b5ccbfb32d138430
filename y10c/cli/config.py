"""`y10c config`: write, check and show the users' YAML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from y10c import atomic, diagnostics
from y10c.cli.terminal import table, terminal
from y10c.errors import UnknownNameError

config = typer.Typer(name="config", help="Write, check and show the users' YAML.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="The YAML.")]


@config.command()
def new(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File; else it is printed.")] = None,
    model: Annotated[Path | None, typer.Option(help="ONNX file, for the names and layout of inputs.")] = None,
    march: Annotated[str, typer.Option(help="Such as nash-e.")] = "nash-e",
    full: Annotated[bool, typer.Option("--full", help="Also the keys that keep their default.")] = False,
) -> None:
    """Write an annotated config to start from."""
    from y10c.config.keys import MARCH_ALIASES, MARCHES
    from y10c.config.template import template

    march = dict(MARCH_ALIASES).get(march.lower(), march)
    if march not in MARCHES:
        raise UnknownNameError("march", march, list(MARCHES))
    values: dict[str, Any] = {"march": march, **(_of_model(model) if model is not None else {})}
    text = template(values, full)
    if output is not None:
        atomic.write_text(output, text)
        terminal().result({"config": output}, lambda: f"written to {output}; check it with y10c config check")
    else:
        terminal().result({"text": text}, lambda: text.rstrip("\n"))


def _of_model(path: Path) -> dict[str, Any]:
    from y10c.pipeline.config import starting_values

    return starting_values(path)


@config.command()
def check(
    file: File,
    files: Annotated[
        bool, typer.Option("--files/--no-files", help="Whether the model and data must be there.")
    ] = True,
) -> None:
    """Check a config: every problem with its place, what is allowed, and the closest name.

    Exit code 0 says that it may be compiled, 2 that it may not.
    """
    from y10c.config.load import read_config
    from y10c.pipeline.config import check_files

    read = read_config(file)
    if files:
        check_files(read)
    read.findings.warn_remarks()
    remarks = len(read.findings.remarks)
    note = f", {remarks} remark{'s' * (remarks != 1)}" if remarks else ""
    given = sum(read.given(name) for name in read.settings)
    terminal().result(
        {"config": file, "ok": True, "given": given, "remarks": remarks},
        lambda: f"{file}: no problem in {given} keys{note}",
    )


@config.command()
def show(
    file: File,
    every: Annotated[bool, typer.Option("--all", help="Also the keys that keep their default.")] = False,
) -> None:
    """Show what holds: the value of each key, and where it comes from."""
    from y10c.config.load import read_config

    with diagnostics.collect():
        read = read_config(file)
    names = [name for name in read.settings if every or read.given(name)]
    settings = {name: {"value": plain(read[name]), "origin": read.settings[name].origin} for name in names}
    rows = [(name, _cell(one["value"]), str(one["origin"])) for name, one in settings.items()]
    terminal().result({"settings": settings}, lambda: table(["key", "value", "origin"], rows))


@config.command()
def schema(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File; else it is printed.")] = None,
) -> None:
    """Give the JSON schema, for editors."""
    from y10c.config.schema import json_schema

    text = json.dumps(json_schema(), indent=2) + "\n"
    if output is not None:
        atomic.write_text(output, text)
    terminal().result({"schema": output or json_schema()}, lambda: str(output or text.rstrip()))


@config.command()
def reference() -> None:
    """Print the reference page of all keys in Markdown."""
    from y10c.config.template import reference as page

    text = page()
    terminal().result({"text": text}, text.rstrip)


def plain(value: Any) -> Any:
    """A setting's value for JSON."""
    from dataclasses import asdict, is_dataclass

    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return str(value) if isinstance(value, str) else value


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
