"""An op as constraints look at it: extents, windows, constants, and the ops around it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cached_property

import numpy as np

from y10c.check.chip import Chip
from y10c.ir.tensor import Array
from y10c.ir.types import DType, TensorType
from y10c.ir.value import Op, Value
from y10c.ops.windows import Window


def name_of(op: Op) -> str:
    """What a person calls an op: the node that it came from, else the tensor that it makes."""
    return op.location or next((r.name for r in op.results if r.name), "") or op.name


class Node:
    """An op, its chip, and which of its operands and results are indices.

    Args:
        op: The op.
        chip: The chip that it is judged for; None for what holds on any.
        indices: Operands, counted from 0, and results, counted from -1 downwards, that may hold indices.
    """

    def __init__(self, op: Op, chip: Chip | None = None, indices: Collection[int] = ()) -> None:
        self.op = op
        self.chip = chip
        self.indices = indices

    # --- what flows in and out ---

    @property
    def data(self) -> Iterator[Value]:
        """Operands and results that the op computes with: no constants, no indices."""
        for index, value in enumerate(self.op.operands):
            if value is not None and not value.is_constant and index not in self.indices:
                yield value
        for index, value in enumerate(self.op.results):
            if value.uses and -1 - index not in self.indices:
                yield value

    @property
    def static(self) -> bool:
        """Whether every extent in and out is a number."""
        values = [*(v for v in self.op.operands if v is not None), *(r for r in self.op.results if r.uses)]
        return all(isinstance(v.type, TensorType) and v.type.is_static for v in values)

    def shape(self, index: int = 0) -> tuple[int, ...]:
        """Extents of an operand; () where it is left out."""
        value = self.op.operand(index)
        return () if value is None else value.tensor_type.static_shape

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Extents of the operands that are there."""
        return [v.tensor_type.static_shape for v in self.op.operands if v is not None]

    @property
    def out(self) -> tuple[int, ...]:
        """Extents of the first result."""
        return self.op.results[0].tensor_type.static_shape

    def dtype(self, index: int = 0) -> DType | None:
        """Element type of an operand; None where it is left out."""
        value = self.op.operand(index)
        return None if value is None else value.tensor_type.dtype

    def constant(self, index: int) -> Array | None:
        """Data of an operand; None where it is computed or left out."""
        value = self.op.operand(index)
        return value.numpy() if value is not None and value.is_constant else None

    def numbers(self, index: int) -> list[int]:
        """A constant operand as a list of integers; empty where it is computed or left out."""
        array = self.constant(index)
        return [] if array is None else [int(i) for i in np.asarray(array).reshape(-1)]

    @property
    def constants(self) -> int:
        """Number of constant operands."""
        return sum(v is not None and v.is_constant for v in self.op.operands)

    # --- attributes ---

    def attr(self, name: str, default: int = 0) -> int:
        """An integer attribute, its default included."""
        found = self.op.attr(name, default)
        return int(found)

    @property
    def axis(self) -> int:
        """The attribute `axis`, counted from the front."""
        return self.attr("axis") % max(1, len(self.shape()))

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes that a reduction goes over, from its operand or attribute; all where none are named."""
        rank = len(self.shape())
        named = self.numbers(1) or [int(a) for a in self.op.attr("axes") or ()]
        return tuple(sorted(a % rank for a in named)) or tuple(range(rank))

    # --- windows of convolutions and pools ---

    @cached_property
    def window(self) -> Window:
        """The sliding window, its padding as numbers."""
        kernel = self.op.attr("kernel_shape") or self.shape(1)[2:]
        found = Window.of(dict(self.op.attrs), kernel, self.shape()[2:])
        assert found is not None, "the extents are static"
        return found

    @property
    def kernel(self) -> tuple[int, ...]:
        """Taps along each spatial axis."""
        return self.window.kernel

    @property
    def pads(self) -> tuple[int, ...]:
        """Padding in front and behind of each spatial axis."""
        return (*self.window.begin, *self.window.end)

    # --- around ---

    @property
    def readers(self) -> tuple[Op, ...]:
        """The ops that read the first result; leaving the graph does not count."""
        return tuple(op for op in self.op.results[0].users if not op.is_terminator)

    @property
    def is_last(self) -> bool:
        """Whether the results only leave the graph, moved at most."""
        return all(op.name == "Transpose" and Node(op).is_last for op in self.readers)

    @property
    def feeds_shortcut(self) -> bool:
        """Whether the only reader is an Add of two computed tensors, into which a convolution fuses."""
        readers = self.readers
        return (
            len(readers) == 1
            and readers[0].name == "Add"
            and all(v is not None and not v.is_constant for v in readers[0].operands)
        )
