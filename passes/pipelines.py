"""The pipelines, each readable as one list."""

from __future__ import annotations

from dataclasses import dataclass

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


def stages(head: str, quant: QuantOptions, legalization: tuple[Pass, ...] = ()) -> tuple[Stage, ...]:
    """The stages of `y10c compile`, in the order in which their files are written.

    Args:
        head: `raw`, `e2e` or `keep`.
        quant: How the graph is quantized.
        legalization: The target's own passes.
    """
    from y10c.passes.head.fold import FoldHead
    from y10c.passes.int8.quantize_activations import QuantizeActivations
    from y10c.passes.int8.quantize_weights import QuantizeWeights
    from y10c.passes.observe.calibrate import Calibrate

    calibrate = Calibrate(
        method=quant.method,
        percentile=quant.percentile,
        wide_edges=quant.wide_edges,
        workers=quant.workers,
        table=quant.calibration_table,
        float_nodes=tuple(sorted(n for n, kind in quant.node_types.items() if kind == "float32")),
    )
    return (
        Stage("original", (), "original_float_model"),
        Stage("optimized", (*canonicalization(), FoldHead(head), *legalization), "optimized_float_model"),
        Stage("calibrated", (calibrate, QuantizeActivations()), "calibrated_model"),
        Stage("ptq", (QuantizeWeights(),), "ptq_model"),
    )
