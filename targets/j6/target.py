"""The Journey 6 target."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from y10c.quant.scheme import QuantScheme
from y10c.targets.base import Target, data_files
from y10c.targets.j6.scheme import SCHEME


@dataclass(frozen=True)
class J6(Target):
    """Horizon Journey 6 / RDK S100 (Nash BPU)."""

    name: ClassVar[str] = "j6"
    title: ClassVar[str] = "Horizon Journey 6 / RDK S100 (Nash BPU)"
    default_march: ClassVar[str] = "nash-e"
    default_head: ClassVar[str] = "raw"

    @classmethod
    def marches(cls) -> list[str]:
        """The marches that a data file describes."""
        return list(data_files(__file__, "marches"))

    def scheme(self) -> QuantScheme:
        """Symmetric INT8, 16 bits into tables."""
        return SCHEME

    def machine_file(self) -> Path | None:
        """The march's data file."""
        return data_files(__file__, "marches")[self.march]
