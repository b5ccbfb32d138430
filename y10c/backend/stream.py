"""An ONNX file written constant by constant, so that the weights are in memory once and not four times.

Protobuf would hold them in messages, in its own buffer and in the finished bytes. A field of a message may
stand anywhere in it, so the file here is the model without its constants, and they follow one by one.
Source: protobuf.dev, Encoding (tags, lengths, field order).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

import onnx

from y10c.backend.protos import tensor_proto
from y10c.ir.tensor import Tensor
from y10c.ir.textdata import tensor_bytes
from y10c.ir.types import DType

MIN_BYTES = 1024
"""Smaller constants stay in their messages."""


class Pending:
    """Gives messages without data, and writes the data when the file is written."""

    def __init__(self) -> None:
        self._data: dict[str, Tensor] = {}

    def store(self, tensor: Tensor, name: str) -> onnx.TensorProto:
        """The message of a constant; without its data where that is long and needs no packing."""
        bits = tensor.dtype.bits
        if tensor.dtype is DType.str or bits % 8 or bits * tensor.type.elements < 8 * MIN_BYTES:
            return tensor_proto(tensor, name)
        self._data[name] = tensor
        return onnx.TensorProto(name=name, data_type=tensor.dtype.value, dims=tensor.shape)

    def write(self, model: onnx.ModelProto, file: BinaryIO) -> None:
        """Write a model whose initializers `store` gave; the model loses its graph on the way.

        Raises:
            EncodeError, ValueError: The model without its constants is larger than messages can be.
        """
        constants = [self._parts(one) for one in model.graph.initializer]
        del model.graph.initializer[:]
        graph = model.graph.SerializeToString(deterministic=True)
        model.ClearField("graph")
        size = len(graph) + sum(sum(map(len, parts)) for parts in constants)
        file.write(model.SerializeToString(deterministic=True))
        file.write(_field(_GRAPH, size) + graph)
        for parts in constants:
            file.writelines(parts)

    def _parts(self, message: onnx.TensorProto) -> Iterable[bytes | memoryview]:
        """The bytes of an initializer within a graph: its tag and length, its message, its data."""
        head = message.SerializeToString(deterministic=True)
        tensor = self._data.get(message.name)
        if tensor is None:
            return _field(_INITIALIZER, len(head)), head
        data = tensor_bytes(tensor)
        start = _field(_RAW_DATA, len(data))
        return _field(_INITIALIZER, len(head) + len(start) + len(data)), head, start, data


def _number(message: type, field: str) -> int:
    number: int = message.DESCRIPTOR.fields_by_name[field].number  # type: ignore[attr-defined]
    return number


_GRAPH = _number(onnx.ModelProto, "graph")
_INITIALIZER = _number(onnx.GraphProto, "initializer")
_RAW_DATA = _number(onnx.TensorProto, "raw_data")


def _field(number: int, size: int) -> bytes:
    """Tag and length of a field that is a message or bytes."""
    return _varint(number << 3 | 2) + _varint(size)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
