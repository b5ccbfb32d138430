"""What a command may say, and where: results on stdout, everything else on stderr.

With `--json` stdout carries exactly one object, printed when the command is over, and nothing else.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, is_dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from y10c import progress

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from y10c.diagnostics import Diagnostic

PIPE_WIDTH = 200
"""Columns of a line where stdout is no terminal: wide, so that tables are not folded."""


@dataclass
class Terminal:
    """The output of one run of the CLI.

    Args:
        json: Whether stdout carries one JSON object.
        debug: Whether tracebacks are shown.
        verbosity: -1 quiet, 0 normal, 1 and more verbose.
    """

    json: bool = False
    debug: bool = False
    verbosity: int = 0
    _object: dict[str, object] = field(default_factory=dict)

    def result(self, data: Mapping[str, object], show: Callable[[], RenderableType]) -> None:
        """Give the command's result: an object with `--json`, else what `show` draws, on stdout.

        Args:
            data: The result for programs. Paths, enums, dataclasses and numpy scalars become plain
                JSON; NaN and infinities become null. Several calls merge.
            show: Draws the result for a person: a string or anything rich renders.
        """
        if self.json:
            self._object.update(data)
            return
        drawn = show()
        if isinstance(drawn, str):
            print(drawn)
        else:
            self.console(sys.stdout).print(drawn, soft_wrap=not sys.stdout.isatty())

    def note(self, text: str) -> None:
        """Tell a person something on stderr, unless `-q`."""
        if self.verbosity >= 0:
            progress.write(text)

    def detail(self, text: str) -> None:
        """Tell a person something on stderr that only `-v` asks for."""
        if self.verbosity > 0:
            progress.write(text)

    def warn(self, warning: Diagnostic) -> None:
        """Show a warning on stderr, unless `-q`."""
        if self.verbosity >= 0:
            self.complain(warning.render())

    def complain(self, text: str) -> None:
        """Print an error or a warning in the form `kind[CODE]: ...` to stderr, coloured on a terminal."""
        if not self._coloured(sys.stderr):
            progress.write(text)
            return
        from rich.text import Text

        head, colon, rest = text.partition(":")
        colour = "bold red" if head.startswith("error") else "bold yellow"
        first, _, more = rest.partition("\n")
        styled = Text.assemble((head + colon, colour), (first, "bold"), "\n" if more else "", (more, "dim"))
        self.console(sys.stderr).print(styled, soft_wrap=True)

    def finish(self, **extra: object) -> None:
        """Print the one JSON object, with `extra` members added, if `--json` asks for it."""
        if self.json:
            print(json.dumps(plain({**self._object, **extra}), indent=2))

    def console(self, stream: TextIO) -> Console:
        """A rich console on a stream, with the widths and colours that hold for it.

        Brackets mean nothing to it: `f32[batch,3]` is a type here, not markup.
        """
        from rich.console import Console

        width = None if stream.isatty() else PIPE_WIDTH
        dull = not self._coloured(stream)
        return Console(file=stream, width=width, no_color=dull, highlight=False, markup=False)

    @staticmethod
    def _coloured(stream: TextIO) -> bool:
        return stream.isatty() and not os.environ.get("NO_COLOR")


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None) -> Table:
    """A table in the one style of the CLI; columns whose every cell is a number align right."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    drawn = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[index], int | float) for row in rows)
        drawn.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(cell if isinstance(cell, str) else f"{cell}" for cell in row))
    return drawn


_current = Terminal()


def terminal() -> Terminal:
    """The terminal of the running command."""
    return _current


@contextmanager
def use(chosen: Terminal) -> Iterator[Terminal]:
    """Make a terminal the current one for a block."""
    global _current
    before, _current = _current, chosen
    try:
        yield chosen
    finally:
        _current = before


def plain(value: Any) -> Any:
    """A value as JSON's own types: strings, numbers, booleans, null, lists and objects."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    return _plain_scalar(value.item() if hasattr(value, "item") else value)


def _plain_scalar(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, str | int | float) else str(value)
