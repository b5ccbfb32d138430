"""Scales and zero points from ranges, and the integer grid itself.

Every integer here is signed: activations may have a zero point, weights never do.
Source of the semantics: ONNX operators QuantizeLinear and DequantizeLinear (round half to even, saturate).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

_DTYPES: dict[int, np.dtype[Any]] = {8: np.dtype(np.int8), 16: np.dtype(np.int16), 32: np.dtype(np.int32)}


def integer_range(bits: int, *, narrow: bool = False) -> tuple[int, int]:
    """The least and greatest signed integer of `bits` bits; `narrow` leaves out the least one.

    Raises:
        ValueError: `bits` is below 2.
    """
    if bits < 2:
        raise ValueError(f"a signed grid needs at least 2 bits, got {bits}")
    high = (1 << (bits - 1)) - 1
    return -high if narrow else -high - 1, high


def choose_qparams(
    low: float,
    high: float,
    *,
    bits: int = 8,
    symmetric: bool = True,
    narrow: bool = False,
    power_of_two: bool = False,
) -> tuple[float, int]:
    """The scale and zero point whose grid covers `[low, high]` and holds zero exactly.

    A range that misses zero is widened to it, because padding and Relu need an exact zero. A range of
    width zero gives scale 1. The scale is representable in float32, as the ONNX file stores it, and the
    zero point is derived from that stored scale.

    Args:
        low: Least real value to cover.
        high: Greatest real value to cover.
        bits: Width of the signed integer.
        symmetric: Zero point 0.
        narrow: Leave out the least integer.
        power_of_two: Round the scale up to a power of two.

    Raises:
        ValueError: The range is not finite, or `low > high`.
    """
    if not (np.isfinite(low) and np.isfinite(high)) or low > high:
        raise ValueError(f"not a range: [{low}, {high}]")
    least, greatest = integer_range(bits, narrow=narrow)
    low, high = min(low, 0.0), max(high, 0.0)
    raw = max(high / greatest, low / least) if symmetric else (high - low) / (greatest - least)
    scale = _storable(raw, power_of_two)
    return scale, 0 if symmetric else int(np.clip(np.rint(least - low / scale), least, greatest))


def weight_qparams(
    w: NDArray[Any],
    axis: int | None = 0,
    bits: int = 8,
    narrow: bool = True,
    clip: NDArray[Any] | float | None = None,
) -> tuple[Floats, Ints]:
    """Symmetric scales of a weight, one per index of `axis` (or one for all where it is None).

    A channel that is all zero gets scale 1.

    Args:
        w: The weight, any rank.
        axis: Axis of the output channels.
        bits: Width of the signed integer.
        narrow: Leave out the least integer, so that `-w` is representable wherever `w` is.
        clip: Share of each channel's maximum that is kept, in (0, 1]; see `clipping`.

    Returns:
        float32 scale `[C]` and int32 zero points `[C]`, all zero.

    Raises:
        ValueError: The weight holds NaN or infinity.
    """
    magnitude = (
        np.abs(w.reshape(1, -1))
        if axis is None
        else np.abs(np.moveaxis(w, axis, 0)).reshape(w.shape[axis], -1)
    )
    peak = magnitude.max(axis=1, initial=0.0).astype(np.float64)
    if not np.isfinite(peak).all():
        raise ValueError("the weight holds NaN or infinity")
    scale = peak / integer_range(bits, narrow=narrow)[1]
    scale = np.where(scale > 0, scale if clip is None else scale * clip, 1.0)
    scale = np.maximum(scale, np.finfo(np.float32).tiny).astype(np.float32)
    return scale, np.zeros(scale.shape, np.int32)


def quantize(
    x: NDArray[Any],
    scale: NDArray[Any] | float,
    zero: NDArray[Any] | int = 0,
    bits: int = 8,
    axis: int | None = None,
    *,
    narrow: bool = False,
) -> NDArray[Any]:
    """Integers `clip(round_half_even(x / scale) + zero)`, shape of `x`, dtype int8, int16 or int32.

    The division is float32, as ONNX runtimes do it, so the integers equal theirs.

    Raises:
        ValueError: `bits` is none of 8, 16, 32.
    """
    if bits not in _DTYPES:
        raise ValueError(f"no integer type of {bits} bits")
    least, greatest = integer_range(bits, narrow=narrow)
    s, z = _along(scale, x.ndim, axis), _along(zero, x.ndim, axis)
    steps = np.rint(x.astype(np.float32) / s.astype(np.float32)).astype(np.float64)
    integers: NDArray[Any] = np.clip(steps + z, least, greatest).astype(_DTYPES[bits])
    return integers


def dequantize(
    q: NDArray[Any],
    scale: NDArray[Any] | float,
    zero: NDArray[Any] | int = 0,
    axis: int | None = None,
) -> Floats:
    """Reals `(q - zero) * scale` in float32, shape of `q`."""
    s, z = _along(scale, q.ndim, axis), _along(zero, q.ndim, axis)
    reals: Floats = (q.astype(np.int64) - z).astype(np.float32) * s.astype(np.float32)
    return reals


def _storable(scale: float, power_of_two: bool) -> float:
    if scale <= 0:
        return 1.0
    if power_of_two:
        scale = float(2.0 ** np.ceil(np.log2(scale)))
    return float(np.float32(max(scale, float(np.finfo(np.float32).tiny))))


def _along(values: NDArray[Any] | float, ndim: int, axis: int | None) -> NDArray[Any]:
    array = np.asarray(values)
    if axis is None or array.ndim == 0:
        return array
    shape = [1] * ndim
    shape[axis] = -1
    return array.reshape(shape)
