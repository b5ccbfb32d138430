"""Python's collector of cyclic garbage, kept from scanning a graph again and again while it grows."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """No collection inside.

    Ops and values refer to each other, so a graph is one large cycle; collecting while it is built or
    rewritten walks all of it, every time it has grown by a quarter, and finds nothing to free.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
