"""Rounding of weights so that the outputs move least, not the weights.

`error_feedback` rounds one input after another and lets the inputs that are still free make up for the
error: E. Frantar et al., "GPTQ", ICLR 2023 (arXiv 2210.17323), itself B. Hassibi and D. Stork, "Optimal
Brain Surgeon", 1993. `descend` then moves single integers while that lowers the same quadratic form,
which is coordinate descent on the integer least-squares problem.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
Steps = NDArray[np.int32]


def output_error(difference: NDArray[Any], second: NDArray[Any]) -> Reals:
    """Mean squared change of each output, `d S d^T` for each row of `difference` `[O, K]`; `[O]`."""
    error: Reals = np.einsum("ok,ok->o", difference @ second, difference, dtype=np.float64)
    return error


def error_feedback(
    w: NDArray[Any],
    second: NDArray[Any],
    scale: NDArray[Any],
    *,
    bits: int = 8,
    damping: float = 0.01,
    block: int = 64,
) -> Steps:
    """Integers `[O, K]` that keep `w x` rather than `w`, for inputs `x` of second moment `second`.

    Inputs are rounded by falling energy, so that the loud ones find the most partners to correct them.

    Args:
        w: Weights `[O, K]`.
        second: `E[x x^T]` or the covariance, `[K, K]`, positive semidefinite.
        scale: Step of each output channel, `[O]`.
        bits: Width; the grid is narrow, `[-(2^(bits-1) - 1), 2^(bits-1) - 1]`.
        damping: Share of the mean diagonal that is added to it; keeps the inverse tame.
        block: Columns rounded between two updates of all the rest.

    Raises:
        ValueError: `second` is not finite.
    """
    if not np.isfinite(second).all():
        raise ValueError("the second moment holds NaN or infinity")
    order = np.argsort(-np.diag(second), kind="stable")
    upper = _inverse_factor(second[np.ix_(order, order)].astype(np.float64), damping)
    limit = (1 << (bits - 1)) - 1
    rest = (w[:, order] / scale[:, None]).astype(np.float64)
    steps = np.zeros(w.shape, np.int32)
    for start in range(0, w.shape[1], block):
        stop = min(start + block, w.shape[1])
        errors = np.zeros((w.shape[0], stop - start))
        for k in range(start, stop):
            rounded = np.clip(np.rint(rest[:, k]), -limit, limit)
            steps[:, order[k]] = rounded.astype(np.int32)
            error = (rest[:, k] - rounded) / upper[k, k]
            rest[:, k:stop] -= error[:, None] * upper[k, k:stop]
            errors[:, k - start] = error
        rest[:, stop:] -= errors @ upper[start:stop, stop:]
    return steps


def descend(
    w: NDArray[Any],
    second: NDArray[Any],
    scale: NDArray[Any],
    steps: Steps,
    *,
    bits: int = 8,
    sweeps: int = 2,
) -> Steps:
    """Integers whose output error is nowhere above that of `steps`, by coordinate descent.

    Args:
        w: Weights `[O, K]`.
        second: `[K, K]`, as for `error_feedback`.
        scale: `[O]`.
        steps: Start, `[O, K]`; not changed.
        bits: Width of the narrow grid.
        sweeps: Passes over all inputs.
    """
    limit = (1 << (bits - 1)) - 1
    moment = second.astype(np.float64)
    found = steps.astype(np.float64)
    gradient = (found - w / scale[:, None]) @ moment
    for k in np.tile(np.flatnonzero(np.diag(moment) > 0), sweeps):
        wanted = np.rint(found[:, k] - gradient[:, k] / moment[k, k])
        change = np.clip(wanted, -limit, limit) - found[:, k]
        rows = np.flatnonzero(change)
        found[rows, k] += change[rows]
        gradient[rows] += change[rows, None] * moment[k]
    return found.astype(np.int32)


def round_grouped(
    w: NDArray[Any],
    second: NDArray[Any],
    scale: NDArray[Any],
    *,
    bits: int = 8,
    damping: float = 0.01,
    sweeps: int = 2,
) -> Steps:
    """`error_feedback`, then `descend`, for a convolution weight `[O, C / group, kh, kw]`.

    Args:
        w: The weight, any rank; the first axis is the outputs.
        second: One `[K, K]` for each group: `[group, K, K]`.
        scale: `[O]`.
        bits: Width of the narrow grid.
        damping: See `error_feedback`.
        sweeps: See `descend`.

    Returns:
        int32 integers of the shape of `w`.
    """
    group, outputs = second.shape[0], w.shape[0]
    rows = w.reshape(group, outputs // group, -1)
    scales = scale.reshape(group, -1)
    steps = np.empty(rows.shape, np.int32)
    for g in range(group):
        first = error_feedback(rows[g], second[g], scales[g], bits=bits, damping=damping)
        steps[g] = descend(rows[g], second[g], scales[g], first, bits=bits, sweeps=sweeps)
    return steps.reshape(w.shape)


def _inverse_factor(second: Reals, damping: float) -> Reals:
    """The upper Cholesky factor of the inverse of the damped moment."""
    diagonal = np.diag(second)
    floor = max(damping * float(diagonal.mean()), 1e-12)
    damped = second + np.diag(np.where(diagonal > 0, floor, 1.0))
    factor: Reals = np.linalg.cholesky(np.linalg.inv(damped)).T
    return factor
