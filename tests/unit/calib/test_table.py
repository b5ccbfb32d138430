"""A table comes back as it was saved; what is damaged says where."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from y10c.calib.observers import Range
from y10c.calib.sketch import Sketch
from y10c.calib.table import CalibrationTable
from y10c.errors import DataError


def table(values=(1.0, -2.0, 0.5)):
    sketch = Sketch.of(np.array(values, np.float32), "a.jpg")
    return CalibrationTable({"conv": sketch}, {"conv": Range(-2.0, 1.0, "mse")}, {"images": 1})


@settings(deadline=None)
@given(arrays(np.float32, st.integers(0, 50), elements=st.floats(width=32)))
def test_sketches_come_back_to_the_bit(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("table") / "t.json"
    saved = table(values)
    saved.save(path)
    assert CalibrationTable.load(path) == saved


def test_it_is_readable_sorted_and_always_the_same_bytes(tmp_path):
    content = json.loads(table().to_json())
    assert content["tensors"]["conv"]["min"] == -2.0
    assert content["ranges"]["conv"] == {"low": -2.0, "high": 1.0, "method": "mse"}
    assert table().to_json() == table().to_json()


def test_lookup_goes_by_any_lineage_name():
    assert table().range(["fused", "conv"]) == Range(-2.0, 1.0, "mse")
    assert table().sketch(["other"]) is None


def test_a_range_may_be_edited_by_hand(tmp_path):
    content = json.loads(table().to_json())
    content["ranges"]["conv"] = {"low": -1, "high": 3}
    (tmp_path / "t.json").write_text(json.dumps(content))
    assert CalibrationTable.load(tmp_path / "t.json").ranges["conv"] == Range(-1.0, 3.0, "file")


def edited(path, key, value):
    content = json.loads(table().to_json())
    *parents, last = key.split(".")
    place = content
    for parent in parents:
        place = place[parent]
    place[last] = value
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("format", "other", "not a calibration table"),
        ("version", 99, "version 99"),
        ("tensors", [], "not an object"),
        ("tensors.conv.bins", "AAAA", "damaged"),
        ("tensors.conv.bins", 5, "damaged"),
        ("tensors.conv.count", 7, "do not add up"),
        ("tensors.conv", None, "damaged"),
        ("ranges.conv", {"low": 0}, "low and high"),
        ("ranges.conv", {"low": 1, "high": 2}, "hold zero"),
        ("ranges.conv", {"low": float("-inf"), "high": 2}, "not finite"),
    ],
)
def test_damage_is_named(tmp_path, key, value, said):
    edited(tmp_path / "t.json", key, value)
    with pytest.raises(DataError, match=said) as caught:
        CalibrationTable.load(tmp_path / "t.json")
    assert str(tmp_path / "t.json") in str(caught.value.where)


def test_a_syntax_error_has_a_line_and_a_missing_file_a_name(tmp_path):
    (tmp_path / "t.json").write_text('{\n "format": \n')
    with pytest.raises(DataError) as caught:
        CalibrationTable.load(tmp_path / "t.json")
    assert str(caught.value.where).endswith("t.json:3:1")
    with pytest.raises(DataError, match="cannot be read"):
        CalibrationTable.load(tmp_path / "none.json")
