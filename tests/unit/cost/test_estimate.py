"""What holds for every estimate, whatever the network and the march."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from y10c.cost.machine import Machine
from y10c.cost.model import estimate
from y10c.cost.result import Unit

sys.path.insert(0, str(Path(__file__).parent))
from networks import chain

SIZES = st.lists(
    st.tuples(st.integers(1, 300), st.sampled_from([7, 20, 80, 160]), st.sampled_from([1, 3])),
    min_size=1,
    max_size=12,
)


@given(sizes=SIZES, skip=st.integers(0, 4), factor=st.floats(1.0, 8.0))
@settings(max_examples=40, deadline=None)
@pytest.mark.parametrize(
    "number",
    ["memory__ddr_bytes_per_cycle", "mac_array__macs_per_cycle", "vector__elements_per_cycle"],
)
def test_faster_units_never_make_it_slower(
    nash_e: Machine, number: str, sizes: list[tuple[int, int, int]], skip: int, factor: float
) -> None:
    work = chain(sizes, skip)
    value = {n.name: n.value for n in nash_e.numbers()}[number.replace("__", ".")]
    faster = nash_e.with_values(**{number: value * factor})
    assert estimate(work, faster).summary.bpu_busy_ms <= estimate(work, nash_e).summary.bpu_busy_ms + 1e-12


@given(sizes=SIZES)
@settings(max_examples=40, deadline=None)
def test_a_smaller_input_is_never_slower(nash_e: Machine, sizes: list[tuple[int, int, int]]) -> None:
    small, large = (estimate(chain(sizes, side=side), nash_e).summary for side in (1, 2))
    assert small.bpu_busy_ms <= large.bpu_busy_ms


@given(sizes=SIZES, skip=st.integers(0, 4), capacity=st.integers(0, 4_000_000))
@settings(max_examples=60, deadline=None)
def test_the_parts_explain_the_whole(
    nash_e: Machine, sizes: list[tuple[int, int, int]], skip: int, capacity: int
) -> None:
    result = estimate(chain(sizes, skip), nash_e.with_values(memory__on_chip_bytes=capacity))
    total = result.summary
    shares = sum(layer.time_us for layer in result.layers) / 1e3 + total.inference_ms
    assert shares == pytest.approx(total.bpu_busy_ms)
    assert all(layer.time_us >= max(layer.busy_us.values()) * (1 - 1e-9) for layer in result.layers)
    assert all(layer.time_us >= layer.floor_us * (1 - 1e-9) for layer in result.layers)
    assert total.bpu_busy_ms >= max(total.busy_ms.values())
    assert total.ddr_read_bytes + total.ddr_write_bytes >= total.ddr_bytes_floor
    assert total.ddr_read_bytes + total.ddr_write_bytes <= total.ddr_bytes_layer_by_layer
    assert sum(layer.load_bytes for layer in result.layers) == pytest.approx(total.ddr_read_bytes)


@given(sizes=SIZES, skip=st.integers(0, 4))
@settings(max_examples=40, deadline=None)
def test_no_unit_overlaps_itself(nash_e: Machine, sizes: list[tuple[int, int, int]], skip: int) -> None:
    timeline = estimate(chain(sizes, skip), nash_e).timeline
    for unit in Unit:
        mine = sorted((i for i in timeline if i.unit is unit), key=lambda i: i.start_us)
        assert all(a.end_us <= b.start_us + 1e-6 for a, b in pairwise(mine))


@given(sizes=SIZES, skip=st.integers(0, 5), capacity=st.integers(0, 4_000_000))
@settings(max_examples=60, deadline=None)
def test_maps_on_chip_never_exceed_the_memory_nor_share_a_byte(
    nash_e: Machine, sizes: list[tuple[int, int, int]], skip: int, capacity: int
) -> None:
    result = estimate(chain(sizes, skip), nash_e.with_values(memory__on_chip_bytes=capacity))
    held = [p for p in result.placements if p.address is not None]
    assert result.summary.peak_on_chip_bytes <= capacity
    assert all(p.address + p.held_bytes <= capacity for p in held)
    for i, a in enumerate(held):
        for b in held[:i]:
            apart_in_time = a.last_layer < b.first_layer or b.last_layer < a.first_layer
            assert (
                apart_in_time
                or a.address + a.held_bytes <= b.address
                or b.address + b.held_bytes <= a.address
            )


def test_wide_operands_are_slower_and_counted(nash_e: Machine) -> None:
    work = chain([(64, 80, 3)] * 3)
    wide = replace(work, layers=tuple(replace(layer, activation_bits=16) for layer in work.layers))
    narrow_result, wide_result = estimate(work, nash_e), estimate(wide, nash_e)
    assert wide_result.summary.int16_mac_share == 1.0
    assert wide_result.summary.bpu_busy_ms > narrow_result.summary.bpu_busy_ms


def test_bands_hold_the_estimate(nash_e: Machine) -> None:
    total = estimate(chain([(64, 80, 3)]), nash_e).summary
    for name in ("bpu_busy_ms", "latency_ms", "fps", "ddr_read_bytes", "ddr_write_bytes"):
        low, high = getattr(total, f"{name}_band")
        assert low <= getattr(total, name) <= high


def test_more_layers_cost_in_proportion(nash_e: Machine) -> None:
    """Ten times the layers, ten times the cycles: nothing in the model grows faster than the network."""
    few, many = (estimate(chain([(32, 20, 3)] * n), nash_e) for n in (10, 100))
    middle = np.mean([layer.cycles for layer in many.layers[1:-1]])
    assert middle == pytest.approx(np.mean([layer.cycles for layer in few.layers[1:-1]]), rel=1e-6)
