"""ONNX protobuf messages of types, tensors and attributes, read into the IR's frozen forms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, numpy_helper

from y10c.errors import ModelError
from y10c.ir.attrs import Floats, Graphs, Ints, SparseTensor, SparseTensors, Strings, Tensors, Types
from y10c.ir.tensor import Tensor
from y10c.ir.types import Dim, DType, MapType, OptionalType, SequenceType, SparseTensorType, TensorType, Type

if TYPE_CHECKING:
    from y10c.ir.graph import Graph

GraphReader = Callable[[onnx.GraphProto], "Graph"]


def read_type(proto: onnx.TypeProto) -> Type | None:
    """A value's type; None where the message says nothing.

    Raises:
        ModelError: An element type is unknown.
    """
    kind = proto.WhichOneof("value")
    if kind == "tensor_type":
        return _tensor_type(proto.tensor_type)
    if kind == "sparse_tensor_type":
        inner = proto.sparse_tensor_type
        return SparseTensorType(_dtype(inner.elem_type), _shape(inner)) if inner.elem_type else None
    if kind == "sequence_type":
        return SequenceType(read_type(proto.sequence_type.elem_type))
    if kind == "optional_type":
        return OptionalType(read_type(proto.optional_type.elem_type))
    if kind == "map_type":
        return MapType(_dtype(proto.map_type.key_type), read_type(proto.map_type.value_type))
    return None


def _tensor_type(proto: onnx.TypeProto.Tensor) -> TensorType | None:
    return TensorType(_dtype(proto.elem_type), _shape(proto)) if proto.elem_type else None


def _dtype(number: int) -> DType:
    try:
        return DType(number)
    except ValueError:
        raise ModelError(f"unknown element type {number}", code="Y3003") from None


def _shape(proto: Any) -> tuple[Dim, ...] | None:
    return tuple(_dim(d) for d in proto.shape.dim) if proto.HasField("shape") else None


def open_extents(proto: onnx.TypeProto) -> Iterator[str]:
    """The names of the open extents of a tensor's type."""
    return (d.dim_param for d in proto.tensor_type.shape.dim if d.dim_param)


def _dim(proto: onnx.TensorShapeProto.Dimension) -> Dim:
    if proto.HasField("dim_value"):
        return proto.dim_value if proto.dim_value >= 0 else None
    return proto.dim_param or None


def read_tensor(proto: onnx.TensorProto, folder: Path | None) -> Tensor:
    """A constant; external data is read at the first look.

    Args:
        proto: The tensor message.
        folder: The folder of the model, for external data.

    Raises:
        ModelError: The element type is unknown, or the external data lies outside the model's folder.
    """
    dtype = _dtype(proto.data_type)
    if any(d < 0 for d in proto.dims):
        raise ModelError(f"tensor {proto.name!r} has a negative extent: {list(proto.dims)}")
    if proto.data_location == TensorProto.EXTERNAL:
        from y10c.frontend.external import external_reader

        return Tensor(dtype, proto.dims, external_reader(proto, dtype, folder))
    if proto.HasField("raw_data") and dtype in _PLAIN:
        # A reference to the message would keep the whole model in memory as long as the constant lives.
        raw, name, shape = proto.raw_data, proto.name, tuple(proto.dims)
        return Tensor(dtype, shape, lambda: _plain_array(raw, dtype, name, shape))
    return Tensor(dtype, proto.dims, lambda: _array(proto))


_PLAIN = {d for d in DType if d.name[0] in "fiu" and d.name[1:] in ("8", "16", "32", "64")} | {DType.bool}
"""Element types whose raw data is numpy's own, one element behind the other."""


def _plain_array(raw: bytes, dtype: DType, name: str, shape: tuple[int, ...]) -> Any:
    try:
        return np.frombuffer(raw, np.dtype(dtype.numpy).newbyteorder("<")).reshape(shape)
    except ValueError as error:
        raise _too_little(name, shape) from error


def _too_little(name: str, shape: Sequence[int]) -> ModelError:
    return ModelError(
        f"tensor {name!r} does not hold the data that its shape {list(shape)} needs", code="Y3001"
    )


def _array(proto: onnx.TensorProto) -> Any:
    try:
        if proto.data_type == TensorProto.STRING:
            return _strings(proto)
        return numpy_helper.to_array(proto)
    except (ValueError, TypeError, OverflowError) as error:
        raise _too_little(proto.name, proto.dims) from error


def _strings(proto: onnx.TensorProto) -> Any:
    """Strings as `str`, and as bytes those that are not UTF-8."""
    array = np.empty(len(proto.string_data), np.object_)
    array[:] = [_text(s) for s in proto.string_data]
    return array.reshape(tuple(proto.dims))


def read_attribute(proto: onnx.AttributeProto, read_graph: GraphReader, folder: Path | None) -> Any:
    """An attribute's value in the IR's form.

    Raises:
        ModelError: The attribute is of a kind that the IR does not know.
    """
    reader = _READERS.get(proto.type)
    if reader is None:
        raise ModelError(f"attribute {proto.name!r} is of an unknown kind ({proto.type})")
    return reader(proto, read_graph, folder)


def _text(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _sparse(proto: onnx.SparseTensorProto, folder: Path | None) -> SparseTensor:
    return SparseTensor(
        read_tensor(proto.values, folder), read_tensor(proto.indices, folder), tuple(proto.dims)
    )


_READERS: dict[int, Callable[[onnx.AttributeProto, GraphReader, Path | None], Any]] = {
    AttributeProto.INT: lambda p, g, f: p.i,
    AttributeProto.FLOAT: lambda p, g, f: p.f,
    AttributeProto.STRING: lambda p, g, f: _text(p.s),
    AttributeProto.TENSOR: lambda p, g, f: read_tensor(p.t, f),
    AttributeProto.SPARSE_TENSOR: lambda p, g, f: _sparse(p.sparse_tensor, f),
    AttributeProto.SPARSE_TENSORS: lambda p, g, f: SparseTensors(_sparse(s, f) for s in p.sparse_tensors),
    AttributeProto.GRAPH: lambda p, g, f: g(p.g),
    AttributeProto.TYPE_PROTO: lambda p, g, f: read_type(p.tp),
    AttributeProto.INTS: lambda p, g, f: Ints(p.ints),
    AttributeProto.FLOATS: lambda p, g, f: Floats(p.floats),
    AttributeProto.STRINGS: lambda p, g, f: Strings(_text(s) for s in p.strings),
    AttributeProto.TENSORS: lambda p, g, f: Tensors(read_tensor(t, f) for t in p.tensors),
    AttributeProto.GRAPHS: lambda p, g, f: Graphs(g(x) for x in p.graphs),
    AttributeProto.TYPE_PROTOS: lambda p, g, f: Types(read_type(t) for t in p.type_protos),
}
