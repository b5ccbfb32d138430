"""The RDK X5 target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from y10c.check.table import OperatorTable
from y10c.quant.scheme import OpScheme, QuantScheme
from y10c.rewrite.passes import Pass
from y10c.targets.base import Target, data_files
from y10c.targets.j6.scheme import SCHEME
from y10c.targets.x5.operators import operator_table


@dataclass(frozen=True)
class X5(Target):
    """D-Robotics RDK X5 (Bayes-e BPU)."""

    name: ClassVar[str] = "x5"
    title: ClassVar[str] = "D-Robotics RDK X5 (Bayes-e BPU)"
    default_march: ClassVar[str] = "bayes-e"
    default_head: ClassVar[str] = "auto"
    files: ClassVar[Mapping[str, Path]] = data_files(__file__, "marches")

    def scheme(self) -> QuantScheme:
        """As on Journey 6, with the reductions that a Softmax by its parts needs (published: S9 S11)."""
        more = {"ReduceMax": OpScheme(data=(0,), keeps_scale=True), "ReduceSum": OpScheme(data=(0,))}
        return replace(SCHEME, name="x5-int8", ops={**SCHEME.ops, **more})

    def operators(self) -> OperatorTable:
        """The published list."""
        return operator_table(self.march, self.chip())

    def legalization(self) -> tuple[Pass, ...]:
        """Write what the list refuses with what it names."""
        from y10c.passes.legalize.pipeline import legalization

        return legalization()
