"""The Journey 6 target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from y10c.check.table import OperatorTable
from y10c.quant.scheme import QuantScheme
from y10c.rewrite.passes import Pass
from y10c.targets.base import Target, data_files
from y10c.targets.j6.operators import operator_table
from y10c.targets.j6.scheme import SCHEME


@dataclass(frozen=True)
class J6(Target):
    """Horizon Journey 6 / RDK S100 (Nash BPU)."""

    name: ClassVar[str] = "j6"
    title: ClassVar[str] = "Horizon Journey 6 / RDK S100 (Nash BPU)"
    default_march: ClassVar[str] = "nash-e"
    default_head: ClassVar[str] = "auto"
    files: ClassVar[Mapping[str, Path]] = data_files(__file__, "marches")

    def scheme(self) -> QuantScheme:
        """INT8 with zero points; 16 bits where no multiply-accumulate reads."""
        return SCHEME

    def operators(self) -> OperatorTable:
        """The public rows of Nash, and X5 rows where nothing is public."""
        return operator_table(self.march, self.chip())

    def legalization(self) -> tuple[Pass, ...]:
        """Write what the list refuses with what it names."""
        from y10c.passes.legalize.pipeline import legalization

        return legalization()

    def machine_file(self) -> Path | None:
        """The march's data file."""
        return self.files[self.march]
