"""What a target is: data about the chip, a quantization scheme, defaults of the command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from y10c.errors import UnknownNameError
from y10c.quant.scheme import QuantScheme
from y10c.rewrite.passes import Pass


@dataclass(frozen=True)
class Target:
    """Base of all targets; a subclass declares, the framework does.

    Args:
        march: Which chip of the family.
    """

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""
    default_march: ClassVar[str] = ""
    default_head: ClassVar[str] = "keep"
    march: str = field(default="")

    @classmethod
    def marches(cls) -> list[str]:
        """Names of the chips of this family."""
        raise NotImplementedError

    @classmethod
    def create(cls, march: str | None = None) -> Target:
        """The target for a march, the default one where none is given.

        Raises:
            UnknownNameError: There is no such march.
        """
        wanted = march or cls.default_march
        if wanted not in cls.marches():
            raise UnknownNameError("march", wanted, cls.marches())
        return cls(wanted)

    def scheme(self) -> QuantScheme:
        """What quantizes how."""
        raise NotImplementedError

    def legalization(self) -> tuple[Pass, ...]:
        """Passes that make a graph legal on the target."""
        return ()

    def machine_file(self) -> Path | None:
        """The march's data for the cost model; None where no cost is modelled."""
        return None


def data_files(package_file: str, folder: str) -> dict[str, Path]:
    """The YAML files of a target's data folder, by stem."""
    return {p.stem: p for p in sorted((Path(package_file).parent / folder).glob("*.yaml"))}
