"""Running ops and whole graphs by their references: the numeric oracle of tests and proofs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from inspect import Parameter, signature
from typing import Any

import numpy as np

from y10c.ir.graph import Graph
from y10c.ir.tensor import Array
from y10c.ir.types import DType
from y10c.ir.value import Op, Value
from y10c.ops.registry import find_spec
from y10c.ops.spec import OpSpec, Reference


def evaluate_op(
    op: Op, arrays: Sequence[Array | None], attrs: Mapping[str, Any] | None = None
) -> tuple[Array, ...]:
    """The results of an op for given operands, in the precision of the operands.

    Args:
        op: Its name, attributes and number of results are read, not its operands.
        arrays: One per operand, None where one is left out; objects where the op's own reference allows it.
        attrs: Attributes to use in place of the op's own.

    Raises:
        ValueError: There is neither a reference for the op nor an implementation in `onnx.reference`.
    """
    spec = find_spec(op.name)
    used = op.attrs if attrs is None else attrs
    if spec is not None and spec.reference is not None and op.version is None:
        results = _own(spec, arrays, used, len(op.results))
        # A reference may leave out rare results, such as the indices of MaxPool.
        if results is not None and len(results) == len(op.results):
            return results
    return _onnx(op, arrays, used)


def _own(
    spec: OpSpec, arrays: Sequence[Array | None], attrs: Mapping[str, Any], count: int
) -> tuple[Array, ...] | None:
    assert spec.reference is not None
    accepted = _accepted(spec.reference)
    given = {k: v for k, v in {**spec.attrs, **attrs}.items() if v is not None}
    if accepted is not None:
        # An attribute that the reference does not know, of a newer schema, may only have its default.
        if any(v != spec.attrs.get(k) for k, v in given.items() if k not in accepted):
            return None
        given = {k: v for k, v in given.items() if k in accepted}
    if spec.counts_results:
        given["outputs"] = count
    found = spec.reference(*arrays, **given)
    if found is NotImplemented:
        return None
    results = found if isinstance(found, tuple) else (found,)
    return tuple(np.asarray(r) for r in results[:count])


@lru_cache(maxsize=1024)
def _accepted(reference: Reference) -> frozenset[str] | None:
    """The attributes that a reference takes; None where it takes any."""
    parameters = signature(reference).parameters.values()
    if any(p.kind is Parameter.VAR_KEYWORD for p in parameters):
        return None
    return frozenset(p.name for p in parameters if p.kind is Parameter.KEYWORD_ONLY)


def _onnx(op: Op, arrays: Sequence[Array | None], attrs: Mapping[str, Any]) -> tuple[Array, ...]:
    import onnx
    from onnx.reference import ReferenceEvaluator

    from y10c.backend.protos import attribute_proto
    from y10c.ops.onnx_schema import IR_OPSET, find_schema

    schema = find_schema(op.name, op.version)
    if schema is None:
        raise ValueError(f"op {op.name} has no reference")
    names = [f"i{i}" if a is not None else "" for i, a in enumerate(arrays)]
    node = onnx.helper.make_node(op.kind, names, [f"o{i}" for i in range(len(op.results))], domain=op.domain)
    node.attribute.extend(attribute_proto(k, v) for k, v in attrs.items())
    version = op.version or (schema.since_version if op.domain else IR_OPSET)
    opsets = [onnx.helper.make_opsetid(op.domain, version)]
    graph = onnx.helper.make_graph([node], "op", _value_infos(names), _value_infos(node.output))
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=onnx.IR_VERSION)
    feeds = {n: a for n, a in zip(names, arrays, strict=True) if a is not None}
    return tuple(np.asarray(r) for r in ReferenceEvaluator(model).run(None, feeds))


def _value_infos(names: Sequence[str]) -> list[Any]:
    import onnx

    return [onnx.ValueInfoProto(name=n) for n in names if n]


def evaluate(
    graph: Graph, feeds: Mapping[str, Array], dtype: DType | None = None, *, keep: bool = False
) -> dict[str, Array]:
    """Run a graph by the references of its ops.

    Args:
        graph: No op of it may hold nested graphs.
        feeds: One array per graph input, by name.
        dtype: f64 turns every float constant, feed and Cast to f32 into double; None keeps the graph's types.
        keep: Every named value is returned, not the outputs alone.

    Returns:
        Arrays by output name.

    Raises:
        ValueError: An op has no reference, or a feed is missing.
    """
    run = _Run(dtype)
    values: dict[Value, Array] = {}
    for value in graph.inputs:
        if value.name not in feeds:
            raise ValueError(f"no feed for input {value.name!r}")
        values[value] = run.cast(np.asarray(feeds[value.name]))
    for op in graph.ops:
        arrays = [None if v is None else run.read(values, v) for v in op.operands]
        values.update(zip(op.results, run.evaluate(op, arrays), strict=True))
    named = {v.name: a for v, a in values.items() if v.name} if keep else {}
    outputs = zip(graph.output_names, graph.outputs, strict=True)
    return {**named, **{name: run.read(values, v) for name, v in outputs}}


class _Run:
    def __init__(self, dtype: DType | None) -> None:
        self.dtype = dtype

    def cast(self, array: Array) -> Array:
        if self.dtype is None or array.dtype.kind != "f":
            return array
        return array.astype(self.dtype.numpy)

    def read(self, values: Mapping[Value, Array], value: Value) -> Array:
        if value.tensor is not None:
            return self.cast(value.tensor.numpy())
        return values[value]

    def evaluate(self, op: Op, arrays: list[Array | None]) -> tuple[Array, ...]:
        with np.errstate(all="ignore"):
            return tuple(self.cast(a) for a in evaluate_op(op, arrays, self.attrs(op)))

    def attrs(self, op: Op) -> Mapping[str, Any]:
        """The op's attributes, with the float type that one of them names replaced as well."""
        if self.dtype is None:
            return op.attrs
        to = op.attrs.get("to")
        if isinstance(to, int) and DType(to).is_float:
            return {**op.attrs, "to": self.dtype.value}
        return op.attrs
