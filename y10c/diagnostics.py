"""Warnings that a person sees: collected once each, shown on stderr, attached to reports.

They have the form of errors (`y10c.errors`) and do not stop the work::

    warning[Y5001]: calibrated on generated images: the accuracy of this model is unknown
       = help: pass --calibration DIR with images like those of the application
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass

WARNING_CODES: dict[str, str] = {
    "Y5001": "calibration ran on generated data, so the accuracy is unknown",
    "Y5002": "the model holds nothing to quantize",
    "Y5003": "a calibration file was skipped, or looks odd",
    "Y5004": "a part of the model falls back to the host or to float",
    "Y5005": "a figure rests on assumed numbers",
    "Y5006": "a part of the model was left out or replaced",
    "Y5007": "a setting has no effect",
    "Y5008": "the decode tail of a detector is quantized",
    "Y5101": "a plugin cannot be loaded",
    "Y5102": "two plugins use the same name",
}
"""What each code means."""


@dataclass(frozen=True)
class Diagnostic:
    """One warning.

    Args:
        code: A key of `WARNING_CODES`.
        message: One sentence without a final stop.
        where: File, `file:line:column`, or `file: node "name"`.
        help: What to do about it.

    Raises:
        ValueError: The code is unknown.
    """

    code: str
    message: str
    where: str | None = None
    help: str | None = None

    def __post_init__(self) -> None:
        if self.code not in WARNING_CODES:
            raise ValueError(f"unknown warning code {self.code}")

    def render(self) -> str:
        """The warning as the lines that the CLI prints."""
        lines = [f"warning[{self.code}]: {self.message}"]
        lines += [f"  --> {self.where}"] if self.where else []
        lines += [f"   = help: {self.help}"] if self.help else []
        return "\n".join(lines)

    def as_dict(self) -> dict[str, str | None]:
        """The warning as a JSON object."""
        return asdict(self)


class Diagnostics:
    """The warnings of one run, in the order of their first appearance.

    Args:
        listener: Called with each new warning as it comes.
    """

    def __init__(self, listener: Callable[[Diagnostic], object] | None = None) -> None:
        self._found: dict[Diagnostic, None] = {}
        self._listener = listener

    def add(self, diagnostic: Diagnostic) -> None:
        """Keep a warning, and tell the listener, unless the same one came before."""
        if diagnostic in self._found:
            return
        self._found[diagnostic] = None
        if self._listener is not None:
            self._listener(diagnostic)

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def as_dicts(self) -> list[dict[str, str | None]]:
        """The warnings as JSON objects."""
        return [diagnostic.as_dict() for diagnostic in self]


_collectors: ContextVar[tuple[Diagnostics, ...]] = ContextVar("_collectors", default=())


@contextmanager
def collect(listener: Callable[[Diagnostic], object] | None = None) -> Iterator[Diagnostics]:
    """Collect the warnings of a block; blocks nest, and outer ones see what inner ones see."""
    found = Diagnostics(listener)
    token = _collectors.set((*_collectors.get(), found))
    try:
        yield found
    finally:
        _collectors.reset(token)


def warn(code: str, message: str, *, where: str | None = None, help: str | None = None) -> None:
    """Warn a person; where nobody collects, the logger `y10c` gets it (and prints it by default).

    Args:
        code: A key of `WARNING_CODES`.
        message: One sentence without a final stop.
        where: File, line or node.
        help: What to do about it.

    Raises:
        ValueError: The code is unknown.
    """
    diagnostic = Diagnostic(code, message, where, help)
    for found in _collectors.get():
        found.add(diagnostic)
    if not _collectors.get():
        logging.getLogger("y10c").warning(diagnostic.render())
