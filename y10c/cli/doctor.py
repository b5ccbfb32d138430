"""`y10c doctor`: whether this machine can run y10c."""

from __future__ import annotations

import os
import platform
import re
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

import typer

from y10c import __version__, distribution, plugins
from y10c.cli.crash import installed_version
from y10c.cli.terminal import table, terminal

if TYPE_CHECKING:
    from rich.console import Group

MODULES = {"onnx-graphsurgeon": "onnx_graphsurgeon", "pillow": "PIL"}
"""The module of a required distribution, where it is not the distribution's own name."""

EXTRAS = ("fast", "test", "dev")


class Package(NamedTuple):
    """A package that y10c uses: `extra` is empty for the required ones, `state` is "ok" or a complaint."""

    name: str
    version: str | None
    needs: str
    extra: str
    state: str


def doctor() -> None:
    """Show versions, processors and plugins that y10c finds here, and what is missing.

    Exit code 1 says that a required package is missing, too old or does not load.
    """
    machine = _machine()
    packages = [package for extra in ("", *EXTRAS) for package in _packages(extra)]
    found = [entry for group in plugins.GROUPS for entry in plugins.entries(group).values()]
    foreign = [entry for entry in found if not entry.builtin]
    broken = [package for package in packages if not package.extra and package.state != "ok"]
    terminal().result(
        {
            "ok": not broken,
            **machine,
            "packages": [package._asdict() for package in packages],
            "plugins": [entry._asdict() for entry in foreign],
        },
        lambda: _drawn(machine, packages, foreign, broken),
    )
    if broken:
        raise typer.Exit(1)


def _machine() -> dict[str, object]:
    return {
        "y10c": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "onnxruntime_providers": _providers(),
    }


def _providers() -> list[str]:
    try:
        import onnxruntime
    except Exception:  # a broken onnxruntime is a finding, which the packages' table explains
        return []
    return list(onnxruntime.get_available_providers())


def _packages(extra: str) -> list[Package]:
    return [
        Package(name, version, needs, extra, _state(name, version, needs, extra))
        for name, needs in distribution.requirements(extra or None).items()
        for version in [installed_version(name)]
    ]


def _state(name: str, version: str | None, needs: str, extra: str) -> str:
    if version is None:
        return "not installed"
    if _numbers(version) < _numbers(needs):
        return "too old"
    if extra:
        return "ok"
    try:
        import_module(MODULES.get(name, name))
    except Exception as error:  # whatever a broken package raises is what doctor is asked for
        return f"does not load: {type(error).__name__}: {error}"
    return "ok"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _drawn(
    machine: dict[str, object], packages: list[Package], foreign: list[plugins.Entry], broken: list[Package]
) -> Group:
    from rich.console import Group

    rows = [(one.name, one.version or "-", one.needs, one.extra or "required", one.state) for one in packages]
    verdict = "ready" if not broken else f"not ready: {', '.join(one.name for one in broken)}"
    return Group(
        table(["machine", ""], [(key, _listed(value)) for key, value in machine.items()]),
        table(["package", "found", "needs at least", "for", "state"], rows),
        f"plugins: {_listed([f'{one.name} ({one.distribution})' for one in foreign])}",
        f"y10c is {verdict}",
    )


def _listed(value: object) -> str:
    return (", ".join(map(str, value)) or "none") if isinstance(value, list) else str(value)
