"""The shape of the JSON report, declared once: it is validated on writing and published as a JSON schema.

The key names with spaces are those of the Journey 6 toolchain's report (`summary.performance`, "DDR access
data" and so on), so that scripts written for it find their numbers; the others are ours.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1

Band = tuple[float, float]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Performance(_Part):
    """The vendor's headline figures; null where times are refused."""

    fps: float | None = Field(serialization_alias="FPS")
    latency_us: float | None = Field(serialization_alias="latency (us)")
    latency_ms: float | None = Field(serialization_alias="latency (ms)")
    segments: list[float] | None = Field(
        serialization_alias="latency (us) by segments",
        description="One segment: the whole network is one BPU program.",
    )


class DdrAccess(_Part):
    """DDR traffic and memory of one run, in bytes unless the name says megabytes (10^6 bytes)."""

    megabytes: float = Field(serialization_alias="DDR megabytes per run")
    loaded: float = Field(serialization_alias="loaded bytes per run")
    stored: float = Field(serialization_alias="stored bytes per run")
    minimum: float = Field(
        serialization_alias="min memory requirement", description="Static and dynamic memory together."
    )
    input: int | None = Field(serialization_alias="input memory")
    output: int | None = Field(serialization_alias="output memory")
    static: int = Field(serialization_alias="static memory", description="Weights.")
    dynamic: int = Field(
        serialization_alias="dynamic memory", description="Input, output and intermediate memory."
    )
    intermediate: int = Field(
        serialization_alias="intermediate memory",
        description="Feature maps that go through DDR, at their peak.",
    )
    temporary: int = Field(serialization_alias="temporary memory", description="Peak of the memory on chip.")


class IntervalInfo(_Part):
    """The run cut into equal intervals; null where times are refused."""

    number: int = Field(serialization_alias="interval number")
    time_ms: float | None = Field(serialization_alias="interval time (ms)")
    utilization: list[float] = Field(
        serialization_alias="interval computing unit utilization", description="0 to 1, of the TAE."
    )
    loading: list[float] | None = Field(serialization_alias="interval ddr loading bandwidth (megabytes/s)")
    storing: list[float] | None = Field(serialization_alias="interval ddr storing bandwidth (megabytes/s)")


class LayerDetail(_Part):
    """A layer in the vendor's words."""

    name: str = Field(serialization_alias="layer name")
    active: str | None = Field(serialization_alias="active period of time")
    computing: str | None = Field(serialization_alias="computing cost (no DDR)")
    load: str | None = Field(serialization_alias="load cost")
    store: str | None = Field(serialization_alias="store cost")
    origin: list[str] = Field(serialization_alias="origin ops")


class ModelInfo(_Part):
    """What was estimated; MACs by the widths of their operands."""

    march: str = Field(serialization_alias="BPU march")
    cores: int = Field(serialization_alias="BPU core number")
    version: str = Field(
        serialization_alias="compiling HBDK version", description="y10c and its version: HBDK did not run."
    )
    options: str = Field(serialization_alias="compiling options")
    int8: int = Field(serialization_alias="double int8 macs")
    feature_int16: int = Field(serialization_alias="feature int16 weight int8 macs")
    weight_int16: int = Field(serialization_alias="feature int8 weight int16 macs")
    int16: int = Field(serialization_alias="double int16 macs")
    conv_ops: int = Field(serialization_alias="original conv ops", description="Two operations a MAC.")


class Summary(_Part):
    """Totals of one inference. `NAME_band` is [p10, p90]; times are null where refused, with the reason."""

    bpu_busy_ms: float | None
    bpu_busy_ms_band: Band | None
    latency_ms: float | None
    latency_ms_band: Band | None
    fps: float | None
    fps_band: Band | None
    ddr_read_bytes: float
    ddr_read_bytes_band: Band
    ddr_write_bytes: float
    ddr_write_bytes_band: Band
    times_refused: str | None = Field(description="Why times are null.")
    bpu_busy_ms_floor: float | None
    overhead_ms: float | None
    inference_ms: float | None = Field(description="The fixed part of the busy time, whatever the layers.")
    busy_ms: dict[str, float] | None = Field(description="Time each unit works.")
    ddr_bytes_floor: float
    ddr_bytes_layer_by_layer: float
    peak_on_chip_bytes: int
    on_chip_capacity_bytes: int
    weight_bytes: int
    macs: int
    int8_mac_share: float
    int16_mac_share: float
    utilization: float
    cpu_crossings: int
    performance: Performance
    ddr: DdrAccess = Field(serialization_alias="DDR access data")
    intervals: IntervalInfo = Field(serialization_alias="interval info")
    layer_details: list[LayerDetail] = Field(serialization_alias="layer details")
    model_info: ModelInfo = Field(serialization_alias="model info")


