"""The arrays that the zoo's weights are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Parameters:
    """The weights `[out, in / groups, kernel, kernel]` and the bias `[out]` of one convolution."""

    weight: Floats
    bias: Floats
