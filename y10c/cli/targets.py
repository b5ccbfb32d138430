"""`y10c targets`: the chips that y10c knows, and where each of their numbers comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from y10c.cli.terminal import table, terminal

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import RenderableType

    from y10c.targets.base import Target

targets = typer.Typer(name="targets", help="List the chips and show their data.", no_args_is_help=True)


@targets.command(name="list")
def list_targets() -> None:
    """Show every target, its marches and their other names."""
    from y10c.pipeline.target import target_kinds

    rows = [_listed(kind, march) for kind in target_kinds() for march in kind.marches()]
    columns = ("target", "march", "chip", "also called")
    shown = [
        (
            row["target"],
            f"{row['march']}{row['default'] * ' (default)'}",
            row["chip"],
            " ".join(row["aliases"]),
        )
        for row in rows
    ]
    terminal().result({"targets": rows}, lambda: table(columns, shown))


def _listed(kind: type[Target], march: str) -> dict[str, Any]:
    target = kind.create(march)
    return {
        "target": kind.name,
        "title": kind.title,
        "march": march,
        "default": march == kind.default_march,
        "chip": target.chip().title,
        "aliases": [alias for alias, name in kind.aliases().items() if name == march],
        "times": _times(target),
    }


@targets.command()
def show(
    name: Annotated[str, typer.Argument(help="A march, a target, or another name such as s100.")],
    operators: Annotated[
        bool, typer.Option("--operators", help="Print the operator list as the reference page.")
    ] = False,
) -> None:
    """Show a chip's units and every number with its source; those that are assumed are listed."""
    from y10c.check.reference import page
    from y10c.pipeline.target import find_target

    target = find_target(name)
    operator_list = target.operators()
    if operators and operator_list is not None:
        text = page(operator_list, target.title)
        terminal().result({"page": text}, lambda: text.rstrip())
        return
    data = _facts(target)
    terminal().result(data, lambda: _drawn(data))


def _times(target: Target) -> str:
    from y10c.cost.machine import load_machine

    file = target.machine_file()
    if file is None:
        return "no cost model"
    return load_machine(file).times_refused or "estimated"


def _facts(target: Target) -> dict[str, Any]:
    from dataclasses import asdict

    from y10c.cost.machine import load_machine

    chip, file = target.chip(), target.machine_file()
    machine = () if file is None else load_machine(file).numbers()
    numbers = [*chip.sourced(), *machine]
    operators = target.operators()
    return {
        "target": target.name,
        "march": target.march,
        "chip": chip.title,
        "aliases": _plain(chip.aliases),
        "units": {name: {**unit, "present": chip.has(name)} for name, unit in _plain(chip.units).items()},
        "absent": _plain(chip.absent),
        "facts": _plain(chip.words),
        "numbers": [asdict(n) for n in numbers],
        "assumed": [n.name for n in numbers if n.source.startswith("assumed")],
        "unknown": list(chip.unknown),
        "times": _times(target),
        "operators": {
            "rows": len(operators.rows) if operators else 0,
            "constraints": len(operators.constraints) if operators else 0,
        },
    }


def _plain(facts: Mapping[str, BaseModel]) -> dict[str, dict[str, Any]]:
    return {name: fact.model_dump() for name, fact in facts.items()}


def _head(data: dict[str, Any]) -> list[tuple[str, str]]:
    operators = data["operators"]
    return [
        ("chip", data["chip"]),
        ("also called", ", ".join(data["aliases"]) or "-"),
        ("times", data["times"]),
        ("operator list", f"{operators['rows']} rows, {operators['constraints']} constraints"),
        *((name, f"{fact['value']} [{fact['source']}]") for name, fact in data["facts"].items()),
        *((f"no {name}", f"[{fact['source']}]") for name, fact in data["absent"].items()),
        ("not published", "; ".join(data["unknown"]) or "-"),
    ]


def _drawn(data: dict[str, Any]) -> RenderableType:
    from rich.console import Group

    units = [
        (name, unit["role"], " ".join(unit["takes"]), " ".join(unit["gives"]), unit["source"])
        for name, unit in data["units"].items()
        if unit["present"]
    ]
    numbers = [(n["name"], f"{n['value']:g} {n['unit']}", n["source"]) for n in data["numbers"]]
    return Group(
        table(("", f"{data['target']} {data['march']}"), _head(data)),
        table(("unit", "does", "takes", "gives", "source"), units),
        table(("number", "value", "source"), numbers),
        f"assumed: {', '.join(data['assumed']) or 'none'}",
    )
