"""On what it is computed: a march as data. Every number says where it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict

from y10c.cost.result import SourcedNumber
from y10c.cost.workload import Kind
from y10c.ir.types import Layout


def _known_source(source: str) -> str:
    if source != "assumed" and not source.startswith(("published: ", "fitted: ", "assumed: ")):
        raise ValueError("a source is 'published: …', 'fitted: …', 'assumed' or 'assumed: …'")
    return source


Source = Annotated[str, AfterValidator(_known_source)]
"""Where a fact comes from, in one of the forms that reports tell apart."""


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Number(_Data):
    """A value, its unit, and its source."""

    value: float
    unit: str = ""
    source: Source


class MacArray(_Data):
    """The multiply-accumulate array (TAE): int8 rate and the sizes it pads to.

    `wide_slowdown` is for operands of 16 bits, `depthwise_slowdown` for convolutions of one channel a group.
    `winograd_channels`, where given, is the channel alignment at which 3x3 stride-1 convolutions run as
    F(2x2, 3x3) (Lavin and Gray, arXiv 1509.09308): 4 products an output, 16 weights instead of 9.
    `fold_stride`: a strided convolution is stored as a unit-stride one with stride² times the channels.
    """

    macs_per_cycle: Number
    in_channel_align: Number
    out_channel_align: Number
    wide_slowdown: Number
    depthwise_slowdown: Number
    map_channel_align: Number
    weight_buffer_bytes: Number | None = None
    winograd_channels: Number | None = None
    fold_stride: bool = False


class Vector(_Data):
    """The elementwise units (VPU, AAE): elements a cycle for one pass, and passes by kind of layer.

    `clamp_passes` are those of a Relu or Clip behind multiply-accumulates.
    """

    elements_per_cycle: Number
    clamp_passes: Number
    passes: dict[Kind, Number]


class Memory(_Data):
    """What feature maps may keep on chip between layers, and DDR's rate as the core sees it.

    `stripes` is into how many a cascade of layers may cut its maps; 1 forbids cascades.
    """

    on_chip_bytes: Number
    ddr_bytes_per_cycle: Number
    burst_bytes: Number
    stripes: Number


class Layouts(_Data):
    """Orders of maps in memory: `native` where nobody chose, `accepted` by the array, pooling and resizing.

    What lies otherwise passes through the layout unit (TRANS), `convert_elements_per_cycle` at a time.
    """

    native: Layout
    accepted: tuple[Layout, ...]
    block_channels: Number
    row_align_bytes: Number
    convert_elements_per_cycle: Number


class Overheads(_Data):
    """Fixed costs: cycles a layer, and times outside the clock for one inference and each of its outputs."""

    launch_cycles: Number
    inference_us: Number
    host_us: Number
    host_output_us: Number


class Accuracy(_Data):
    """Measured error on networks that the fit had not seen: published over predicted, p10 and p90."""

    note: str
    ratio_p10: Number
    ratio_p90: Number


class Machine(_Data):
    """A march.

    `phases` lists, one after another, what a layer does; names within one phase run beside each other:
    `launch`, `weights`, `loads`, `layout`, `compute`, `stores`. DDR moves one thing at a time, so what it
    does in a phase adds up. The rows of a layer are spread over `cores`, which share DDR.
    `times_refused` says why no milliseconds can be told for a march nobody has measured.
    """

    name: str
    target: str
    clock_ghz: Number
    mac_array: MacArray
    vector: Vector
    memory: Memory
    layouts: Layouts
    cores: Number
    overheads: Overheads
    phases: tuple[tuple[str, ...], ...]
    accuracy: Accuracy | None = None
    times_refused: str | None = None

    def numbers(self) -> tuple[SourcedNumber, ...]:
        """Every number of the march with its path, e.g. `memory.on_chip_bytes`."""
        return tuple(
            SourcedNumber(path, number.value, number.unit, number.source)
            for path, number in numbers_in(self, "")
        )

    def assumed(self) -> tuple[SourcedNumber, ...]:
        """The numbers that nobody has published and no measurement gave."""
        return tuple(n for n in self.numbers() if n.source.startswith("assumed"))

    def fitted(self) -> tuple[SourcedNumber, ...]:
        """The numbers that were fitted to published latencies."""
        return tuple(n for n in self.numbers() if n.source.startswith("fitted") and "accuracy" not in n.name)

    def value_of(self, path: str) -> float:
        """The value of a number by path, dots written `__`."""
        node: Any = self
        for name in path.split("__"):
            node = node[Kind(name)] if isinstance(node, dict) else getattr(node, name)
        return float(node.value)

    def with_values(self, **values: float) -> Machine:
        """A copy with numbers replaced by path, dots written `__` (`memory__on_chip_bytes=2e6`)."""
        machine = self
        for path, value in values.items():
            machine = _with_value(machine, path.split("__"), value)
        return machine


def _with_value(node: Any, path: list[str], value: float) -> Any:
    if not path:
        return node.model_copy(update={"value": float(value)})
    name, rest = path[0], path[1:]
    if isinstance(node, dict):
        return {**node, Kind(name): _with_value(node[Kind(name)], rest, value)}
    return node.model_copy(update={name: _with_value(getattr(node, name), rest, value)})


def numbers_in(data: BaseModel, prefix: str) -> Iterator[tuple[str, Number]]:
    """Every number inside a model of data, with its path."""
    for name in type(data).model_fields:
        value = getattr(data, name)
        children = value.items() if isinstance(value, dict) else [("", value)]
        for key, child in children:
            path = f"{prefix}{name}.{key}" if key else f"{prefix}{name}"
            if isinstance(child, Number):
                yield path, child
            elif isinstance(child, BaseModel):
                yield from numbers_in(child, f"{path}.")


FROM_CHIP = {
    "cores": ("", "cores"),
    "channel_align": ("layouts", "block_channels"),
    "output_row_align_bytes": ("layouts", "row_align_bytes"),
}
"""Numbers that a chip's description and its cost model share, and where the cost model has them."""


