"""Count float32 bit patterns: the inner loop of calibration, compiled where numba is installed.

A word of the working table packs two sums of one bin, so that an element costs a single addition: its
upper 24 bits count, its lower 40 bits add up the lower halves of the elements. Blocks of fewer than 2^24
elements cannot overflow either.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 1 << 16
BLOCK = (1 << 24) - 1
"""The most elements that a word of the working table can hold."""

Totals = NDArray[np.int64]
Tallier = Callable[[NDArray[np.float32], Totals, Totals], tuple[float, float]]
"""Adds a flat block to counts and sums of lower halves, int64 [BINS]; returns its minimum and maximum."""


@cache
def tallier() -> Tallier:
    """The fastest tallier here; all give the same bits.

    `Y10C_NO_NUMBA=1` forces numpy.
    """
    if os.environ.get("Y10C_NO_NUMBA"):
        return tally_with_numpy
    try:
        return compile_tally()
    except ImportError:
        return tally_with_numpy


def tally_with_numpy(block: NDArray[np.float32], counts: Totals, lows: Totals) -> tuple[float, float]:
    """A `Tallier` of numpy alone; float64 weights stay exact, for a block's sums are below 2^40."""
    bits = block.view(np.uint32)
    upper = (bits >> np.uint32(16)).astype(np.uint16)
    lower = (bits & np.uint32(0xFFFF)).astype(np.uint16)
    count = np.bincount(upper, minlength=BINS)
    index = np.flatnonzero(count)
    counts[index] += count[index]
    lows[index] += np.bincount(upper, weights=lower, minlength=BINS)[index].astype(np.int64)
    with np.errstate(invalid="ignore"):
        return float(block.min()), float(block.max())


@cache
def compile_tally() -> Tallier:
    """A `Tallier` compiled by numba, which releases the GIL.

    Raises:
        ImportError: numba is not installed.
    """
    from importlib import import_module

    numba: Any = import_module("numba")
    readable = {
        name: numba.types.Array(getattr(numba, name), 1, "C", readonly=True) for name in ("float32", "uint32")
    }
    result = numba.types.UniTuple(numba.float32, 2)
    signature = result(
        readable["float32"],
        readable["uint32"],
        numba.uint64[::1],
        numba.int64[::1],
        numba.int64[::1],
        numba.int64[::1],
    )
    compiled = numba.njit(signature, nogil=True)(_tally_loop)
    local = threading.local()

    def tally_compiled(block: NDArray[np.float32], counts: Totals, lows: Totals) -> tuple[float, float]:
        # The loop leaves the table as empty as it found it.
        if not hasattr(local, "table"):
            local.table, local.occupied = np.zeros(BINS, np.uint64), np.zeros(BINS, np.int64)
        scratch = local.table, local.occupied
        return compiled(block, block.view(np.uint32), *scratch, counts, lows)  # type: ignore[no-any-return]

    return tally_compiled


def _tally_loop(
    values: NDArray[np.float32],
    bits: NDArray[np.uint32],
    table: NDArray[np.uint64],
    occupied: NDArray[np.int64],
    counts: Totals,
    lows: Totals,
) -> tuple[np.float32, np.float32]:
    low = values[0]
    high = values[0]
    one = np.uint64(1 << 40)
    for i in range(bits.size):
        value = values[i]
        word = bits[i]
        if value < low:
            low = value
        if value > high:
            high = value
        table[word >> np.uint32(16)] += one | np.uint64(word & np.uint32(0xFFFF))
    # Two loops: in one, the compiler masks its stores, and a masked store into a page that was never written
    # costs a fault on each of the 65,536 bins, 12 ms a call.
    number = 0
    for bin in range(table.size):
        occupied[number] = bin
        number += table[bin] != np.uint64(0)
    for i in range(number):
        bin = occupied[i]
        total = table[bin]
        counts[bin] += np.int64(total >> np.uint64(40))
        lows[bin] += np.int64(total & (one - np.uint64(1)))
        table[bin] = np.uint64(0)
    return low, high
