"""JSON, trace and CSV: what other programs read."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from y10c.cost.report import NodeRow, OutputCosine, ReportData, edges_of
from y10c.cost.report import schema as schema_module
from y10c.cost.report.intervals import merged, profile
from y10c.cost.report.schema import schema, schema_text
from y10c.cost.report.table import LAYER_COLUMNS, layers_csv, nodes_csv
from y10c.cost.report.trace import to_trace, write_trace
from y10c.cost.report.vendor_json import to_json, write_json
from y10c.cost.result import Interval, LayerCost, Summary, Unit
from y10c.cost.workload import FeatureMap, Kind, Layer, Read, Workload

REFUSED = "no latency of nvdla was published, so nothing is fitted"
HEADLINES = ("bpu_busy_ms", "latency_ms", "fps", "ddr_read_bytes", "ddr_write_bytes")


def test_every_headline_is_a_number_with_its_band_around_it(data: ReportData) -> None:
    summary = to_json(data)["summary"]
    for name in HEADLINES:
        low, high = summary[f"{name}_band"]
        assert low <= summary[name] <= high


def test_the_vendors_key_names_hold_the_same_figures(data: ReportData) -> None:
    summary = to_json(data)["summary"]
    assert summary["performance"]["FPS"] == summary["fps"]
    assert summary["performance"]["latency (us)"] == pytest.approx(1e3 * summary["latency_ms"])
    assert summary["DDR access data"]["loaded bytes per run"] == summary["ddr_read_bytes"]
    assert summary["model info"]["BPU march"] == "nash-e"
    assert len(summary["layer details"]) == len(data.cost.layers)
    assert "% of model" in summary["layer details"][0]["computing cost (no DDR)"]


def test_macs_by_width_add_up(data: ReportData) -> None:
    info = to_json(data)["summary"]["model info"]
    by_width = [count for key, count in info.items() if key.endswith(" macs")]
    assert sum(by_width) == data.cost.summary.macs
    assert sum(data.mac_share.values()) == pytest.approx(1.0)


def test_intervals_carry_all_bytes(data: ReportData) -> None:
    run = profile(data)
    assert sum(run.load) == pytest.approx(data.cost.summary.ddr_read_bytes)
    assert sum(run.store) == pytest.approx(data.cost.summary.ddr_write_bytes)
    assert sum(run.utilization) * run.step_us == pytest.approx(1e3 * data.cost.summary.busy_ms[Unit.TAE])


def test_refused_times_are_null_with_the_reason(data: ReportData) -> None:
    report = to_json(replace(data, times_refused=REFUSED))
    summary = report["summary"]
    assert summary["times_refused"] == REFUSED
    assert [summary[name] for name in ("bpu_busy_ms", "latency_ms_band", "fps", "overhead_ms")] == [None] * 4
    assert summary["performance"]["FPS"] is None
    assert summary["ddr_read_bytes"] > 0
    assert report["layers"][0]["time_us"] is None
    assert report["layers"][0]["cycles"] > 0


def test_the_file_is_plain_json(data: ReportData, tmp_path: Path) -> None:
    write_json(data, tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text()) == to_json(data)


def test_the_published_schema_is_the_declared_one() -> None:
    published = Path(__file__).parents[3] / "docs/reference/report.schema.json"
    hint = "python -c 'from y10c.cost.report.schema import schema_text as t; print(t(), end=\"\")' > FILE"
    assert published.read_text(encoding="utf-8") == schema_text(), hint


def conforms(value: Any, rule: Any, whole: Any) -> bool:
    """The part of JSON schema that the published file uses."""
    if "$ref" in rule:
        return conforms(value, whole["$defs"][str(rule["$ref"]).rsplit("/", 1)[-1]], whole)
    if "anyOf" in rule:
        return any(conforms(value, one, whole) for one in rule["anyOf"])
    kinds: dict[str, Any] = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "null": type(None),
    }
    if not isinstance(value, kinds[str(rule.get("type"))]):
        return False
    if isinstance(value, list):
        prefix = rule.get("prefixItems", [rule.get("items")] * len(value))
        return len(prefix) == len(value) and all(
            conforms(one, its, whole) for one, its in zip(value, prefix, strict=True)
        )
    if isinstance(value, dict) and "properties" in rule:
        properties = rule["properties"]
        return set(value) == set(properties) and all(conforms(value[k], properties[k], whole) for k in value)
    return True


@pytest.mark.parametrize("refused", [None, REFUSED])
def test_reports_fit_the_schema(data: ReportData, refused: str | None) -> None:
    whole = schema()
    report = to_json(replace(data, times_refused=refused))
    assert conforms(report, whole, whole)
    assert not conforms({**report, "march": 1}, whole, whole)


def test_no_figure_of_the_estimate_is_forgotten() -> None:
    assert {f.name for f in fields(Summary)} <= set(schema_module.Summary.model_fields)
    assert {f.name for f in fields(LayerCost)} == set(schema_module.Layer.model_fields)


def test_what_is_no_number_is_null(data: ReportData, tmp_path: Path) -> None:
    strange = replace(
        data,
        nodes=(NodeRow("zero", "Mul", "BPU", 0.0, float("nan"), float("nan"), "si8"),),
        output_cosines=(OutputCosine("zero", float("nan")),),
    )
    write_json(strange, tmp_path / "report.json")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["nodes"][0]["Quantized Cosine"] is None
    assert report["output_cosine"] == {"zero": None}
    assert "nan" not in nodes_csv(strange.nodes)


def test_the_bare_estimate_is_enough(data: ReportData) -> None:
    report = to_json(ReportData(cost=data.cost))
    assert report["nodes"] == []
    assert report["summary"]["DDR access data"]["input memory"] is None


def test_a_trace_has_one_slice_an_interval_on_its_units_thread(data: ReportData, tmp_path: Path) -> None:
    write_trace(data, tmp_path / "t.json")
    events = json.loads((tmp_path / "t.json").read_text())["traceEvents"]
    names = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    slices = [e for e in events if e["ph"] == "X"]
    assert len(slices) == len(data.cost.timeline)
    assert all(names[e["tid"]] == e["cat"] for e in slices)
    counters = [e["args"]["bytes"] for e in to_trace(data)["traceEvents"] if e["ph"] == "C"]
    assert counters == [sample.bytes for sample in data.cost.memory]


def test_the_layer_table_has_a_row_a_layer(data: ReportData) -> None:
    rows = list(csv.DictReader(io.StringIO(layers_csv(data))))
    assert tuple(rows[0]) == LAYER_COLUMNS
    assert [row["layer"] for row in rows] == [layer.name for layer in data.cost.layers]
    assert sum(int(row["macs"]) for row in rows) == data.cost.summary.macs
    assert rows[5]["advice"].startswith("Keep /model.1 in 8 bits")


def test_the_layer_table_leaves_refused_times_empty(data: ReportData) -> None:
    row = next(csv.DictReader(io.StringIO(layers_csv(replace(data, times_refused=REFUSED)))))
    assert (row["time_us"], row["tae_us"]) == ("", "")
    assert row["cycles"]


def test_the_node_table_has_the_columns_of_the_vendors_log(data: ReportData) -> None:
    lines = nodes_csv(data.nodes).splitlines()
    assert lines[0] == "Node,NodeType,ON,Threshold,Calibrated Cosine,Quantized Cosine,Output Data Type"
    assert lines[-1] == "/model.23/TopK,TopK,CPU,--,--,--,float32"


def test_merging_keeps_order_and_time_apart() -> None:
    near = [Interval(Unit.TAE, i, i * 1.0, 0.9) for i in range(100)]
    far = Interval(Unit.TAE, 200, 500.0, 30.0)
    lane = merged([*near, far], resolution_us=5.0)[Unit.TAE]
    assert [(i.start_us, i.end_us) for i in lane] == [(0.0, pytest.approx(99.9)), (500.0, 530.0)]
    assert merged(near, resolution_us=0.01)[Unit.TAE] == near


def test_edges_lead_from_the_maker_of_a_map_to_its_readers() -> None:
    maps = tuple(FeatureMap(i, f"t{i}", (1, 8), 8) for i in range(3))
    layers = (
        Layer(0, "a", Kind.CONV, (Read(0, 8),), 1),
        Layer(1, "b", Kind.ELEMENTWISE, (Read(0, 8), Read(1, 8)), 2),
    )
    assert edges_of(Workload("w", layers, maps)) == ((0, 1),)


def test_a_trace_counts_cycles_where_times_are_refused(data: ReportData) -> None:
    slow = replace(data, cost=replace(data.cost, clock_ghz=0.5), times_refused=REFUSED)
    [told, refused] = (to_trace(one) for one in (data, slow))
    assert (told["otherData"]["unit"], refused["otherData"]["unit"]) == ("us", "kcycles")
    assert refused["traceEvents"][-1]["ts"] == pytest.approx(told["traceEvents"][-1]["ts"] / 2)
