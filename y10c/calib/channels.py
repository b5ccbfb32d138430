"""Ranges of single channels, where one is asked for: exact extrema, in one pass over the data.

A tensor's own range comes from its sketch. What equalization and smoothing ask, and a person who looks for a
channel that stretches the rest, is the least and greatest value of each channel, which two numbers hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from y10c.calib.collect import mapped
from y10c.calib.dataset import Dataset
from y10c.calib.observers import Range
from y10c.errors import DataError

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class ChannelRanges:
    """The least and greatest value of each channel of a tensor: a commutative monoid under `merged`.

    Args:
        low: float64 [channels]; +inf where nothing was seen.
        high: float64 [channels]; -inf where nothing was seen.
    """

    low: Reals
    high: Reals

    @classmethod
    def of(cls, array: NDArray[Any], axis: int) -> ChannelRanges:
        """Those of one array.

        Raises:
            DataError: It holds NaN or Inf (Y3103).
        """
        rows = np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1)
        low, high = rows.min(axis=1), rows.max(axis=1)
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            raise DataError("a channel holds NaN or Inf", code="Y3103")
        # Adding zero turns -0.0 into 0.0, which min and max would otherwise pick by order of arrival.
        return cls(low.astype(np.float64) + 0.0, high.astype(np.float64) + 0.0)

    @classmethod
    def merged(cls, parts: Iterable[ChannelRanges]) -> ChannelRanges:
        """Those of all values that the given ones have seen.

        Raises:
            DataError: There are none, or they have different numbers of channels (Y3102).
        """
        lows, highs = [], []
        for part in parts:
            lows.append(part.low)
            highs.append(part.high)
        if len({low.shape for low in lows}) != 1:
            raise DataError("the ranges of channels do not belong to one tensor", code="Y3102")
        return cls(np.min(lows, axis=0), np.max(highs, axis=0))

    @property
    def magnitude(self) -> Reals:
        """The largest absolute value of each channel, float64 [channels]."""
        return np.maximum(np.abs(self.low), np.abs(self.high))

    def ranges(self, *, symmetric: bool = False) -> list[Range]:
        """One range a channel, widened to hold zero.

        Args:
            symmetric: Whether they are mirrored about zero.
        """
        reach = self.magnitude
        low, high = (-reach, reach) if symmetric else (np.minimum(self.low, 0), np.maximum(self.high, 0))
        return [Range(float(a), float(b), "min-max per channel") for a, b in zip(low, high, strict=True)]


def collect_channels(
    model: Any,
    axes: Mapping[str, int],
    dataset: Dataset | Mapping[str, Dataset],
    *,
    threads: int | None = None,
) -> dict[str, ChannelRanges]:
    """Extrema of the channels of some tensors over a data set; the same bits for any order and `threads`.

    Args:
        model: A ModelProto, its bytes, or a path.
        axes: Tensor name -> axis of its channels.
        dataset: For the only input; or one an input by its name.
        threads: Images in flight; None as in `collect`.

    Raises:
        DataError: NaN or Inf in the data or in a tensor (Y3103), or no sample decodes (Y3101).
        ModelError: The model does not load or run.
        UnknownNameError: A tensor is not in the model.
    """

    def one(_: int, arrays: Mapping[str, NDArray[Any]]) -> dict[str, ChannelRanges]:
        return {name: ChannelRanges.of(arrays[name], axis) for name, axis in axes.items()}

    whole: dict[str, ChannelRanges] = {}
    for part in mapped(model, dataset, list(axes), one, threads=threads):
        for name, ranges in part.items():
            whole[name] = ChannelRanges.merged([whole[name], ranges]) if name in whole else ranges
    return whole
