"""The host target: INT8 as onnxruntime's CPU kernels take it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from y10c.ir.types import DType
from y10c.quant.scheme import Grid, OpScheme, QuantScheme
from y10c.rewrite.passes import Pass
from y10c.targets.base import Target

_CONV = OpScheme(data=(0,), weight=1, weight_axis=0, bias=2, macs=True)
_MOVES = OpScheme(data=(0,), keeps_scale=True)

SCHEME = QuantScheme(
    name="ort-u8",
    ops={
        "Conv": _CONV,
        "Gemm": _CONV,
        "MatMul": OpScheme(data=(0, 1), weight=1, weight_axis=-1, macs=True),
        **{name: OpScheme() for name in ("Add", "Mul", "Concat")},
        **{name: OpScheme(data=(0,)) for name in ("Sigmoid", "Softmax", "Relu", "LeakyRelu")},
        **{name: _MOVES for name in ("MaxPool", "Reshape", "Transpose", "Flatten")},
        **{name: _MOVES for name in ("Resize", "Split", "Slice")},
    },
    activation=Grid(DType.u8, symmetric=False),
    source="published: onnxruntime's quantization guide; u8 activations fuse into QLinearConv",
)
"""Unsigned activations, so that onnxruntime fuses the pairs around a convolution into its integer kernel."""


@dataclass(frozen=True)
class Ort(Target):
    """Generic INT8 on onnxruntime's CPU provider."""

    name: ClassVar[str] = "ort"
    title: ClassVar[str] = "onnxruntime on the host CPU"
    default_march: ClassVar[str] = "cpu"

    @classmethod
    def marches(cls) -> list[str]:
        """There is one."""
        return ["cpu"]

    def scheme(self) -> QuantScheme:
        """Asymmetric unsigned activations, symmetric int8 weights."""
        return SCHEME

    def legalization(self) -> tuple[Pass, ...]:
        """Ops that onnxruntime's integer kernels know."""
        from y10c.targets.ort.split_silu import SplitSilu

        return (SplitSilu(),)
