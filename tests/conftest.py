"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# What a test says never depends on the machine's load: no deadline for an example, none for drawing one.
# `pytest --hypothesis-profile=search` draws other examples in every run.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("search", UNHURRIED, derandomize=False)
settings.register_profile("repeatable", UNHURRIED, derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of models, images and facts: Y10C_SHARED, by default `shared` beside the repository."""
    folder = Path(os.environ.get("Y10C_SHARED", Path(__file__).parents[2] / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no test data: {folder} does not exist")
    return folder


LEAST_SCORE, BOX, SCORE, TIE = 1e-3, 0.05, 1e-4, 1e-5
"""Rows that count; how far apart partners may be in pixels and score; scores that may swap places."""


@pytest.fixture
def same_detections() -> Callable[..., None]:
    """Asserts of two f32[N,6] that rows have partners and swap places only in ties."""

    def agree(ours: Any, theirs: Any, least: float = LEAST_SCORE, box: float = BOX) -> None:
        for a, b in ((ours, theirs), (theirs, ours)):
            last = b[-1, 4] + TIE if b[-1, 4] > least else least
            for row in a[a[:, 4] > last]:
                near = (
                    (b[:, 5] == row[5])
                    & (np.abs(b[:, :4] - row[:4]).max(axis=1) <= box)
                    & (np.abs(b[:, 4] - row[4]) <= SCORE)
                )
                assert near.any(), row
        counted = min((ours[:, 4] > least).sum(), (theirs[:, 4] > least).sum())
        assert np.abs(ours[:counted, 4] - theirs[:counted, 4]).max(initial=0) <= TIE

    return agree
