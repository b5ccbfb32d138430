"""How the Nash BPU quantizes.

Weights per output channel, symmetric int8; activations per tensor, symmetric int8; int32 accumulators.
A table look-up also takes int16 (published: S12), so the edge from a convolution into its activation keeps
16 bits, which costs vector time and no multiply-accumulates. Source: facts on the scheme, published: S3, S7,
S12, S16; that every op below runs on int8 is assumed from the X5 operator list (published: S11).
"""

from __future__ import annotations

from y10c.ir.types import DType
from y10c.quant.scheme import Grid, OpScheme, QuantScheme

_CONV = OpScheme(data=(0,), weight=1, weight_axis=0, bias=2, macs=True)
_TABLE = OpScheme(data=(0,), wide_input=True)
_ALL = OpScheme()
_MOVES = OpScheme(data=(0,), keeps_scale=True)

TABLES = (
    "y10c.SiLU",
    "Sigmoid",
    "Tanh",
    "Exp",
    "Log",
    "Sqrt",
    "Erf",
    "HardSigmoid",
    "HardSwish",
    "Elu",
    "Selu",
    "Softplus",
    "Softsign",
    "Gelu",
    "Mish",
    "Reciprocal",
    "Abs",
)
"""Functions of one number that the BPU runs as a table."""

SCHEME = QuantScheme(
    name="j6-int8",
    ops={
        "Conv": _CONV,
        "ConvTranspose": OpScheme(data=(0,), weight=1, weight_axis=1, bias=2, macs=True),
        "Gemm": _CONV,
        "MatMul": OpScheme(data=(0, 1), weight=1, weight_axis=-1, macs=True),
        **{name: _TABLE for name in TABLES},
        **{name: _ALL for name in ("Add", "Sub", "Mul", "Div", "Concat", "Max", "Min")},
        **{name: OpScheme(data=(0,)) for name in ("Softmax", "Relu", "LeakyRelu", "Clip")},
        **{name: OpScheme(data=(0,)) for name in ("PRelu", "AveragePool", "GlobalAveragePool", "ReduceMean")},
        **{name: _MOVES for name in ("MaxPool", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze")},
        **{name: _MOVES for name in ("Split", "Slice", "Resize", "DepthToSpace", "SpaceToDepth")},
    },
    activation=Grid(DType.i8),
    wide=Grid(DType.i16),
    source="published: S3, S7, S12, S16; ops assumed from S11",
)
"""The declaration that the INT8 passes follow."""
