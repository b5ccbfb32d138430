"""What the list leaves to the CPU."""

from __future__ import annotations

from y10c.check.constraint import HOST, Row
from y10c.targets.x5.sources import LIST


def on_cpu(name: str, *ops: str, remedy: str, cures: tuple[str, ...] = (), source: str = LIST) -> Row:
    """A row of ops that the chip does not run."""
    named = ops[0] if len(ops) == 1 else f"{', '.join(ops[:-1])} and {ops[-1]}"
    verb = "runs" if len(ops) == 1 else "run"
    return Row(name, ops, f"{named} {verb} on the CPU.", source, HOST, remedy=remedy, cures=cures)


LEAVE = "cut the model before it, or let the host run it"
INTEGER_MODEL = "compile the float model: a model with integers inside is no input of the toolchain"

ROWS = (
    on_cpu("gather-nd", "GatherND", remedy="use Gather or GatherElements"),
    on_cpu(
        "scatter", "ScatterND", "ScatterElements", remedy="use Concat and Slice where the places are known"
    ),
    on_cpu("where", "Where", remedy="multiply with a mask"),
    on_cpu("non-zero", "NonZero", remedy=LEAVE),
    on_cpu("mod", "Mod", remedy="let --head raw cut the decode tail, which decodes indices with it"),
    on_cpu("not", "Not", remedy="subtract the mask from 1"),
    on_cpu("neg", "Neg", remedy="multiply by -1", cures=("neg-to-mul",)),
    on_cpu("one-hot", "OneHot", remedy=LEAVE),
    on_cpu("roi-align", "RoiAlign", remedy=LEAVE),
    on_cpu("range", "Range", remedy="make it a constant: give --shape"),
    on_cpu("cum-sum", "CumSum", remedy="multiply with a triangular matrix"),
    on_cpu("cast", "Cast", remedy="keep one element type, or cast at the model's inputs and outputs"),
    on_cpu(
        "reduce-min", "ReduceMin", remedy="take the greatest of the negated", cures=("reduce-min-to-max",)
    ),
    on_cpu("reduce-l1", "ReduceL1", remedy="sum absolute values", cures=("reduce-l1-by-parts",)),
    on_cpu("reduce-l2", "ReduceL2", remedy="root of summed squares", cures=("reduce-l2-by-parts",)),
    on_cpu("reduce-prod", "ReduceProd", remedy="sum logarithms where all are positive"),
    on_cpu(
        "reduce-others",
        "ReduceSumSquare",
        "ReduceLogSum",
        "ReduceLogSumExp",
        remedy="sum, and take the function apart",
        cures=("reduce-sum-square-by-parts", "reduce-log-sum-by-parts", "reduce-log-sum-exp-by-parts"),
        source="assumed: the published row names some reductions and ends in dots",
    ),
    on_cpu(
        "instance-norm",
        "InstanceNormalization",
        remedy="let y10c compile write it as mean, square and root",
        cures=("instance-norm-by-parts",),
    ),
    on_cpu("log-softmax", "LogSoftmax", remedy="write Log(Softmax)", cures=("log-softmax-by-parts",)),
    on_cpu("recurrent", "GRU", "RNN", remedy="use LSTM"),
    on_cpu("quantize", "QuantizeLinear", "DequantizeLinear", remedy=INTEGER_MODEL),
    on_cpu("integer-conv", "ConvInteger", "QLinearConv", remedy=INTEGER_MODEL),
    on_cpu(
        "shape-arithmetic",
        "Shape",
        "Size",
        "ConstantOfShape",
        "NonMaxSuppression",
        "Loop",
        "If",
        "Scan",
        remedy="let y10c compile fold the shape arithmetic and cut the decode tail",
        source="assumed: the published list does not name them",
    ),
    on_cpu(
        "norm",
        "LayerNormalization",
        "GroupNormalization",
        "BatchNormalization",
        remedy="let y10c compile fold it or write it by its parts",
        cures=("layer-norm-by-parts", "group-norm-by-parts", "batch-norm-to-scale"),
        source="assumed: the published list does not name them",
    ),
    on_cpu(
        "variadic-mean",
        "Mean",
        remedy="add and multiply",
        cures=("mean-to-sum",),
        source="assumed: the published list does not name it",
    ),
)
