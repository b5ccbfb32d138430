"""Type inference of one op at a time, at the moment it is built."""

from __future__ import annotations

from collections.abc import Sequence

from y10c.errors import InternalError
from y10c.ir.attrs import Attrs
from y10c.ir.types import DType, TensorType, Type
from y10c.ir.value import Value
from y10c.ops.onnx_schema import SchemaInference, dtype_problem
from y10c.ops.registry import find_spec
from y10c.ops.spec import Inputs, check_arity


class BuildError(InternalError):
    """An op whose operands or attributes do not fit its declaration."""


def infer_types(
    name: str, operands: Sequence[Value | None], attrs: Attrs, results: int, version: int | None = None
) -> list[Type | None]:
    """Result types of an op that is about to be built; all None for an opaque op.

    Raises:
        BuildError: Operands or attributes do not fit; the message is the sentence of the op's inference.
    """
    spec = find_spec(name)
    if spec is None or attrs_hold_graphs(attrs):
        return [None] * results
    problem = check_arity(spec, operands) if version is None else None
    if problem is None and version is None:
        problem = dtype_problem(name, tuple(map(_dtype, operands)))
    if problem is not None:
        raise BuildError(problem)
    inputs = Inputs(
        types=tuple(None if v is None else v.type for v in operands),
        constants=tuple(None if v is None else v.tensor for v in operands),
        attrs=attrs,
        results=results,
    )
    infer = spec.infer if version is None else SchemaInference(name, version)
    try:
        return list(infer(inputs))
    except ValueError as error:
        if any(v is not None and v.type is None for v in operands):
            # An operand without a type, as of an op of another domain, looks left out to onnx.
            return [None] * results
        raise BuildError(f"{name}: {error}") from error


def _dtype(value: Value | None) -> DType | None:
    return value.type.dtype if value is not None and isinstance(value.type, TensorType) else None


def attrs_hold_graphs(attrs: Attrs) -> bool:
    """True where an attribute is a nested graph, whose results only a whole-model inference can type."""
    from y10c.ir.attrs import Graphs
    from y10c.ir.graph import Graph

    return any(isinstance(v, Graph | Graphs) for v in attrs.values())
