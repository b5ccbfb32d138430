"""What an estimate says: plain frozen data, everything that a report needs and nothing it must compute.

Units are in the names: `_us` and `_ms` are times, `_bytes` bytes, `_cycles` cycles of the march's clock.
A band is `(p10, p90)`, taken from the residuals of networks that the fit had not seen.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

Band = tuple[float, float]


class Unit(StrEnum):
    """The units of a core that work beside each other; `HOST` is the CPU around one inference."""

    LOAD = "LOAD"
    TAE = "TAE"
    VPU = "VPU"
    AAE = "AAE"
    TRANS = "TRANS"
    STORE = "STORE"
    HOST = "HOST"


class Bound(StrEnum):
    """What a layer waits for: the unit that is busy longest, or the launch of the layer itself."""

    COMPUTE = "compute"
    VECTOR = "vector"
    POOLING = "pooling"
    LAYOUT = "layout"
    LOAD = "load"
    STORE = "store"
    LAUNCH = "launch"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Interval:
    """One unit working on one layer, without a break."""

    unit: Unit
    layer: int
    start_us: float
    duration_us: float

    @property
    def end_us(self) -> float:
        """When the unit is free again."""
        return self.start_us + self.duration_us


@dataclass(frozen=True, slots=True)
class MemorySample:
    """Bytes held on chip from `time_us` until the next sample."""

    time_us: float
    bytes: int


@dataclass(frozen=True, slots=True)
class TensorPlacement:
    """Where a feature map lives between its producer and its last consumer.

    `address` is the byte offset in the on-chip memory, None where the map goes through DDR. `held_bytes` are
    what it takes there: all of it, or, in a cascade, one of its `stripes` while the whole cascade runs.
    """

    name: str
    bytes: int
    first_layer: int
    last_layer: int
    address: int | None
    held_bytes: int = 0
    stripes: int = 1

    @property
    def on_chip(self) -> bool:
        """True where the map never leaves the chip."""
        return self.address is not None


@dataclass(frozen=True, slots=True)
class LayerCost:
    """One layer (an op with what is fused behind it).

    `busy_us` maps each unit to the time it works for this layer. `time_us` is the layer's share of the
    makespan (how much later the whole ends because of it): the shares and `Summary.inference_ms`, the fixed
    overhead of an inference, add up to `Summary.bpu_busy_ms`.
    `layout` is how the result lies in memory, empty where that was not chosen or means nothing.
    `floor_us` is what a perfect compiler could reach: peak rate or compulsory bytes, whichever is longer.
    """

    index: int
    name: str
    kind: str
    origin: tuple[str, ...]
    output_shape: tuple[int, ...]
    activation_bits: int
    weight_bits: int
    macs: int
    cycles: float
    time_us: float
    floor_us: float
    start_us: float
    end_us: float
    busy_us: dict[Unit, float]
    utilization: float
    load_bytes: int
    store_bytes: int
    weight_bytes: int
    floor_bytes: int
    on_chip: bool
    bound_by: Bound
    tile: str
    layout: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """The totals of one inference, each with its band and, where one exists, its floor.

    `inference_ms` is the fixed part of the busy time, `overhead_ms` the host's time around it; `utilization`
    is MACs over MACs that the peak rate could have done in `bpu_busy_ms` (0..1).
    """

    bpu_busy_ms: float
    bpu_busy_ms_band: Band
    latency_ms: float
    latency_ms_band: Band
    fps: float
    fps_band: Band
    ddr_read_bytes: float
    ddr_read_bytes_band: Band
    ddr_write_bytes: float
    ddr_write_bytes_band: Band
    bpu_busy_ms_floor: float
    ddr_bytes_floor: float
    ddr_bytes_layer_by_layer: float
    overhead_ms: float
    peak_on_chip_bytes: int
    on_chip_capacity_bytes: int
    weight_bytes: int
    macs: int
    int8_mac_share: float
    int16_mac_share: float
    utilization: float
    cpu_crossings: int
    busy_ms: dict[Unit, float]
    inference_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Advice:
    """One sentence to the user; `gain_us` comes from estimating again with the change made."""

    layer: int | None
    sentence: str
    gain_us: float


@dataclass(frozen=True, slots=True)
class SourcedNumber:
    """A number of the march and where it comes from (`published: …`, `fitted: …` or `assumed`)."""

    name: str
    value: float
    unit: str
    source: str


@dataclass(frozen=True, slots=True)
class CostResult:
    """A whole estimate.

    `peak_macs_per_s` (of all `cores` together) and `ddr_bytes_per_s` are the two roofs of a roofline plot.
    `assumed` lists the numbers of the march that nobody has published; `error_note` is the measured error of
    the model, one sentence.
    """

    model: str
    target: str
    march: str
    clock_ghz: float
    summary: Summary
    layers: tuple[LayerCost, ...]
    timeline: tuple[Interval, ...]
    memory: tuple[MemorySample, ...]
    placements: tuple[TensorPlacement, ...]
    advice: tuple[Advice, ...]
    peak_macs_per_s: float
    ddr_bytes_per_s: float
    assumed: tuple[SourcedNumber, ...]
    fitted: tuple[SourcedNumber, ...]
    error_note: str
    cores: int = 1

    def summary_dict(self) -> dict[str, Any]:
        """The summary as JSON-ready data, keys as the field names, bands as `[p10, p90]`."""
        return {f.name: _plain(getattr(self.summary, f.name)) for f in fields(self.summary)}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, dict):
        return {str(key): item for key, item in value.items()}
    return value