@lru_cache
def load_machine(path: Path) -> Machine:
    """The machine that a YAML file describes; `extends: NAME` starts from `NAME.yaml` beside it.

    Numbers of `FROM_CHIP` that the machine does not give are those of the file's `chip`.

    Raises:
        ConfigError: The file does not describe a machine.
    """
    from pydantic import ValidationError

    from y10c.errors import ConfigError

    try:
        machine = Machine.model_validate(_with_chip_numbers(read_tree(path)))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{place}: {first['msg']}", where=str(path)) from None
    return machine


def _with_chip_numbers(tree: dict[str, Any]) -> dict[str, Any]:
    """The machine of a file, completed by what its chip says."""
    machine: dict[str, Any] = tree.get("machine", {})
    numbers = tree.get("chip", {}).get("numbers", {})
    for name, (folder, leaf) in FROM_CHIP.items():
        if name in numbers:
            place = {leaf: numbers[name]} if not folder else {folder: {leaf: numbers[name]}}
            machine = _merged(place, machine)
    return machine


def read_tree(path: Path) -> dict[str, Any]:
    """The YAML of a march with what it extends merged in, mapping by mapping.

    A march that refuses times has no published rate: the rates that it takes over are assumed, and say so.
    """
    from ruamel.yaml import YAML

    tree: dict[str, Any] = YAML(typ="safe").load(path.read_text())
    base = tree.pop("extends", None)
    if base is None:
        return tree
    below = read_tree(path.with_name(f"{base}.yaml"))
    if "times_refused" in tree.get("machine", {}):
        below["machine"] = _assumed(below["machine"], base)
    return _merged(below, tree)


def _assumed(tree: dict[str, Any], march: str) -> dict[str, Any]:
    """Numbers of another march, with sources that say so."""
    found = {k: _assumed(v, march) if isinstance(v, dict) else v for k, v in tree.items()}
    source = str(found.get("source", "assumed"))
    return found if source.startswith("assumed") else {**found, "source": f"assumed: as {march} ({source})"}


def _merged(base: dict[str, Any], top: dict[str, Any]) -> dict[str, Any]:
    both = {
        k: _merged(base[k], v)
        for k, v in top.items()
        if isinstance(v, dict) and isinstance(base.get(k), dict)
    }
    return {**base, **top, **both}
