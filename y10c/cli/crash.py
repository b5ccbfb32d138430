"""The crash report: one JSON file that lets a developer see and repeat a bug of y10c (`y10c repro FILE`)."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import platform
import tempfile
import traceback
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from y10c import __version__, atomic, distribution
from y10c.errors import DataError, OutputError, Y10cError

BLOCK = 1 << 20
MOST_FILES = 200
MOST_BYTES = 32 << 20
"""Input files are copied into the report while they are not larger than this together."""


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
        "error": error_of(raised),
        "traceback": trace.splitlines(),
        "versions": versions(),
        "environment": {name: value for name, value in os.environ.items() if name.startswith("Y10C_")},
        "inputs": [_described(path) for path in _inputs(arguments)],
        "files": _copies(_inputs(arguments)),
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


def error_of(raised: BaseException) -> dict[str, str]:
    """What tells one failure from another: the type, and the message's first line."""
    message = raised.message if isinstance(raised, Y10cError) else str(raised)
    return {"type": type(raised).__name__, "message": (message.splitlines() or [""])[0]}


def restored(report: Mapping[str, object], path: str, folder: Path) -> Path:
    """An input of a report: where it was, if it is still the same, else its copy, written into a folder.

    Raises:
        DataError: It is another file now, or gone, and the report holds no copy.
    """
    described = {one["path"]: one for one in _records(report["inputs"])}
    copies = report["files"]
    assert isinstance(copies, dict)
    original = Path(str(report["folder"]), path)
    if original.is_file() and _described(original)["sha256"] == described[path]["sha256"]:
        return original
    if path not in copies:
        raise DataError(
            "the input is not what it was, and the report holds no copy of it",
            code="Y3101",
            where=str(original),
            help=f"its sha256 was {described[path]['sha256']}",
        )
    place = folder / "input" / Path(path).name
    atomic.write_bytes(place, zlib.decompress(base64.b64decode(copies[path])))
    return place


def _records(found: object) -> list[dict[str, object]]:
    assert isinstance(found, list)
    return found


def _inputs(arguments: list[str]) -> Iterator[Path]:
    """The files that the command line names, and the first of each folder it names."""
    for argument in arguments:
        path = Path(argument.partition("=")[2] or argument)
        if path.is_dir():
            yield from sorted(one for one in path.iterdir() if one.is_file())[:MOST_FILES]
        elif path.is_file():
            yield path


def _copies(paths: Iterator[Path]) -> dict[str, str]:
    """Compressed copies by path, as long as all together are small enough."""
    copies: dict[str, str] = {}
    left = MOST_BYTES
    for path in paths:
        left -= path.stat().st_size
        if left >= 0:
            copies[str(path)] = base64.b64encode(zlib.compress(path.read_bytes(), 1)).decode()
    return copies


def _described(path: Path) -> dict[str, object]:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return {"path": str(path), "bytes": path.stat().st_size, "sha256": digest.hexdigest()}
