"""Which ONNX ops are which kind of work: the one list the extraction of layers goes by."""

from __future__ import annotations

from y10c.cost.workload import Kind

RENAMES = frozenset(
    {"Identity", "Cast", "Dropout", "QuantizeLinear", "DequantizeLinear", "BatchNormalization"}
)
"""The result is the operand under another name or type; a BatchNormalization is folded into its Conv."""

VIEWS = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})
"""The same bytes read with another shape."""

PARTS = frozenset({"Split", "Slice"})
"""A part of the bytes, free while channels are cut."""

SHAPE_ARITHMETIC = frozenset({"Constant", "Shape", "Size", "ConstantOfShape", "Range", "EyeLike"})
"""Known when the shapes are known: no work."""

# fmt: off
ELEMENTWISE = frozenset({
    "Abs", "Acos", "Acosh", "Add", "And", "Asin", "Asinh", "Atan", "Atanh", "BitShift", "Ceil", "Celu",
    "Clip", "Cos", "Cosh", "Div", "Elu", "Equal", "Erf", "Exp", "Floor", "Gelu", "Greater",
    "GreaterOrEqual", "HardSigmoid", "HardSwish", "IsInf", "IsNaN", "LeakyRelu", "Less", "LessOrEqual",
    "Log", "Max", "Mean", "Min", "Mish", "Mul", "Neg", "Not", "Or", "PRelu", "Pow", "Reciprocal",
    "Relu", "Round", "Selu", "SiLU", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt",
    "Sub", "Sum", "Swish", "Tan", "Tanh", "ThresholdedRelu", "Where", "Xor",
})
# fmt: on

CLAMPS = frozenset({"Relu", "Clip"})
"""A function that only cuts off the range, as narrowing an accumulator does anyway."""

KINDS: dict[str, Kind] = {
    "Conv": Kind.CONV,
    "ConvTranspose": Kind.CONV,
    "MatMul": Kind.MATMUL,
    "Gemm": Kind.MATMUL,
    "Softmax": Kind.SOFTMAX,
    "LogSoftmax": Kind.SOFTMAX,
    "Hardmax": Kind.SOFTMAX,
    "LayerNormalization": Kind.NORM,
    "InstanceNormalization": Kind.NORM,
    "GroupNormalization": Kind.NORM,
    "LpNormalization": Kind.NORM,
    "RMSNormalization": Kind.NORM,
    "MaxPool": Kind.POOL,
    "AveragePool": Kind.POOL,
    "GlobalAveragePool": Kind.REDUCE,
    "GlobalMaxPool": Kind.REDUCE,
    "ArgMax": Kind.REDUCE,
    "ArgMin": Kind.REDUCE,
    "Resize": Kind.RESIZE,
    "Upsample": Kind.RESIZE,
    "GridSample": Kind.RESIZE,
    "Transpose": Kind.TRANSPOSE,
    "DepthToSpace": Kind.COPY,
    "SpaceToDepth": Kind.COPY,
    "Pad": Kind.COPY,
    "Expand": Kind.COPY,
    "Tile": Kind.COPY,
    "Gather": Kind.COPY,
    "Slice": Kind.COPY,
    "Split": Kind.COPY,
} | {
    f"Reduce{name}": Kind.REDUCE
    for name in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")
}


def kind_of(op: str) -> Kind:
    """The kind of work of an op; whatever is not listed is left to the host."""
    return Kind.ELEMENTWISE if op in ELEMENTWISE else KINDS.get(op, Kind.HOST)
