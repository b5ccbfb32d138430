"""Advice is a change, estimated again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from y10c.cost.advice import advise
from y10c.cost.machine import Machine
from y10c.cost.times import busy_ms
from y10c.cost.work import work_of
from y10c.cost.workload import FeatureMap, Geometry, Kind, Layer, Read, Workload


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


def test_channels_that_are_padded_are_named(nash_e: Machine) -> None:
    assert any(
        "32 output channels; its 40 are padded to 64" in a.sentence for a in advise(one_layer(40), nash_e)
    )


def test_full_channels_need_no_advice(nash_e: Machine) -> None:
    assert not any("channels" in advice.sentence for advice in advise(one_layer(64), nash_e))


def test_the_gain_of_narrower_operands_is_the_difference_of_two_estimates(nash_e: Machine) -> None:
    wide = one_layer(64, bits=16)
    narrow = replace(wide, layers=(replace(wide.layers[0], activation_bits=8),))
    expected = busy_ms(work_of(wide, nash_e), nash_e) - busy_ms(work_of(narrow, nash_e), nash_e)
    (advice,) = [a for a in advise(wide, nash_e) if "16 bits" in a.sentence]
    assert advice.gain_us == pytest.approx(expected * 1e3)


def test_a_smaller_input_is_offered_with_its_size(nash_e: Machine) -> None:
    assert any("input of 128x128 in place of 160x160" in a.sentence for a in advise(one_layer(64), nash_e))
