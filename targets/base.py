"""What a target is: data about the chip, an operator list, a quantization scheme, command-line defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from y10c.check.chip import Chip, load_chip
from y10c.check.table import OperatorTable
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
    files: ClassVar[Mapping[str, Path]] = {}
    """The data file of each march; empty where a target has no chip data."""
    march: str = field(default="")

    @classmethod
    def marches(cls) -> list[str]:
        """Names of the chips of this family."""
        return list(cls.files)

    @classmethod
    def aliases(cls) -> dict[str, str]:
        """Other names of marches, the name of a product such as `s100`, and the march of each."""
        return {alias: march for march, file in cls.files.items() for alias in load_chip(file).aliases}

    @classmethod
    def create(cls, march: str | None = None) -> Target:
        """The target for a march or an alias of one, the default march where none is given.

        Raises:
            UnknownNameError: There is no such march.
        """
        wanted = march or cls.default_march
        if wanted in cls.marches():
            return cls(wanted)
        aliases = cls.aliases()
        if wanted not in aliases:
            raise UnknownNameError("march", wanted, [*cls.marches(), *aliases])
        return cls(aliases[wanted])

    def chip(self) -> Chip:
        """The march's units, types, alignments and memory.

        Raises:
            ConfigError: The data file is wrong.
        """
        file = self.files.get(self.march)
        return Chip(title=self.title) if file is None else load_chip(file)

    def scheme(self) -> QuantScheme:
        """What quantizes how."""
        raise NotImplementedError

    def operators(self) -> OperatorTable | None:
        """What the chip runs; None where everything runs, as on a host."""
        return None

    def legalization(self) -> tuple[Pass, ...]:
        """Passes that make a graph legal on the target."""
        return ()

    def machine_file(self) -> Path | None:
        """The march's data for the cost model; None where no cost is modelled."""
        return None


def data_files(package_file: str, folder: str) -> dict[str, Path]:
    """The YAML files of a target's data folder, by stem."""
    return {p.stem: p for p in sorted((Path(package_file).parent / folder).glob("*.yaml"))}
