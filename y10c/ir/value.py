"""Values and ops: the def-use graph itself. Identity is the only equality; a use is (op, operand index)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from y10c.ir.attrs import Attrs
from y10c.ir.notes import NO_NOTES, Notes
from y10c.ir.tensor import Array, Tensor
from y10c.ir.types import NotKnown, TensorType, Type

if TYPE_CHECKING:
    from y10c.ir.graph import Graph


class Use(NamedTuple):
    """One place where a value is read: operand `index` of `op`."""

    op: Op
    index: int  # type: ignore[assignment]  # a field may shadow tuple.index


class Value:
    """Something that ops read: a graph input, a result of an op, or a constant.

    Attributes:
        type: What it is; None where nothing is known.
        name: The name it prefers in text and in ONNX; unique only after export.
        lineage: The ONNX tensor names that it stands for; fusions take the union.
        producer: The op whose result it is; None for inputs and constants.
        index: Which result of the producer, or which input of the graph.
        tensor: The data of a constant.
        notes: What the model says of it (see `y10c.ir.notes`).
    """

    __slots__ = ("_uses", "index", "lineage", "name", "notes", "producer", "tensor", "type")

    def __init__(
        self,
        type: Type | None,
        name: str = "",
        *,
        producer: Op | None = None,
        index: int = 0,
        tensor: Tensor | None = None,
        lineage: tuple[str, ...] | None = None,
    ) -> None:
        self.type = type
        self.name = name
        self.lineage = lineage if lineage is not None else ((name,) if name else ())
        self.producer = producer
        self.index = index
        self.tensor = tensor
        self.notes: Notes = NO_NOTES
        self._uses: dict[Use, None] = {}

    @property
    def uses(self) -> tuple[Use, ...]:
        """Every read of the value in the order in which it came to be; a graph output is a read."""
        return tuple(self._uses)

    @property
    def users(self) -> tuple[Op, ...]:
        """The distinct ops that read the value, in order."""
        return tuple(dict.fromkeys(use.op for use in self._uses))

    @property
    def is_constant(self) -> bool:
        """True where the data is known."""
        return self.tensor is not None

    @property
    def is_output(self) -> bool:
        """True where the value leaves its graph."""
        return any(use.op.is_terminator for use in self._uses)

    @property
    def has_single_use(self) -> bool:
        """True where exactly one operand reads the value."""
        return len(self._uses) == 1

    def numpy(self) -> Array:
        """The data of a constant.

        Raises:
            ValueError: The value is not a constant.
        """
        if self.tensor is None:
            raise ValueError(f"{self} is not a constant")
        return self.tensor.numpy()

    @property
    def tensor_type(self) -> TensorType:
        """The type, known to be a dense tensor's.

        Raises:
            NotKnown: The type is unknown or of another kind.
        """
        if not isinstance(self.type, TensorType):
            raise NotKnown(f"{self} is not known to be a tensor")
        return self.type

    @property
    def shape(self) -> tuple[int | str | None, ...] | None:
        """The shape, or None where the rank is unknown."""
        return self.type.shape if isinstance(self.type, TensorType) else None

    def __repr__(self) -> str:
        return f"%{self.name or '?'}:{self.type}"


class Op:
    """One operation: a name, operands, frozen attributes, results.

    Attributes:
        name: `Conv` for ONNX's own domain, `domain::Name` or a dialect's `bpu.lut` elsewhere.
        attrs: The attributes that are set; `attr` adds the defaults.
        location: The ONNX node that it came from, or what the rewrite says.
        by: The rule or pass that made it; empty where it was imported.
        version: A pinned ONNX schema version where the meaning is an older one; None means the newest.
        notes: What the model says of it (see `y10c.ir.notes`).
    """

    __slots__ = (
        "_next",
        "_operands",
        "_prev",
        "attrs",
        "by",
        "graph",
        "location",
        "name",
        "notes",
        "results",
        "version",
    )

    def __init__(
        self,
        name: str,
        operands: Iterable[Value | None] = (),
        attrs: Attrs | dict[str, Any] | None = None,
        result_types: Sequence[Type | None] = (),
        *,
        result_names: Sequence[str] = (),
        location: str = "",
        by: str = "",
        version: int | None = None,
    ) -> None:
        self.name = name
        self.attrs = attrs if isinstance(attrs, Attrs) else Attrs(attrs)
        self.location = location
        self.by = by
        self.version = version
        self.notes: Notes = NO_NOTES
        self.graph: Graph | None = None
        self._prev: Op | None = None
        self._next: Op | None = None
        self._operands: tuple[Value | None, ...] = tuple(operands)
        names = (*result_names, *[""] * (len(result_types) - len(result_names)))
        self.results = tuple(
            Value(t, n, producer=self, index=i)
            for i, (t, n) in enumerate(zip(result_types, names, strict=True))
        )

    @property
    def operands(self) -> tuple[Value | None, ...]:
        """What the op reads; None where an optional operand is left out."""
        return self._operands

    @property
    def result(self) -> Value:
        """The only result.

        Raises:
            ValueError: The op has none or several.
        """
        if len(self.results) != 1:
            raise ValueError(f"{self.name} has {len(self.results)} results")
        return self.results[0]

    @property
    def is_terminator(self) -> bool:
        """True for the op that reads a graph's outputs."""
        return self.name == "graph.return"

    @property
    def domain(self) -> str:
        """The operator domain; empty for ONNX's own."""
        return self.name.partition("::")[0] if "::" in self.name else ""

    @property
    def kind(self) -> str:
        """The name without its domain."""
        return self.name.rpartition("::")[2]

    def operand(self, index: int) -> Value | None:
        """Operand `index`, or None where it is left out or beyond the end."""
        return self._operands[index] if index < len(self._operands) else None

    def attr(self, name: str, default: Any = None) -> Any:
        """An attribute, or its default from the op's declaration, or `default`."""
        if name in self.attrs:
            return self.attrs[name]
        from y10c.ops.registry import find_spec

        spec = find_spec(self.name)
        declared = spec.attr_default(name) if spec is not None else None
        return default if declared is None else declared

    @property
    def graphs(self) -> tuple[Graph, ...]:
        """The nested graphs among the attributes (If, Loop, Scan)."""
        return self.attrs.graphs

    def __repr__(self) -> str:
        from y10c.ir.printer import format_op

        return format_op(self)

    def _link_uses(self) -> None:
        for index, value in enumerate(self._operands):
            if value is not None:
                value._uses[Use(self, index)] = None

    def _unlink_uses(self) -> None:
        for index, value in enumerate(self._operands):
            if value is not None:
                value._uses.pop(Use(self, index), None)

    def _set_operand(self, index: int, value: Value | None) -> None:
        self._set_operands((*self._operands[:index], value, *self._operands[index + 1 :]))

    def _set_operands(self, operands: tuple[Value | None, ...]) -> None:
        self._unlink_uses()
        self._operands = operands
        self._link_uses()


def scalar(value: Value | None) -> float | int | None:
    """The number that a one-element constant holds, or None."""
    if value is None or value.tensor is None or int(np.prod(value.tensor.shape)) != 1:
        return None
    item: float | int = value.numpy().reshape(()).item()
    return item
