"""The crash report: one JSON file that lets a developer see and repeat a bug of y10c."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

from y10c import __version__, atomic, distribution
from y10c.errors import OutputError

BLOCK = 1 << 20
MOST_FILES = 200


def write_report(raised: BaseException, arguments: list[str]) -> Path:
    """Write the report into the working folder, or the temporary one; equal crashes share a name.

    Args:
        raised: The exception, with its traceback.
        arguments: The command line after the program's name.

    Returns:
        The path written.

    Raises:
        OutputError: Neither folder can be written.
    """
    trace = "".join(traceback.format_exception(raised))
    report = {
        "command": ["y10c", *arguments],
        "folder": str(Path.cwd()),
        "traceback": trace.splitlines(),
        "versions": versions(),
        "environment": {name: value for name, value in os.environ.items() if name.startswith("Y10C_")},
        "inputs": list(_inputs(arguments)),
    }
    name = f"y10c-crash-{hashlib.sha256(trace.encode(errors='replace')).hexdigest()[:8]}.json"
    text = json.dumps(report, indent=2) + "\n"
    try:
        atomic.write_text(name, text)
        return Path(name)
    except OutputError:
        path = Path(tempfile.gettempdir()) / name
        atomic.write_text(path, text)
        return path


def versions() -> dict[str, str | None]:
    """The versions of y10c, Python, the system and every requirement; None where one is missing."""
    return {
        "y10c": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{name: installed_version(name) for name in distribution.requirements()},
    }


def installed_version(name: str) -> str | None:
    """The installed version of a distribution, or None."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _inputs(arguments: list[str]) -> Iterator[dict[str, object]]:
    """The files that the command line names, and the first of each folder it names."""
    for argument in arguments:
        path = Path(argument.partition("=")[2] or argument)
        if path.is_dir():
            files = sorted(one for one in path.iterdir() if one.is_file())[:MOST_FILES]
        else:
            files = [path] if path.is_file() else []
        yield from map(_described, files)


def _described(path: Path) -> dict[str, object]:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return {"path": str(path), "bytes": path.stat().st_size, "sha256": digest.hexdigest()}
