"""Count float32 bit patterns: the inner loop of calibration, compiled where numba is installed.

A word of the tally packs two sums of one bin, so that an element costs a single addition: its upper 24
bits count, its lower 40 bits add up the lower halves of the elements. Blocks of fewer than 2^24
elements cannot overflow either.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 1 << 16
BLOCK = (1 << 24) - 1
"""The most elements that one tally holds."""

Tallier = Callable[[NDArray[np.float32], NDArray[np.uint64]], tuple[float, float]]
"""Adds a flat block to a tally of `BINS` words and returns the block's minimum and maximum."""

_COUNT_SHIFT = 40
_LOW_MASK = (1 << _COUNT_SHIFT) - 1


def unpack(tally: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split a tally into counts and sums of lower halves."""
    counts = (tally >> np.uint64(_COUNT_SHIFT)).astype(np.int64)
    return counts, (tally & np.uint64(_LOW_MASK)).astype(np.int64)


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


def tally_with_numpy(block: NDArray[np.float32], tally: NDArray[np.uint64]) -> tuple[float, float]:
    """A `Tallier` of numpy alone; float64 weights stay exact, for a block's sums are below 2^40."""
    bits = block.view(np.uint32)
    upper = (bits >> np.uint32(16)).astype(np.uint16)
    lower = (bits & np.uint32(0xFFFF)).astype(np.uint16)
    counts = np.bincount(upper, minlength=BINS).astype(np.uint64)
    lows = np.bincount(upper, weights=lower, minlength=BINS).astype(np.uint64)
    tally += (counts << np.uint64(_COUNT_SHIFT)) + lows
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
    compiled = numba.njit(
        "UniTuple(float32, 2)(float32[::1], uint32[::1], uint64[::1])", nogil=True, cache=False
    )(_tally_loop)

    def tally_compiled(block: NDArray[np.float32], tally: NDArray[np.uint64]) -> tuple[float, float]:
        return compiled(block, block.view(np.uint32), tally)  # type: ignore[no-any-return]

    return tally_compiled


def _tally_loop(
    values: NDArray[np.float32], bits: NDArray[np.uint32], tally: NDArray[np.uint64]
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
        tally[word >> np.uint32(16)] += one | np.uint64(word & np.uint32(0xFFFF))
    return low, high
