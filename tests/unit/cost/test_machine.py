"""Marches as data: every number says where it comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from y10c.cost.machine import Machine, load_machine
from y10c.errors import ConfigError

MARCHES = Path(__file__).parents[3] / "targets" / "j6" / "marches"


@pytest.mark.parametrize("file", sorted(MARCHES.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_march_loads_under_its_own_name(file: Path) -> None:
    assert load_machine(file).name == file.stem


def test_at_most_six_scalars_are_fitted(nash_e: Machine) -> None:
    assert len(nash_e.fitted()) == 6


def test_a_march_extends_another_and_says_what_differs(nash_e: Machine) -> None:
    nash_m = load_machine(MARCHES / "nash-m.yaml")
    assert nash_m.clock_ghz.value == 1.5
    assert nash_m.mac_array == nash_e.mac_array


def test_milliseconds_are_refused_where_nothing_is_published(nash_e: Machine) -> None:
    assert nash_e.times_refused is None
    assert "no latency of nash-p" in (load_machine(MARCHES / "nash-p.yaml").times_refused or "")


def test_a_number_without_a_source_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "bare.yaml"
    file.write_text("machine:\n  name: bare\n  target: t\n  clock_ghz: {value: 1, source: rumour}\n")
    with pytest.raises(ConfigError, match=r"clock_ghz.source: .*published"):
        load_machine(file)
