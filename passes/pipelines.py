"""The pipelines, each readable as one list."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from y10c.quant.options import QuantOptions
from y10c.rewrite.passes import Pass


def canonicalization() -> tuple[Pass, ...]:
    """What every graph goes through first, and all that `y10c.optimize` does."""
    from y10c.passes.canonicalize.affine import FoldAffine
    from y10c.passes.canonicalize.batchnorm import FoldBatchNorm
    from y10c.passes.canonicalize.chains import MergeChains
    from y10c.passes.canonicalize.conv import MergeConvs
    from y10c.passes.canonicalize.cse import EraseDead, MergeCommonSubexpressions
    from y10c.passes.canonicalize.fold_constants import FoldConstants
    from y10c.passes.canonicalize.noop import DropNoops
    from y10c.passes.canonicalize.pads import FoldPads
    from y10c.passes.canonicalize.recognize import RecognizeFunctions
    from y10c.passes.canonicalize.requantize import MergeQuantization
    from y10c.passes.canonicalize.slices import SimplifySlices
    from y10c.passes.canonicalize.transposes import SinkTransposes

    return (
        EraseDead(),
        FoldConstants(),
        DropNoops(),
        SimplifySlices(),
        MergeChains(),
        SinkTransposes(),
        FoldPads(),
        FoldBatchNorm(),
        FoldAffine(),
        MergeConvs(),
        RecognizeFunctions(),
        MergeQuantization(),
        MergeCommonSubexpressions(),
        FoldConstants(),
        DropNoops(),
    )


MOMENT_IMAGES = {"fast": 16, "default": 25, "best": 1000}
"""Samples from which weights learn what they multiply, by effort. assumed."""


@dataclass(frozen=True)
class Stage:
    """A stage of compilation: what runs, and the file that shows the graph afterwards.

    Args:
        name: As in `--stop-after`.
        passes: In order.
        file: Suffix of the stage's file.
    """

    name: str
    passes: tuple[Pass, ...]
    file: str


def stages(
    head: str, quant: QuantOptions, legalization: tuple[Pass, ...] = (), layout: str = "auto"
) -> tuple[Stage, ...]:
    """The stages of `y10c compile`, in the order in which their files are written.

    Args:
        head: `auto`, `raw`, `e2e` or `keep`.
        quant: How the graph is quantized.
        legalization: The target's own passes.
        layout: `auto`, `nchw` or `nhwc`.
    """
    from y10c.passes.head.fold import FoldHead
    from y10c.passes.int8.absorb_shift import AbsorbShift
    from y10c.passes.int8.choose_precision import ChoosePrecision
    from y10c.passes.int8.confirm_ranges import ConfirmRanges
    from y10c.passes.int8.equalize import Equalize
    from y10c.passes.int8.quantize_activations import QuantizeActivations
    from y10c.passes.int8.quantize_weights import QuantizeWeights
    from y10c.passes.int8.smooth import Smooth
    from y10c.passes.layout.select import SelectLayout
    from y10c.passes.observe.calibrate import Calibrate
    from y10c.passes.observe.moments import ObserveMoments

    calibrate = Calibrate(
        method=quant.method,
        percentile=quant.percentile,
        wide_edges=quant.wide_edges,
        workers=quant.workers,
        table=quant.calibration_table,
        float_nodes=quant.nodes_of("float32"),
    )
    searched = quant.method == "search" and quant.calibration_table is None
    confirm = (ConfirmRanges(),) if searched and quant.effort != "fast" else ()
    precision = ChoosePrecision(
        auto=quant.mixed == "auto",
        share=quant.int16_macs,
        latency=quant.latency,
        effort=quant.effort,
        file=quant.mixed if isinstance(quant.mixed, Path) else None,
        int16=quant.nodes_of("int16"),
        int8=quant.nodes_of("int8"),
    )
    shift = (AbsorbShift(),) if quant.absorb_shift else ()
    balance = (*((Equalize(),) if quant.equalize else ()), *((Smooth(),) if quant.smooth else ()))
    optimized = (*canonicalization(), FoldHead(head), *legalization, *balance, *shift)
    moments = (ObserveMoments(MOMENT_IMAGES[quant.effort]),) if quant.rounding else ()
    calibrated = (calibrate, *confirm, precision, *moments, QuantizeActivations())
    weights = QuantizeWeights(quant.weight_clip, quant.bias_correction)
    return (
        Stage("original", (), "original_float_model"),
        Stage("optimized", optimized, "optimized_float_model"),
        Stage("calibrated", calibrated, "calibrated_model"),
        Stage("ptq", (weights, SelectLayout(layout)), "ptq_model"),
    )
