"""Advice is a change, estimated again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from onnx import helper

from y10c.cost.advice import advise
from y10c.cost.extract import layers_of
from y10c.cost.machine import Machine
from y10c.cost.times import busy_ms
from y10c.cost.work import work_of
from y10c.cost.workload import FeatureMap, Geometry, Kind, Layer, Read, Workload
from y10c.ir.types import Layout

Build = Callable[..., object]
node = helper.make_node
MAP = [1, 16, 32, 32]


def one_layer(channels: int, bits: int = 8) -> Workload:
    geometry = Geometry(1, 1, 64, 160, 160, channels, 160, 160, 3, 3)
    maps = (
        FeatureMap(0, "x", (1, 64, 160, 160), bits, is_input=True),
        FeatureMap(1, "y", (1, channels, 160, 160), 8, is_output=True),
    )
    layer = Layer(
        0,
        "conv",
        Kind.CONV,
        (Read(0, maps[0].elements),),
        1,
        geometry,
        activation_bits=bits,
        weight_elements=64 * channels * 9,
    )
    return Workload("one", (layer,), maps)


def time(work: Workload, machine: Machine) -> float:
    return busy_ms(work_of(work, machine), machine)


def test_channels_that_are_padded_are_named(nash_e: Machine) -> None:
    assert any(
        "32 output channels; its 40 are padded to 48" in a.sentence for a in advise(one_layer(40), nash_e)
    )


def test_full_channels_need_no_filling(nash_e: Machine) -> None:
    assert not any("padded" in advice.sentence for advice in advise(one_layer(64), nash_e))


def test_the_longest_layer_is_told_what_pruning_it_gains(nash_e: Machine) -> None:
    (advice,) = [a for a in advise(one_layer(64), nash_e) if "prune 'conv' from 64 to 48" in a.sentence]
    assert advice.layer == 0
    assert advice.gain_us > 0


def test_the_gain_of_narrower_operands_is_the_difference_of_two_estimates(nash_e: Machine) -> None:
    wide = one_layer(64, bits=16)
    narrow = replace(wide, layers=(replace(wide.layers[0], activation_bits=8),))
    (advice,) = [a for a in advise(wide, nash_e) if "8 bits" in a.sentence]
    assert advice.gain_us == pytest.approx((time(wide, nash_e) - time(narrow, nash_e)) * 1e3)


def test_a_smaller_input_is_offered_with_its_size(nash_e: Machine) -> None:
    assert any("input of 128x128 in place of 160x160" in a.sentence for a in advise(one_layer(64), nash_e))


def test_the_gain_of_fusing_is_that_of_a_graph_where_it_is_fused(graph_of: Build, nash_e: Machine) -> None:
    """A pooling's activation is a layer of its own; without it the pooling would take its elements."""
    nodes = [
        node("MaxPool", ["x"], ["p"], name="pool", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Relu", ["p"], ["r"], name="relu"),
        node("Conv", ["r", "w0"], ["y"], name="conv", pads=[1, 1, 1, 1]),
    ]
    work = layers_of(graph_of(nodes, {"y": MAP}))
    assert [layer.kind for layer in work.layers] == ["pool", "elementwise", "conv"]
    (advice,) = [a for a in advise(work, nash_e) if "fuse 'relu' into 'pool'" in a.sentence]
    launch = nash_e.overheads.launch_cycles.value / nash_e.clock_ghz.value / 1e3
    assert advice.gain_us >= launch
    assert advice.layer == 1


def test_a_layout_that_the_chip_dislikes_is_worth_a_sentence(nash_e: Machine) -> None:
    liked = one_layer(64)
    disliked = replace(liked, maps=tuple(replace(m, layout=Layout.nchw) for m in liked.maps))
    (advice,) = [a for a in advise(disliked, nash_e) if "--layout auto" in a.sentence]
    assert advice.gain_us == pytest.approx((time(disliked, nash_e) - time(liked, nash_e)) * 1e3)
    assert not any("--layout" in a.sentence for a in advise(liked, nash_e))


def test_gains_are_in_order_and_never_more_than_the_whole(nash_e: Machine) -> None:
    work = one_layer(72, bits=16)
    gains = [advice.gain_us for advice in advise(work, nash_e)]
    assert gains == sorted(gains, reverse=True)
    assert all(0 < gain < time(work, nash_e) * 1e3 for gain in gains)


def test_wide_outputs_are_worth_what_their_bytes_take(nash_e: Machine) -> None:
    narrow = one_layer(64)
    wide = replace(narrow, maps=(narrow.maps[0], replace(narrow.maps[1], bits=32)))
    (advice,) = [a for a in advise(wide, nash_e) if "let 'y' leave at 8 bits in place of 32" in a.sentence]
    cycles = 3 * narrow.maps[1].bytes / nash_e.memory.ddr_bytes_per_cycle.value
    assert advice.gain_us == pytest.approx(cycles / nash_e.clock_ghz.value / 1e3)
    assert not any("leave at 8 bits" in a.sentence for a in advise(narrow, nash_e))
