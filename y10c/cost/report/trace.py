"""The timeline in the Trace Event Format, which Perfetto (ui.perfetto.dev) and chrome://tracing open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from y10c import atomic
from y10c.cost.report.data import ReportData
from y10c.cost.result import Interval, Unit

_CORE = 1


def to_trace(data: ReportData) -> dict[str, Any]:
    """A trace with one thread a unit, one slice an interval and a counter of bytes on chip.

    Times are in us, or in kcycles where times are refused: `otherData` says which.
    """
    units = {unit: number for number, unit in enumerate(Unit, start=1)}
    events = [_name("process_name", 0, f"{data.cost.model} on {data.cost.march}")]
    events += [_name("thread_name", number, str(unit)) for unit, number in units.items()]
    factor, unit = (data.cost.clock_ghz, "kcycles") if data.times_refused else (1.0, "us")
    events += [_slice(data, interval, units[interval.unit], factor) for interval in data.cost.timeline]
    events += [
        {
            "ph": "C",
            "pid": _CORE,
            "name": "on-chip bytes",
            "ts": sample.time_us * factor,
            "args": {"bytes": sample.bytes},
        }
        for sample in data.cost.memory
    ]
    about = {
        "generator": f"y10c {data.version}",
        "target": data.cost.target,
        "march": data.cost.march,
        "unit": unit,
    }
    return {"displayTimeUnit": "ns", "otherData": about, "traceEvents": events}


def write_trace(data: ReportData, path: Path | str) -> None:
    """Write the trace as JSON; raises OutputError."""
    atomic.write_text(path, json.dumps(to_trace(data), separators=(",", ":")))


def _name(kind: str, thread: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "pid": _CORE, "tid": thread, "name": kind, "args": {"name": name}}


def _slice(data: ReportData, interval: Interval, thread: int, factor: float) -> dict[str, Any]:
    layer = data.layer(interval.layer)
    args = (
        {"kind": layer.kind, "macs": layer.macs, "bound by": str(layer.bound_by), "tile": layer.tile}
        if layer
        else {}
    )
    return {
        "ph": "X",
        "pid": _CORE,
        "tid": thread,
        "name": layer.name if layer else str(interval.unit).lower(),
        "cat": str(interval.unit),
        "ts": round(interval.start_us * factor, 4),
        "dur": round(interval.duration_us * factor, 4),
        "args": args,
    }
