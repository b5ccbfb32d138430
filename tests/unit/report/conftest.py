"""Estimates made by hand, so that the report is tested without a machine model."""

from __future__ import annotations

import pytest

from y10c.cost.report import FileRow, NodeRow, OutputCosine, PassRow, ReportData, TensorRow
from y10c.cost.result import (
    Advice,
    Bound,
    CostResult,
    Interval,
    LayerCost,
    MemorySample,
    SourcedNumber,
    Summary,
    TensorPlacement,
    Unit,
)

KINDS = ("conv", "conv", "depthwise", "conv", "elementwise", "pool", "matmul", "softmax")


def work_of(index: int) -> dict[Unit, float]:
    """What a made-up layer keeps busy, in us: the mix of a real detector, deterministic."""
    kind = KINDS[index % len(KINDS)]
    compute = 4.0 + 7.0 * ((index * 37) % 11) / 10
    work = {Unit.LOAD: compute * (0.3 + (index * 13 % 10) / 8), Unit.STORE: compute * (index * 7 % 5) / 9}
    unit = {"elementwise": Unit.VPU, "softmax": Unit.VPU, "pool": Unit.AAE}.get(kind, Unit.TAE)
    return {unit: compute, **{u: t for u, t in work.items() if t > 0}}


def layer_of(index: int, start: float, end: float, work: dict[Unit, float]) -> LayerCost:
    kind = KINDS[index % len(KINDS)]
    macs = 0 if kind in ("elementwise", "softmax", "pool") else 1_000_000 * (1 + index * 29 % 40)
    longest = max(work, key=lambda unit: work[unit])
    bound = {Unit.LOAD: Bound.LOAD, Unit.VPU: Bound.VECTOR, Unit.AAE: Bound.POOLING}.get(
        longest, Bound.COMPUTE
    )
    traffic = int(work[Unit.LOAD] * 20_000)
    return LayerCost(
        index=index,
        name=f"/model.{index // 6}/cv{index % 3}/{kind}/Conv_{index}",
        kind=kind,
        origin=(f"/model.{index // 6}/cv{index % 3}/conv/Conv", f"/model.{index // 6}/cv{index % 3}/act/Mul"),
        output_shape=(1, 16 << (index % 5), 640 >> (1 + index % 5), 640 >> (1 + index % 5)),
        activation_bits=16 if index % 23 == 22 else 8,
        weight_bits=8,
        macs=macs,
        cycles=max(work.values()) * 1000,
        time_us=end - start,
        floor_us=(end - start) / 3,
        start_us=start,
        end_us=end,
        busy_us=work,
        utilization=min(macs / 1e6 / 60, 1.0),
        load_bytes=traffic,
        store_bytes=int(work.get(Unit.STORE, 0.0) * 20_000),
        weight_bytes=traffic // 4,
        floor_bytes=traffic * 3 // 4,
        on_chip=index % 3 != 0,
        bound_by=bound,
        tile="64x20x80, weights held",
    )


