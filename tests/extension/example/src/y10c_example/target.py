"""A target that runs convolutions and squares on integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from y10c.ir.types import DType
from y10c.quant.scheme import Grid, OpScheme, QuantScheme
from y10c.rewrite.passes import Pass
from y10c.targets.base import Target
from y10c_example.rules import RecognizeSquares


@dataclass(frozen=True)
class Example(Target):
    """A chip that does not exist."""

    name: ClassVar[str] = "example"
    title: ClassVar[str] = "a chip that does not exist"
    default_march: ClassVar[str] = "one"

    @classmethod
    def marches(cls) -> list[str]:
        """There is one."""
        return ["one"]

    def scheme(self) -> QuantScheme:
        """Symmetric int8 everywhere."""
        return QuantScheme(
            name="example-s8",
            ops={
                "Conv": OpScheme(data=(0,), weight=1, weight_axis=0, bias=2, macs=True),
                "example.Square": OpScheme(data=(0,)),
            },
            activation=Grid(DType.i8, symmetric=True),
            source="assumed",
        )

    def legalization(self) -> tuple[Pass, ...]:
        """Squares are one op there."""
        return (RecognizeSquares(),)
