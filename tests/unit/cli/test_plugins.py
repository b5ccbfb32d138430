"""Plugins: found by name, loaded late, and never able to stop the program."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from y10c import diagnostics, distribution, plugins
from y10c.errors import UnknownNameError, UsageError

Install = Callable[[str, str, dict[str, str]], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution with entry points, by its metadata alone, for this test."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, group: str, points: dict[str, str]) -> None:
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = "\n".join(f"{key} = {value}" for key, value in points.items())
        (info / "entry_points.txt").write_text(f"[{group}]\n{lines}\n")
        plugins.entries.cache_clear()

    yield write
    plugins.entries.cache_clear()


def test_plugin_is_found_and_loaded_by_name(install: Install) -> None:
    install("good", "y10c.rules", {"fold_twice": "json:dumps"})
    assert "fold_twice" in plugins.names("y10c.rules")
    assert plugins.load("y10c.rules", "fold_twice") is json.dumps
    assert plugins.load_all("y10c.rules")["fold_twice"] is json.dumps


def test_value_without_attribute_is_the_module(install: Install) -> None:
    install("good", "y10c.passes", {"mine": "json"})
    assert plugins.load("y10c.passes", "mine") is json


@pytest.mark.parametrize("value", ["no_such_module:X", "json:no_such_attribute"])
def test_broken_plugin_is_a_warning_with_its_distribution(install: Install, value: str) -> None:
    install("broken-plugin", "y10c.targets", {"mars": value})
    with diagnostics.collect() as warnings:
        assert "mars" not in plugins.load_all("y10c.targets")
    [warning] = warnings
    assert warning.code == "Y5101"
    assert "broken-plugin" in warning.message
    with pytest.raises(UsageError, match="broken-plugin"):
        plugins.load("y10c.targets", "mars")


def test_taken_name_stays_with_its_first_owner(install: Install) -> None:
    install("bbb", "y10c.targets", {"mars": "json:loads"})
    install("aaa", "y10c.targets", {"mars": "json:dumps"})
    with diagnostics.collect() as warnings:
        assert plugins.load("y10c.targets", "mars") is json.dumps
    assert [(warning.code, "bbb" in warning.message) for warning in warnings] == [("Y5102", True)]


def test_unknown_name_suggests_a_near_one(install: Install) -> None:
    install("good", "y10c.targets", {"mars": "json:dumps"})
    with pytest.raises(UnknownNameError, match="unknown target 'marz'") as caught:
        plugins.load("y10c.targets", "marz")
    assert "did you mean 'mars'" in str(caught.value.help)


def test_unknown_group_is_an_error_of_the_caller() -> None:
    with pytest.raises(ValueError, match="no plugin group"):
        plugins.names("y10c.planets")


@pytest.mark.parametrize("group", plugins.GROUPS)
def test_every_builtin_loads(group: str) -> None:
    for name, entry in plugins.entries(group).items():
        if entry.builtin:
            assert plugins.load(group, name) is not None


def test_names_import_nothing() -> None:
    program = (
        "import sys; from y10c.plugins import *; [names(group) for group in GROUPS]; print(*sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"numpy", "onnx", "y10c.passes", "y10c.targets"} & set(ran.stdout.split())


def test_source_tree_and_metadata_declare_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    source = distribution.requirements(), distribution.requirements("fast")
    monkeypatch.setattr(distribution, "_source_project", lambda: None)
    assert (distribution.requirements(), distribution.requirements("fast")) == source