def estimate_of(count: int, model: str = "yolov10n") -> CostResult:
    """A plausible estimate of `count` layers one behind the other, loads one layer ahead."""
    layers, timeline, memory, clock = [], [], [], 12.0
    timeline.append(Interval(Unit.HOST, -1, 0.0, clock))
    for index in range(count):
        work = work_of(index)
        end = clock + max(work.values())
        timeline += [Interval(unit, index, clock, time) for unit, time in work.items()]
        memory.append(MemorySample(clock, 300_000 + 1_400_000 * ((index * 17) % 13) // 12))
        layers.append(layer_of(index, clock, end, work))
        clock = end
    memory.append(MemorySample(clock, 0))
    return CostResult(
        model=model,
        target="j6",
        march="nash-e",
        clock_ghz=1.0,
        summary=summary_of(layers, clock),
        layers=tuple(layers),
        timeline=tuple(timeline),
        memory=tuple(memory),
        placements=tuple(placement_of(index, count) for index in range(count)),
        advice=(
            Advice(0, "Pad the 3 input channels to 16 in the first convolution's weights.", 14.2),
            Advice(min(5, count - 1), "Keep /model.1 in 8 bits instead of 16: <attention> & co.", 31.0),
            Advice(None, "Cut the head at the raw outputs.", 120.5),
        ),
        peak_macs_per_s=40e12,
        ddr_bytes_per_s=20e9,
        assumed=(SourcedNumber("on-chip memory", 2_097_152, "bytes", "assumed"),),
        fitted=(SourcedNumber("launch overhead", 1.9, "us", "fitted: 40 rows of published latency"),),
        error_note="Mean absolute error 3.1 % on families that the fit had not seen.",
    )


def placement_of(index: int, count: int) -> TensorPlacement:
    reach = 9 if index % 12 == 3 else 1
    last = min(index + reach, count - 1)
    return TensorPlacement(f"map{index}", 204_800, index, last, 0 if index % 3 else None)


def summary_of(layers: list[LayerCost], end_us: float) -> Summary:
    read = float(sum(layer.load_bytes for layer in layers))
    write = float(sum(layer.store_bytes for layer in layers))
    busy = end_us / 1e3
    return Summary(
        bpu_busy_ms=busy,
        bpu_busy_ms_band=(busy * 0.95, busy * 1.06),
        latency_ms=busy + 0.31,
        latency_ms_band=(busy * 0.95 + 0.31, busy * 1.06 + 0.31),
        fps=1e3 / busy,
        fps_band=(1e3 / busy / 1.06, 1e3 / busy / 0.95),
        ddr_read_bytes=read,
        ddr_read_bytes_band=(read * 0.9, read * 1.1),
        ddr_write_bytes=write,
        ddr_write_bytes_band=(write * 0.9, write * 1.1),
        bpu_busy_ms_floor=busy / 4,
        ddr_bytes_floor=read / 3,
        ddr_bytes_layer_by_layer=read * 4,
        overhead_ms=0.31,
        inference_ms=0.012,
        peak_on_chip_bytes=1_700_000,
        on_chip_capacity_bytes=2_097_152,
        weight_bytes=2_300_000,
        macs=sum(layer.macs for layer in layers),
        int8_mac_share=0.96,
        int16_mac_share=0.04,
        utilization=0.21,
        cpu_crossings=2,
        busy_ms={unit: sum(layer.busy_us.get(unit, 0.0) for layer in layers) / 1e3 for unit in Unit},
    )


def nodes_of(estimate: CostResult) -> tuple[NodeRow, ...]:
    """A quantization summary whose cosines sink in the middle, as in YOLOv10's attention."""
    rows = []
    for layer in estimate.layers:
        dip = 0.1 if 0.45 < layer.index / len(estimate.layers) < 0.55 else 0.002
        loss = dip * (1 + layer.index * 31 % 17) / 17
        bits = f"si{layer.activation_bits}"
        rows.append(NodeRow(layer.name, "Conv", "BPU", 2.5 + layer.index, 1 - loss / 2, 1 - loss, bits))
    return (*rows, NodeRow("/model.23/TopK", "TopK", "CPU", dtype="float32"))


def report_of(estimate: CostResult) -> ReportData:
    """A report with every part filled."""
    return ReportData(
        cost=estimate,
        inputs=(TensorRow("images", (1, 3, 640, 640), "float32", 1_228_800),),
        outputs=(TensorRow("cls8", (1, 80, 80, 80), "int32", 2_048_000),),
        nodes=nodes_of(estimate),
        output_cosines=(OutputCosine("cls8", 0.99953), OutputCosine("box32", 0.96219)),
        files=(FileRow("model_output/yolov10n_ptq_model.onnx", "INT8, runs in onnxruntime", 9_400_000),),
        warnings=(
            {
                "code": "Y5001",
                "message": "calibrated on generated images",
                "where": None,
                "help": "pass --calibration DIR",
            },
        ),
        notes=("Calibrated on synthetic images: the accuracy is unknown.",),
        passes=(PassRow("canonicalize", {"fold-batchnorm": 3, "drop-identity": 12}), PassRow("int8", {})),
        edges=tuple((i, i + 1) for i in range(len(estimate.layers) - 1)),
    )


@pytest.fixture(scope="session")
def estimate() -> CostResult:
    return estimate_of(90)


@pytest.fixture(scope="session")
def data(estimate: CostResult) -> ReportData:
    return report_of(estimate)


@pytest.fixture(scope="session")
def large() -> ReportData:
    """As many layers as YOLOv10x has, with room."""
    return report_of(estimate_of(640, "yolov10x"))
