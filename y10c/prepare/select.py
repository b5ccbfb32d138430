"""A diverse subset: each next sample is the one furthest from all that are chosen.

Farthest-point traversal covers a set within twice the best possible radius (Gonzalez, "Clustering to
minimize the maximum intercluster distance", 1985); ranges need what is unusual more than what is frequent.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def diverse(features: NDArray[Any], count: int) -> list[int]:
    """Indices of `count` rows, ascending; the first chosen is the one nearest to the mean.

    Args:
        features: float [n, d].
        count: How many; all where there are fewer.
    """
    if count >= len(features):
        return list(range(len(features)))
    features = features.astype(np.float32)
    apart = ((features - features.mean(axis=0)) ** 2).sum(axis=1)
    chosen = [int(apart.argmin())]
    nearest = np.full(len(features), np.inf, np.float32)
    for _ in range(count - 1):
        nearest = np.minimum(nearest, ((features - features[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(nearest.argmax()))
    return sorted(chosen)


def coverage(features: NDArray[Any], chosen: list[int]) -> float:
    """The greatest root mean square distance of a sample from the nearest chosen one."""
    features = features.astype(np.float32)
    picked = features[chosen]
    furthest = 0.0
    for row in features:
        furthest = max(furthest, float(((picked - row) ** 2).mean(axis=1).min()))
    return math.sqrt(furthest)
