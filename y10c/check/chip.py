"""A chip as data: units, types, alignments, memory. Every number says where it comes from."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from y10c.cost.machine import Number, Source, numbers_in, read_tree
from y10c.cost.result import SourcedNumber


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Unit(_Data):
    """A unit of the chip: what it does, the element types that it takes and gives."""

    role: str
    takes: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    source: Source


class Words(_Data):
    """A fact that is no number."""

    value: str
    source: Source


class Chip(_Data):
    """What a march is beside its rates.

    Args:
        title: The products that have it.
        aliases: Other names of the march, each with its source.
        numbers: Sizes, counts and alignments by name.
        words: Facts that are no numbers.
        units: The units by name.
        absent: Units of the family that this march lacks, with the source.
        unknown: What nobody has published and nothing here needs.
    """

    title: str
    aliases: dict[str, Words] = {}
    numbers: dict[str, Number] = {}
    words: dict[str, Words] = {}
    units: dict[str, Unit] = {}
    absent: dict[str, Words] = {}
    unknown: tuple[str, ...] = ()

    def has(self, unit: str) -> bool:
        """Whether the chip has a unit; every chip has a host beside it."""
        return unit in self.units and unit not in self.absent

    def sourced(self) -> tuple[SourcedNumber, ...]:
        """Every number with its path and source."""
        return tuple(SourcedNumber(path, n.value, n.unit, n.source) for path, n in numbers_in(self, ""))


@lru_cache
def load_chip(path: Path) -> Chip:
    """The chip that a march's YAML file describes under `chip:`, what it extends merged in but for aliases.

    Raises:
        ConfigError: The file does not describe a chip.
    """
    from pydantic import ValidationError

    from y10c.errors import ConfigError

    try:
        return Chip.model_validate({**read_tree(path).get("chip", {}), "aliases": _own_aliases(path)})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ConfigError(f"chip.{place}: {first['msg']}", where=str(path)) from None


def _own_aliases(path: Path) -> dict[str, object]:
    from ruamel.yaml import YAML

    found: dict[str, object] = YAML(typ="safe").load(path.read_text()).get("chip", {}).get("aliases", {})
    return found
