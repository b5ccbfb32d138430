"""Frozen attributes: plain Python values, and the few kinds that Python's types cannot tell apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from y10c.ir.tensor import Tensor
from y10c.ir.types import Type

if TYPE_CHECKING:
    from y10c.ir.graph import Graph


class Ints(tuple[int, ...]):
    """A list of integers; its kind survives when it is empty."""

    __slots__ = ()


class Floats(tuple[float, ...]):
    """A list of floats; its kind survives when it is empty or holds whole numbers."""

    __slots__ = ()


class Strings(tuple["str | bytes", ...]):
    """A list of strings; bytes where an item is not UTF-8."""

    __slots__ = ()


class Tensors(tuple[Tensor, ...]):
    """A list of tensors."""

    __slots__ = ()


@dataclass(frozen=True)
class SparseTensor:
    """A tensor that is mostly zeros, as an attribute.

    Args:
        values: What is not zero, `[n]`.
        indices: Where, `[n]` linear or `[n, rank]` coordinates.
        shape: Extents of the whole.
    """

    values: Tensor
    indices: Tensor
    shape: tuple[int, ...]


class SparseTensors(tuple[SparseTensor, ...]):
    """A list of sparse tensors."""

    __slots__ = ()


class Graphs(tuple["Graph", ...]):
    """A list of nested graphs."""

    __slots__ = ()


class Types(tuple["Type | None", ...]):
    """A list of types; None where one is not said."""

    __slots__ = ()


AttrValue: TypeAlias = (
    "int | float | str | bytes | Tensor | Graph | Type | SparseTensor"
    " | Ints | Floats | Strings | Tensors | Graphs | Types | SparseTensors"
)


def freeze(value: Any) -> AttrValue:
    """A Python value as an attribute: lists become typed tuples, numpy scalars plain numbers.

    Raises:
        TypeError: A list is empty (its kind is unknown: use `Ints()` and the like) or mixed.
    """
    if isinstance(value, Ints | Floats | Strings | Tensors | Graphs | Types | SparseTensors):
        return value
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, list | tuple):
        return _freeze_list(tuple(v.item() if hasattr(v, "item") else v for v in value))
    return value  # type: ignore[no-any-return]


def _freeze_list(items: tuple[Any, ...]) -> AttrValue:
    if not items:
        raise TypeError("an empty list has no kind: write Ints(), Floats() or Strings()")
    if all(isinstance(i, int) for i in items):
        return Ints(int(i) for i in items)
    if all(isinstance(i, int | float) for i in items):
        return Floats(float(i) for i in items)
    if all(isinstance(i, str | bytes) for i in items):
        return Strings(items)
    if all(isinstance(i, Tensor) for i in items):
        return Tensors(items)
    raise TypeError(f"an attribute list holds one kind of values, not {items!r}")


def _nested(values: Iterable[AttrValue]) -> Iterator[Graph]:
    from y10c.ir.graph import Graph

    for value in values:
        if isinstance(value, Graph):
            yield value
        elif isinstance(value, Graphs):
            yield from value


class Attrs(Mapping[str, AttrValue]):
    """The attributes of an op: an immutable mapping, ordered by name so that printing is deterministic."""

    __slots__ = ("_graphs", "_items")

    def __init__(self, items: Mapping[str, Any] | None = None) -> None:
        frozen = {k: freeze(v) for k, v in (items or {}).items() if v is not None}
        self._items: dict[str, AttrValue] = dict(sorted(frozen.items()))
        self._graphs: tuple[Graph, ...] | None = None

    @property
    def graphs(self) -> tuple[Graph, ...]:
        """The nested graphs, in order; found once, since every walk over a graph asks for them."""
        if self._graphs is None:
            self._graphs = tuple(_nested(self._items.values()))
        return self._graphs

    def __getitem__(self, name: str) -> AttrValue:
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def updated(self, **changes: Any) -> Attrs:
        """A copy with some attributes changed; None removes one."""
        return Attrs({**self._items, **changes})

    def __repr__(self) -> str:
        return f"Attrs({self._items})"
