"""Files and folders that appear whole or not at all: written beside their place, then renamed.

Whatever ends the work early (an error, ctrl-C) removes what was begun and leaves what stood there before.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from y10c.errors import OutputError


@contextmanager
def file(path: Path | str) -> Iterator[Path]:
    """A path to write to, which becomes `path` when the block ends well.

    The temporary name keeps the suffix, since writers choose their format by it. Devices and pipes
    (`/dev/null`) are written directly. Missing parent folders are made.

    Args:
        path: The file to write; a symlink is followed.

    Yields:
        The path to write to, in the same folder.

    Raises:
        OutputError: The folder cannot be written, or `path` is a folder.
    """
    target = Path(path).resolve()
    if target.is_dir():
        raise OutputError("the output file is a folder", where=str(path), help="name a file inside it")
    if target.exists() and not target.is_file():
        yield target
        return
    made = _make_parents(target)
    temporary = target.with_name(f".{token_hex(4)}.{target.name}")
    try:
        with _refused(path):
            temporary.touch(exist_ok=False)
        yield temporary
        with _refused(path):
            temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        _remove_empty(made)
        raise


def write_text(path: Path | str, text: str) -> None:
    """Write a UTF-8 file whole or not at all; raises OutputError."""
    with file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_bytes(path: Path | str, data: bytes) -> None:
    """Write a binary file whole or not at all; raises OutputError."""
    with file(path) as temporary:
        temporary.write_bytes(data)


@contextmanager
def folder(path: Path | str) -> Iterator[Path]:
    """A folder to fill, whose files move into `path` when the block ends well.

    Files that stand in `path` under other names stay; those under the same names are replaced.

    Args:
        path: The folder to write, made if missing, parents too.

    Yields:
        An empty folder on the same file system.

    Raises:
        OutputError: The folder cannot be made or written; known before the block runs.
    """
    target = Path(path).resolve()
    if target.exists() and not target.is_dir():
        raise OutputError("the output folder is a file", where=str(path), help="choose another folder")
    made = _make_parents(target / "any")
    temporary = target / f".{token_hex(4)}.tmp"
    try:
        with _refused(path):
            temporary.mkdir()
        yield temporary
        with _refused(path):
            _move_into(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        _remove_empty(made)
        raise


def _move_into(source: Path, target: Path) -> None:
    for entry in sorted(source.iterdir()):
        place = target / entry.name
        if entry.is_dir() and place.is_dir():
            _move_into(entry, place)
        else:
            entry.replace(place)
    source.rmdir()


def _make_parents(target: Path) -> list[Path]:
    """Make the folders above a file; returns those that were missing, the innermost first."""
    with _refused(target.parent):
        missing = [parent for parent in target.parents if not parent.exists()]
        if not target.parents[len(missing)].is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError:
            _remove_empty(missing)
            raise
    return missing


def _remove_empty(folders: list[Path]) -> None:
    for one in folders:
        with suppress(OSError):
            one.rmdir()


@contextmanager
def _refused(path: Path | str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise OutputError(
            f"the output cannot be written: {reason}", where=str(path), help="choose another place with -o"
        ) from error
