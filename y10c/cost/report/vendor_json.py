"""The JSON report: the vendor's key names beside ours. `schema.py` declares and checks its shape."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from y10c import atomic
from y10c.cost.report import schema as s
from y10c.cost.report.data import NodeRow, ReportData, TensorRow, measured
from y10c.cost.report.intervals import profile
from y10c.cost.result import LayerCost, Unit

_COMPUTE = (Unit.TAE, Unit.VPU, Unit.AAE, Unit.TRANS)
_TIMES = ("bpu_busy_ms", "latency_ms", "fps")


def to_json(data: ReportData) -> dict[str, Any]:
    """The report as JSON-ready data that fits `docs/reference/report.schema.json`."""
    cost = data.cost
    report = s.Report(
        schema_version=s.SCHEMA_VERSION,
        generator=f"y10c {data.version}",
        model=cost.model,
        target=cost.target,
        march=cost.march,
        clock_ghz=cost.clock_ghz,
        summary=_summary(data),
        core_summary=[_core_summary(data, core) for core in range(cost.cores)],
        details=[_instructions(data)] * cost.cores,
        layers=[_layer(data, layer) for layer in cost.layers],
        memory=None if data.times_refused else [(m.time_us, m.bytes) for m in cost.memory],
        advice=[
            s.Advice(layer=a.layer, sentence=a.sentence, gain_us=_time(data, a.gain_us)) for a in cost.advice
        ],
        assumed=[s.Number(**asdict(number)) for number in cost.assumed],
        fitted=[s.Number(**asdict(number)) for number in cost.fitted],
        error_note=cost.error_note,
        inputs=list(map(_tensor, data.inputs)),
        outputs=list(map(_tensor, data.outputs)),
        mac_share=[
            s.MacShare(activation_bits=a, weight_bits=w, share=share)
            for (a, w), share in data.mac_share.items()
        ],
        nodes=list(map(_node, data.nodes)),
        output_cosine={output.name: measured(output.cosine) for output in data.output_cosines},
        passes=[s.Pass(name=one.name, rules=dict(one.rules)) for one in data.passes],
        files=[s.File(**asdict(file)) for file in data.files],
        warnings=[dict(warning) for warning in data.warnings],
        notes=list(data.notes),
    )
    return report.model_dump(mode="json", by_alias=True)


def write_json(data: ReportData, path: Path | str) -> None:
    """Write `to_json`; raises OutputError."""
    atomic.write_text(path, json.dumps(to_json(data), indent=1, allow_nan=False) + "\n")


def _time(data: ReportData, value: float) -> float | None:
    return None if data.times_refused else value


def _summary(data: ReportData) -> s.Summary:
    numbers = data.cost.summary_dict()
    if data.times_refused:
        timed = {name for name in numbers if name.startswith(_TIMES)} | {
            "overhead_ms",
            "inference_ms",
            "busy_ms",
        }
        numbers |= dict.fromkeys(timed, None)
    return s.Summary(
        **{name: value for name, value in numbers.items() if name in s.Summary.model_fields},
        times_refused=data.times_refused,
        performance=_performance(data),
        ddr=_ddr(data),
        intervals=_intervals(data),
        layer_details=[_detail(data, layer) for layer in data.cost.layers],
        model_info=_model_info(data),
    )


def _performance(data: ReportData) -> s.Performance:
    total = data.cost.summary
    latency = _time(data, total.latency_ms)
    return s.Performance(
        fps=_time(data, total.fps),
        latency_us=None if latency is None else latency * 1e3,
        latency_ms=latency,
        segments=None if data.times_refused else [total.bpu_busy_ms * 1e3],
    )


def _ddr(data: ReportData) -> s.DdrAccess:
    total = data.cost.summary
    inputs, outputs = _bytes(data.inputs), _bytes(data.outputs)
    intermediate = _intermediate_peak(data)
    dynamic = intermediate + (inputs or 0) + (outputs or 0)
    return s.DdrAccess(
        megabytes=(total.ddr_read_bytes + total.ddr_write_bytes) / 1e6,
        loaded=total.ddr_read_bytes,
        stored=total.ddr_write_bytes,
        minimum=total.weight_bytes + dynamic,
        input=inputs,
        output=outputs,
        static=total.weight_bytes,
        dynamic=dynamic,
        intermediate=intermediate,
        temporary=total.peak_on_chip_bytes,
    )


def _bytes(tensors: tuple[TensorRow, ...]) -> int | None:
    known = [tensor.bytes for tensor in tensors if tensor.bytes is not None]
    return sum(known) if known and len(known) == len(tensors) else None


def _intermediate_peak(data: ReportData) -> int:
    changes: Counter[int] = Counter()
    for place in data.cost.placements:
        if not place.on_chip:
            changes[place.first_layer] += place.bytes
            changes[place.last_layer + 1] -= place.bytes
    held = peak = 0
    for layer in sorted(changes):
        held += changes[layer]
        peak = max(peak, held)
    return peak


def _intervals(data: ReportData) -> s.IntervalInfo:
    run = profile(data)
    refused = bool(data.times_refused)
    return s.IntervalInfo(
        number=len(run.utilization),
        time_ms=None if refused else run.step_us / 1e3,
        utilization=[round(value, 4) for value in run.utilization],
        loading=None if refused else [round(amount / run.step_us, 1) for amount in run.load],
        storing=None if refused else [round(amount / run.step_us, 1) for amount in run.store],
    )


def _detail(data: ReportData, layer: LayerCost) -> s.LayerDetail:
    times = None if data.times_refused else layer.busy_us
    compute = max((layer.busy_us.get(unit, 0.0) for unit in _COMPUTE), default=0.0)
    return s.LayerDetail(
        name=layer.name,
        active=None if times is None else f"{layer.start_us:.1f} ~ {layer.end_us:.1f} us",
        computing=None if times is None else _cost(data, compute),
        load=None if times is None else _cost(data, times.get(Unit.LOAD, 0.0)),
        store=None if times is None else _cost(data, times.get(Unit.STORE, 0.0)),
        origin=list(layer.origin),
    )


def _cost(data: ReportData, time_us: float) -> str:
    whole = data.cost.summary.bpu_busy_ms * 1e3 or 1.0
    return f"{time_us:.3g} us ({100 * time_us / whole:.1f}% of model)"


def _model_info(data: ReportData) -> s.ModelInfo:
    macs: Counter[tuple[bool, bool]] = Counter()
    for layer in data.cost.layers:
        macs[layer.activation_bits > 8, layer.weight_bits > 8] += layer.macs
    return s.ModelInfo(
        march=data.cost.march,
        cores=data.cost.cores,
        version=f"y10c {data.version} (estimate; HBDK did not run)",
        options=", ".join(one.name for one in data.passes),
        int8=macs[False, False],
        feature_int16=macs[True, False],
        weight_int16=macs[False, True],
        int16=macs[True, True],
        conv_ops=2 * macs.total(),
    )


def _core_summary(data: ReportData, core: int) -> s.CoreSummary:
    """Each core does its share of the rows of every layer, so all of them work alike."""
    counts = Counter(interval.unit for interval in data.cost.timeline)
    busy = data.cost.summary.busy_ms
    return s.CoreSummary(
        core=core,
        units=[
            s.UnitTotal(
                inst_type=str(unit),
                instructions=counts[unit],
                working_time_us=_time(data, busy.get(unit, 0.0) * 1e3),
            )
            for unit in Unit
        ],
    )


def _instructions(data: ReportData) -> list[s.Instruction]:
    names = [layer.name for layer in data.cost.layers]
    return [
        s.Instruction(
            inst_type=str(interval.unit),
            source_layer_names=names[interval.layer : interval.layer + 1] if interval.layer >= 0 else [],
            start_us=_time(data, interval.start_us),
            working_us=_time(data, interval.duration_us),
        )
        for interval in data.cost.timeline
    ]


def _layer(data: ReportData, layer: LayerCost) -> s.Layer:
    fields = asdict(layer)
    if data.times_refused:
        fields |= dict.fromkeys(("time_us", "floor_us", "start_us", "end_us", "busy_us"), None)
    else:
        fields["busy_us"] = {str(unit): time for unit, time in layer.busy_us.items()}
    fields |= {"kind": str(layer.kind), "bound_by": str(layer.bound_by)}
    return s.Layer(**{name: value for name, value in fields.items() if name in s.Layer.model_fields})


def _tensor(tensor: TensorRow) -> s.Tensor:
    return s.Tensor(name=tensor.name, shape=list(tensor.shape), dtype=tensor.dtype, bytes=tensor.bytes)


def _node(row: NodeRow) -> s.Node:
    return s.Node(
        node=row.node,
        op=row.op,
        unit=row.unit,
        threshold=row.threshold,
        calibrated=row.calibrated_cosine,
        quantized=row.quantized_cosine,
        dtype=row.dtype,
    )
