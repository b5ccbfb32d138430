"""Type inference in plain Python for the ops that matter for speed, symbolic extents included.

A local inference looks at types whose ranks are known and gives None where it does not know better; the op's
inference by the onnx package then decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from itertools import zip_longest
from typing import Any

from y10c.ir.attrs import Ints
from y10c.ir.types import Dim, DType, Shape, TensorType, Type
from y10c.ops.onnx_schema import SchemaInference
from y10c.ops.spec import Infer, Inputs

LocalInfer = Callable[[Inputs], "Sequence[Type | None] | None"]


def local(name: str, infer: LocalInfer) -> Infer:
    """`infer`, and onnx's inference of op `name` where it gives None."""
    fallback = SchemaInference(name)

    def inference(inputs: Inputs) -> Sequence[Type | None]:
        found = infer(inputs)
        return fallback(inputs) if found is None else found

    return inference


def tensors(inputs: Inputs, count: int | None = None) -> list[TensorType] | None:
    """The types of the first `count` operands (all by default), or None where a type or a rank is unknown."""
    types = inputs.types if count is None else inputs.types[:count]
    known = [t for t in types if isinstance(t, TensorType) and t.shape is not None]
    return known if len(known) == len(types) and (count is None or len(types) == count) else None


def known(count: int) -> Callable[[Callable[..., Sequence[Type | None] | None]], LocalInfer]:
    """For an inference that needs the types of the first `count` operands, ranks included.

    It gets them behind the inputs, and is not asked where one of them is not known.
    """

    def decorate(infer: Callable[..., Sequence[Type | None] | None]) -> LocalInfer:
        @wraps(infer)
        def asked(inputs: Inputs) -> Sequence[Type | None] | None:
            types = tensors(inputs, count)
            return None if types is None else infer(inputs, *types)

        return asked

    return decorate


def shape_of(type: TensorType) -> Shape:
    """The shape of a type whose rank is known."""
    assert type.shape is not None
    return type.shape


def same_dtype(types: Iterable[TensorType]) -> DType:
    """The one element type.

    Raises:
        ValueError: There are several.
    """
    dtypes = list(dict.fromkeys(t.dtype for t in types))
    if len(dtypes) != 1:
        raise ValueError(f"operands have different element types: {', '.join(d.name for d in dtypes)}")
    return dtypes[0]


def broadcast(*shapes: Shape) -> Shape:
    """The common shape of several, as ONNX's multidirectional broadcasting has it.

    Raises:
        ValueError: Two extents differ and neither is 1.
    """
    columns = zip_longest(*(reversed(s) for s in shapes), fillvalue=1)
    return tuple(_common(column, shapes) for column in columns)[::-1]


def _common(column: tuple[Dim, ...], shapes: tuple[Shape, ...]) -> Dim:
    numbers = {d for d in column if isinstance(d, int) and d != 1}
    if len(numbers) > 1:
        raise ValueError(f"shapes {', '.join(map(show, shapes))} cannot be broadcast together")
    if numbers:
        return numbers.pop()
    symbols = {d for d in column if not isinstance(d, int)}
    if not symbols:
        return 1
    return symbols.pop() if len(symbols) == 1 else None


def show(shape: Shape) -> str:
    """A shape for messages."""
    return "[" + ",".join("?" if d is None else str(d) for d in shape) + "]"


def elementwise(dtype: DType | None = None, first: int = 0) -> LocalInfer:
    """Inference of an op that broadcasts all operands; the result has `dtype`, or theirs from `first` on."""

    def infer(inputs: Inputs) -> Sequence[Type | None] | None:
        types = tensors(inputs)
        if types is None:
            return None
        shape = broadcast(*(shape_of(t) for t in types))
        return [TensorType(dtype or same_dtype(types[first:]), shape)]

    return infer


def unary(dtype: DType | None = None) -> LocalInfer:
    """Inference of an op whose result has the shape of its first operand."""

    def infer(inputs: Inputs) -> Sequence[Type | None] | None:
        x = inputs.types[0]
        return [TensorType(dtype or x.dtype, x.shape)] if isinstance(x, TensorType) else None

    return infer


def axis_of(axis: Any, rank: int) -> int:
    """An axis counted from the front.

    Raises:
        ValueError: The rank has no such axis.
    """
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} is outside a tensor of rank {rank}")
    return int(axis) % rank


def int_list(inputs: Inputs, index: int) -> tuple[int, ...] | None:
    """The integers of constant operand `index`, or None where it is not constant or left out."""
    tensor = inputs.constants[index] if index < len(inputs.constants) else None
    return None if tensor is None else tuple(int(v) for v in tensor.numpy().reshape(-1))


def has(inputs: Inputs, index: int) -> bool:
    """True where operand `index` is there."""
    return index < len(inputs.types) and inputs.types[index] is not None


def int_attr(inputs: Inputs, name: str, default: int) -> int:
    """An integer attribute."""
    value = inputs.attrs.get(name, default)
    assert isinstance(value, int)
    return value


def ints_attr(inputs: Inputs, name: str) -> tuple[int, ...] | None:
    """An attribute that lists integers, or None where it is not set."""
    value = inputs.attrs.get(name)
    return Ints(value) if isinstance(value, tuple) and value else None  # type: ignore[arg-type]


def same_as_first(inputs: Inputs) -> Sequence[Type | None] | None:
    """Inference of an op whose only result has the type of its first operand."""
    x = inputs.types[0]
    if inputs.results != 1 or not isinstance(x, TensorType):
        return None
    return [TensorType(x.dtype, x.shape)]
