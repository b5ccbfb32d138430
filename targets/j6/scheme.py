"""How the Nash BPU quantizes.

Weights per output channel, symmetric int8; activations per tensor, int8, with a zero point where the search
wants one (published: S3, `activation.asymmetric`; S7, HzQuantize has a zero point); int32 accumulators.
A table look-up and Add also take int16 (published: S12), as do Mul, MaxPool and Softmax on the X5 (published:
S11); for Concat, Div, Max, Min, Relu and pure data movement 16 bits are assumed. So a tensor that no
convolution or product reads keeps 16 bits, which costs vector time and traffic but no multiply-accumulates.
An int16 convolution or product costs more (see the march's data). That every op below runs on int8 is assumed
from the X5 operator list (published: S11).
"""

from __future__ import annotations

from y10c.ir.types import DType
from y10c.quant.scheme import Grid, OpScheme, QuantScheme

_CONV = OpScheme(data=(0,), weight=1, weight_axis=0, bias=2, macs=True)
_TABLE = OpScheme(data=(0,), wide_input=True)
_ELEMENTWISE = OpScheme(wide_input=True)
_MOVES = OpScheme(data=(0,), keeps_scale=True, wide_input=True)

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
        **{name: _ELEMENTWISE for name in ("Add", "Sub", "Mul", "Div", "Concat", "Max", "Min")},
        **{name: _TABLE for name in ("Softmax", "Relu", "LeakyRelu", "Clip")},
        **{name: OpScheme(data=(0,)) for name in ("PRelu", "AveragePool", "GlobalAveragePool", "ReduceMean")},
        **{name: _MOVES for name in ("MaxPool", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze")},
        **{name: _MOVES for name in ("Split", "Slice", "Resize", "Pad", "DepthToSpace", "SpaceToDepth")},
    },
    activation=Grid(DType.i8, symmetric=False),
    wide=Grid(DType.i16),
    source="published: S3, S7, S12, S16; ops assumed from S11",
)
"""The declaration that the INT8 passes follow."""
