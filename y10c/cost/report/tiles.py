"""The figures at the head of the page: each with its unit, its band and what it is measured against."""

from __future__ import annotations

from dataclasses import dataclass

from y10c.cost.report.data import ReportData
from y10c.cost.report.words import likely, percent, quantity, three_digits
from y10c.cost.result import Band


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure. `share` (0..1) draws a bar below it; `note` says what it is measured against."""

    title: str
    value: str
    unit: str
    note: str
    share: float | None = None


def tiles_of(data: ReportData) -> list[Tile]:
    """The tiles in reading order: time, memory, arithmetic, what leaves the accelerator."""
    return [*_times(data), *_memory(data), *_arithmetic(data)]


def _times(data: ReportData) -> list[Tile]:
    total = data.cost.summary
    if data.times_refused:
        cycles = sum(layer.cycles for layer in data.cost.layers)
        value, unit = quantity(cycles, "cycles").split(" ", 1)
        return [Tile("Work", value, unit, f"no milliseconds: {data.times_refused}")]
    floor, overhead = three_digits(total.bpu_busy_ms_floor), three_digits(total.overhead_ms)
    return [
        Tile("Throughput", f"{total.fps:.0f}", "FPS", likely(total.fps_band)),
        Tile(
            "BPU busy",
            three_digits(total.bpu_busy_ms),
            "ms",
            f"floor {floor}{_band(total.bpu_busy_ms_band)}",
            total.bpu_busy_ms_floor / total.bpu_busy_ms if total.bpu_busy_ms else None,
        ),
        Tile(
            "Latency",
            three_digits(total.latency_ms),
            "ms",
            f"{overhead} ms of it around the BPU{_band(total.latency_ms_band)}",
        ),
    ]


def _band(band: Band) -> str:
    return f"; {likely(band)}" if band[0] < band[1] else ""


def _memory(data: ReportData) -> list[Tile]:
    total = data.cost.summary
    read, write = total.ddr_read_bytes, total.ddr_write_bytes
    value, unit = quantity(read + write, "B").split(" ", 1)
    floor, worst = quantity(total.ddr_bytes_floor, "B"), quantity(total.ddr_bytes_layer_by_layer, "B")
    peak, peak_unit = quantity(total.peak_on_chip_bytes, "B").split(" ", 1)
    capacity = total.on_chip_capacity_bytes
    striped = sum(place.stripes > 1 for place in data.cost.placements)
    stripes = f"; {striped} maps only in stripes" if striped else ""
    return [
        Tile(
            "DDR per frame",
            value,
            unit,
            f"{quantity(read, 'B')} read, {quantity(write, 'B')} written; "
            f"floor {floor}, layer by layer {worst}",
            total.ddr_bytes_floor / (read + write) if read + write else None,
        ),
        Tile(
            "On-chip peak",
            peak,
            peak_unit,
            f"of {quantity(capacity, 'B')}{stripes}; weights {quantity(total.weight_bytes, 'B')}",
            min(total.peak_on_chip_bytes / capacity, 1.0) if capacity else None,
        ),
    ]


def _arithmetic(data: ReportData) -> list[Tile]:
    total = data.cost.summary
    crossings = total.cpu_crossings
    away = "changes between BPU and CPU in one inference" if crossings else "all of it runs on the BPU"
    return [
        Tile(
            "Utilisation",
            percent(total.utilization).removesuffix(" %"),
            "%",
            f"{quantity(total.macs, 'MAC')} of {three_digits(data.cost.peak_macs_per_s / 1e12)} TMAC/s peak",
            min(total.utilization, 1.0),
        ),
        Tile(
            "INT8 share",
            percent(total.int8_mac_share).removesuffix(" %"),
            "%",
            f"of all MACs; INT16 {percent(total.int16_mac_share)}",
            min(total.int8_mac_share, 1.0),
        ),
        Tile("CPU crossings", str(crossings), "", away),
    ]