class UnitTotal(_Part):
    """Work of one unit of one core."""

    inst_type: str
    instructions: int
    working_time_us: float | None = Field(serialization_alias="working_time (us)")


class CoreSummary(_Part):
    """Work of one core by unit."""

    core: int
    units: list[UnitTotal]


class Instruction(_Part):
    """One interval of the timeline."""

    inst_type: str
    source_layer_names: list[str]
    start_us: float | None = Field(serialization_alias="start_time (us)")
    working_us: float | None = Field(serialization_alias="working_time (us)")


class Layer(_Part):
    """One layer in our words: the fields of `y10c.cost.result.LayerCost`."""

    index: int
    name: str
    kind: str
    origin: list[str]
    output_shape: list[int]
    activation_bits: int
    weight_bits: int
    macs: int
    cycles: float
    time_us: float | None
    floor_us: float | None
    start_us: float | None
    end_us: float | None
    busy_us: dict[str, float] | None
    utilization: float
    load_bytes: int
    store_bytes: int
    weight_bytes: int
    floor_bytes: int
    on_chip: bool
    layout: str = Field(
        description="How the result lies in memory: nchw, nhwc or blocked; empty where that was not chosen."
    )
    bound_by: str
    tile: str


class Advice(_Part):
    """A sentence, with the gain that estimating again with the change gave."""

    layer: int | None
    sentence: str
    gain_us: float | None


class Number(_Part):
    """A number of the march and its provenance."""

    name: str
    value: float
    unit: str
    source: str


class Node(_Part):
    """A line of the quantization summary."""

    node: str = Field(serialization_alias="Node")
    op: str = Field(serialization_alias="NodeType")
    unit: str = Field(serialization_alias="ON")
    threshold: float | None = Field(serialization_alias="Threshold")
    calibrated: float | None = Field(serialization_alias="Calibrated Cosine")
    quantized: float | None = Field(serialization_alias="Quantized Cosine")
    dtype: str = Field(serialization_alias="Output Data Type")


class Tensor(_Part):
    """An input or output."""

    name: str
    shape: list[int | str]
    dtype: str
    bytes: int | None


class MacShare(_Part):
    """Share of all MACs (0 to 1) with operands of these widths."""

    activation_bits: int
    weight_bits: int
    share: float


class Pass(_Part):
    """A pass that ran and the applications of its rules."""

    name: str
    rules: dict[str, int]


class File(_Part):
    """A file that was written."""

    path: str
    about: str
    bytes: int | None


class Report(_Part):
    """The whole report."""

    schema_version: int
    generator: str
    model: str
    target: str
    march: str
    clock_ghz: float
    summary: Summary
    core_summary: list[CoreSummary] = Field(serialization_alias="coreSummaryGroup")
    details: list[list[Instruction]] = Field(description="The timeline: one list a core.")
    layers: list[Layer]
    memory: list[tuple[float, int]] | None = Field(description="[time in us, bytes on chip from then on].")
    advice: list[Advice]
    assumed: list[Number]
    fitted: list[Number]
    error_note: str
    inputs: list[Tensor]
    outputs: list[Tensor]
    mac_share: list[MacShare]
    nodes: list[Node]
    output_cosine: dict[str, float | None]
    passes: list[Pass]
    files: list[File]
    warnings: list[dict[str, str | None]]
    notes: list[str]


def schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of the report."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "y10c cost report",
        "version": SCHEMA_VERSION,
        **{
            key: value
            for key, value in Report.model_json_schema(mode="serialization").items()
            if key != "title"
        },
    }


def schema_text() -> str:
    """The published file, `docs/reference/report.schema.json`."""
    return json.dumps(schema(), indent=2) + "\n"
