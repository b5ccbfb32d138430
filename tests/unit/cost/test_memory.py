"""What stays on chip, where it lies, and what that saves."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from y10c.cost.keep import Option, choose
from y10c.cost.layouts import read_bytes
from y10c.cost.machine import Machine, load_machine
from y10c.cost.model import estimate
from y10c.cost.placement import Buffer, place, place_by_size, place_exactly
from y10c.cost.residency import plan_residency
from y10c.cost.times import busy_ms
from y10c.cost.work import work_of
from y10c.cost.workload import FeatureMap, Read
from y10c.ir.types import Layout

sys.path.insert(0, str(Path(__file__).parent))
from networks import chain

TARGETS = Path(__file__).parents[3] / "targets"


def buffers(*rows: tuple[int, int, int]) -> list[Buffer]:
    return [Buffer(i, size, first, last) for i, (size, first, last) in enumerate(rows)]


def clash(placed: dict[int, int], all_buffers: list[Buffer], capacity: float) -> bool:
    spots = [(placed[b.map], b) for b in all_buffers if b.map in placed]
    outside = any(at + b.bytes > capacity or at < 0 for at, b in spots)
    return outside or any(
        a.first <= b.last and b.first <= a.last and i < j + b.bytes and j < i + a.bytes
        for (i, a), (j, b) in combinations(spots, 2)
    )


def test_a_plan_that_size_alone_does_not_find_is_found() -> None:
    """By size, 3 goes to 0 and both 2s end above it; the last then finds 1 + 1 free bytes, not 2."""
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(400):
        rows = [
            (int(rng.integers(1, 5)), int(f := rng.integers(0, 6)), int(f + rng.integers(0, 4)))
            for _ in range(6)
        ]
        tight = buffers(*rows)
        capacity = max(sum(b.bytes for b in tight if b.first <= t <= b.last) for t in range(10))
        if len(place_by_size(tight, capacity)) < len(tight) and place_exactly(tight, capacity) is not None:
            found += 1
            placed = place(tight, capacity)
            assert len(placed) == len(tight)
            assert not clash(placed, tight, capacity)
    assert found >= 5


@given(
    rows=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 6), st.integers(0, 3)), min_size=1, max_size=8),
    capacity=st.integers(1, 20),
)
@settings(max_examples=60, deadline=None)
def test_no_two_buffers_share_a_byte(rows: list[tuple[int, int, int]], capacity: int) -> None:
    some = buffers(*((size, first, first + length) for size, first, length in rows))
    assert not clash(place(some, capacity), some, capacity)


def test_a_buffer_larger_than_the_memory_has_no_place() -> None:
    assert place(buffers((5, 0, 1)), 4) == {}


@given(
    rows=st.lists(
        st.tuples(st.integers(1, 9), st.integers(0, 5), st.integers(0, 3), st.integers(1, 30)),
        min_size=1,
        max_size=7,
    ),
    capacity=st.integers(1, 15),
)
@settings(max_examples=60, deadline=None)
def test_what_is_kept_saves_as_much_as_anything_that_fits(
    rows: list[tuple[int, int, int, int]], capacity: int
) -> None:
    options = [
        Option((Buffer(i, size, first, first + length),), saves)
        for i, (size, first, length, saves) in enumerate(rows)
    ]
    layers = 10

    def fits(some: tuple[Option, ...]) -> bool:
        return all(sum(o.bytes for o in some if o.first <= t <= o.last) <= capacity for t in range(layers))

    subsets = (s for n in range(len(options) + 1) for s in combinations(options, n))
    best = max(sum(o.saves for o in s) for s in subsets if fits(s))
    kept = choose(options, layers, capacity)
    assert fits(tuple(kept))
    assert sum(o.saves for o in kept) == best


def test_a_cascade_keeps_maps_that_are_larger_than_the_memory(nash_e: Machine) -> None:
    work = chain([(64, 160, 3), (64, 160, 3), (64, 160, 3)])
    machine = nash_e.with_values(memory__on_chip_bytes=1e6, memory__stripes=8)
    whole = nash_e.with_values(memory__on_chip_bytes=1e6, memory__stripes=1)
    plan = plan_residency(work, machine)
    assert plan.on_chip == {1, 2}
    (cascade,) = plan.cascades
    assert (cascade.first, cascade.last, cascade.stripes) == (0, 2, 4)
    stripes = 2 * 64 * 160 * (160 // 4 + 2)
    assert cascade.bytes == stripes + sum(layer.weight_bytes for layer in work.layers)
    assert plan.held.max() <= 1e6
    assert plan_residency(work, whole).on_chip == frozenset()
    moved = [estimate(work, m).summary for m in (machine, whole)]
    saved = (
        moved[1].ddr_read_bytes
        + moved[1].ddr_write_bytes
        - moved[0].ddr_read_bytes
        - moved[0].ddr_write_bytes
    )
    assert saved == 2 * 2 * 64 * 160 * 160
    assert moved[0].bpu_busy_ms < moved[1].bpu_busy_ms


def test_a_cascade_is_launched_once_a_stripe(nash_e: Machine) -> None:
    work = chain([(64, 160, 3), (64, 160, 3)])
    machine = nash_e.with_values(memory__on_chip_bytes=1e6, memory__stripes=8)
    (cascade,) = plan_residency(work, machine).cascades
    assert list(work_of(work, machine).launches) == [cascade.stripes] * 2


def test_a_map_that_others_read_later_is_in_no_cascade(nash_e: Machine) -> None:
    work = chain([(64, 160, 3), (64, 160, 3), (64, 160, 3)], skip=1)
    machine = nash_e.with_values(memory__on_chip_bytes=1e6, memory__stripes=8)
    assert 1 not in plan_residency(work, machine).on_chip


SIZES = st.lists(
    st.tuples(st.integers(1, 300), st.sampled_from([5, 10, 40, 80]), st.sampled_from([1, 3])),
    min_size=1,
    max_size=8,
)


@given(sizes=SIZES, skip=st.integers(0, 4), factor=st.floats(1, 2.5), capacity=st.integers(0, 4_000_000))
@settings(max_examples=60, deadline=None)
def test_smaller_maps_are_never_slower_whatever_the_memory(
    nash_e: Machine, sizes: list[tuple[int, int, int]], skip: int, factor: float, capacity: int
) -> None:
    machine = nash_e.with_values(memory__on_chip_bytes=capacity)
    small, large = (
        chain([(c, round(extent * f), kernel) for c, extent, kernel in sizes], skip) for f in (1.0, factor)
    )
    assert busy_ms(work_of(small, machine), machine) <= busy_ms(work_of(large, machine), machine) + 1e-9


@given(
    sizes=SIZES, skip=st.integers(0, 4), capacity=st.integers(0, 4_000_000), more=st.integers(1, 4_000_000)
)
@settings(max_examples=60, deadline=None)
def test_more_memory_is_never_slower(
    nash_e: Machine, sizes: list[tuple[int, int, int]], skip: int, capacity: int, more: int
) -> None:
    """Of whole maps: a cascade ends where its map fits, which may crowd out others."""
    work, whole = chain(sizes, skip), nash_e.with_values(memory__stripes=1)
    small, large = (whole.with_values(memory__on_chip_bytes=size) for size in (capacity, capacity + more))
    assert busy_ms(work_of(work, large), large) <= busy_ms(work_of(work, small), small) + 1e-9


def test_cores_share_the_rows_of_a_layer() -> None:
    nash_p = load_machine(TARGETS / "j6" / "marches" / "nash-p.yaml")
    assert nash_p.cores.value == 4
    work = chain([(64, 80, 3)] * 3)
    one, three, four = (estimate(work, nash_p.with_values(cores=n)) for n in (1, 3, 4))
    alone = [layer.busy_us for layer in one.layers]
    for layer, busy in zip(four.layers, alone, strict=True):
        assert layer.busy_us["TAE"] == pytest.approx(busy["TAE"] / 4)
        assert layer.busy_us["LOAD"] == busy["LOAD"]
    # 80 rows on three cores take 27 turns.
    assert three.layers[0].busy_us["TAE"] == pytest.approx(alone[0]["TAE"] * 27 / 80)
    assert all(layer.time_us >= layer.floor_us for layer in four.layers)


def test_a_part_of_the_channels_is_fetched_in_whole_bursts(nash_e: Machine) -> None:
    """16 of 64 channels: 16 bytes a pixel cost a burst of 32 in NHWC, and none in NCHW, where they follow."""
    m = FeatureMap(0, "x", (1, 64, 32, 32), 8)
    part = Read(0, 16 * 32 * 32)
    assert read_bytes(m, part, nash_e) == 2 * part.elements
    assert read_bytes(replace(m, layout=Layout.nchw), part, nash_e) == part.elements
    assert read_bytes(replace(m, layout=Layout.blocked), part, nash_e) == 2 * part.elements
    assert read_bytes(m, Read(0, m.elements), nash_e) == m.elements
