"""How layers are cut: within the buffer, never below the bound, at the bound where it matters."""

from __future__ import annotations

import numpy as np
import pytest

from y10c.cost.tiles import best_tile, bound_bytes
from y10c.cost.workload import Geometry

BUFFER = 512 * 1024


def random_nests(count: int) -> list[Geometry]:
    rng = np.random.default_rng(7)
    found = []
    for _ in range(count):
        kernel, stride = rng.choice([1, 3, 5, 7]), rng.choice([1, 2])
        out = int(rng.integers(1, 161))
        channels = [int(2 ** rng.uniform(0, 11)) for _ in range(2)]
        extent = out * stride
        found.append(
            Geometry(1, 1, channels[0], extent, extent, channels[1], out, out, kernel, kernel, stride, stride)
        )
    return found


@pytest.mark.slow(reason="ten thousand tile searches")
def test_ten_thousand_plans_fit_and_none_beats_the_bound() -> None:
    for nest in random_nests(10_000):
        tile = best_tile(nest, BUFFER)
        if tile is not None:
            assert tile.bytes >= bound_bytes(nest)
            assert tile.buffer_bytes <= BUFFER


def test_plans_fit_and_none_beats_the_bound() -> None:
    for nest in random_nests(200):
        tile = best_tile(nest, BUFFER)
        assert tile is not None
        assert tile.bytes >= bound_bytes(nest)
        assert tile.buffer_bytes <= BUFFER


def test_a_larger_buffer_never_moves_more() -> None:
    for nest in random_nests(50):
        bytes_moved = [t.bytes for size in (2**17, 2**19, 2**21) if (t := best_tile(nest, size))]
        assert bytes_moved == sorted(bytes_moved, reverse=True)


def test_a_buffer_too_small_for_one_pixel_has_no_plan() -> None:
    assert best_tile(Geometry(1, 1, 512, 8, 8, 512, 8, 8, 3, 3), 1000) is None


def test_gaps_between_strided_kernels_are_not_loaded() -> None:
    assert bound_bytes(Geometry(1, 1, 1, 8, 8, 1, 4, 4, 1, 1, 2, 2)) == 16 + 16 + 1


def test_layers_like_resnet50_reach_the_bound() -> None:
    stages = [(64, 256, 56), (256, 512, 28), (512, 1024, 14), (1024, 2048, 7)]
    for narrow, wide, extent in stages:
        for nest in (
            Geometry(1, 1, narrow, extent, extent, wide, extent, extent),
            Geometry(1, 1, wide, extent, extent, narrow, extent, extent),
            Geometry(1, 1, narrow, extent, extent, narrow, extent, extent, 3, 3),
        ):
            tile = best_tile(nest, BUFFER)
            assert tile is not None
            assert tile.bytes <= 1.01 * bound_bytes(nest)
