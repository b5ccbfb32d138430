"""Progress bars and steps on stderr, only where a person looks on: never in a pipe, a log or a test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")

_shown = True
_live: Progress | None = None


def show(wanted: bool) -> None:
    """Switch progress on (on a terminal only, all the same) or off for this process."""
    global _shown
    _shown = wanted


def track(iterable: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Yield from an iterable under a progress bar.

    Args:
        iterable: What to walk.
        description: What is going on: a verb and an object.
        total: The number of items; taken from `len` where there is one.

    Yields:
        The items, unchanged.
    """
    with _display() as display:
        if display is None:
            yield from iterable
            return
        if total is None and isinstance(iterable, Sized):
            total = len(iterable)
        task = display.add_task(description, total=total)
        try:
            for item in iterable:
                yield item
                display.advance(task)
        finally:
            display.remove_task(task)


@contextmanager
def counter(description: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar for work that counts for itself.

    Args:
        description: What is going on.

    Yields:
        A function to call with (done, total).
    """
    with _display() as display:
        if display is None:
            yield lambda done, total: None
            return
        task = display.add_task(description, total=None)
        try:
            yield lambda done, total: display.update(task, completed=done, total=total)
        finally:
            display.remove_task(task)


@contextmanager
def step(description: str) -> Iterator[None]:
    """Show that something without a countable length is going on."""
    with _display() as display:
        task = None if display is None else display.add_task(description, total=None)
        try:
            yield
        finally:
            if display is not None and task is not None:
                display.remove_task(task)


def write(text: str) -> None:
    """Print lines to stderr, above the progress bars if there are any."""
    if _live is None:
        print(text, file=sys.stderr, flush=True)
    else:
        _live.console.print(text, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _display() -> Iterator[Progress | None]:
    """The one display of this process, since a terminal holds one; None where nobody looks on."""
    global _live
    if _live is not None or not _shown or not sys.stderr.isatty():
        yield _live
        return
    _live = _new_display()
    try:
        with _live:
            yield _live
    finally:
        _live = None


def _new_display() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
