"""What y10c declares about itself: its entry points and its requirements.

In a source tree pyproject.toml is read, since the metadata of an editable install goes stale at its
first edit and an uninstalled tree has none; elsewhere the installed metadata is the same declaration.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

NAME = "y10c"


def entry_points(group: str) -> dict[str, str]:
    """The built-in entry points of a group: name -> `module:attribute`."""
    project = _source_project()
    if project is not None:
        return dict(project.get("entry-points", {}).get(group, {}))
    from importlib.metadata import distribution

    return {point.name: point.value for point in distribution(NAME).entry_points.select(group=group)}


def requirements(extra: str | None = None) -> dict[str, str]:
    """The requirements of y10c or of one of its extras: distribution name -> lower bound, or ''."""
    project = _source_project()
    if project is not None:
        declared = project["dependencies"] if extra is None else project["optional-dependencies"][extra]
        return dict(map(_parsed, declared))
    from importlib.metadata import requires

    marker = f'extra == "{extra}"'
    lines = [line.partition(";") for line in requires(NAME) or []]
    return dict(
        _parsed(line)
        for line, _, condition in lines
        if (marker in condition if extra else "extra ==" not in condition)
    )


def _parsed(requirement: str) -> tuple[str, str]:
    name, _, bound = requirement.strip().partition(">=")
    return re.split(r"[^\w.-]", name.strip())[0], bound.strip()


@lru_cache(maxsize=1)
def _source_project() -> dict[str, Any] | None:
    """The `[project]` table of the source tree that this module lies in, or None if it is installed."""
    path = Path(__file__).resolve().parents[1] / "pyproject.toml"
    if not path.is_file():
        return None
    import tomllib

    project: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {})
    return project if project.get("name") == NAME else None
