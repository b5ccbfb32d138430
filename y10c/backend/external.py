"""Weights beyond protobuf's limit, written to one file beside the model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import onnx

from y10c import atomic
from y10c.backend.protos import tensor_proto
from y10c.ir.tensor import Tensor
from y10c.ir.textdata import tensor_bytes
from y10c.ir.types import DType

ALIGNMENT = 4096
"""Each tensor starts at a multiple of this many bytes, so that it can be mapped."""
MIN_BYTES = 1024
"""Smaller tensors stay in the model."""


class DataFile:
    """A file of weights that is being written.

    Args:
        file: Open for writing.
        location: What the model calls it.
    """

    def __init__(self, file: BinaryIO, location: str) -> None:
        self._file = file
        self._location = location

    def store(self, tensor: Tensor, name: str) -> onnx.TensorProto:
        """Write a constant; gives the message that refers to its data, or holds it where it is small.

        The data is not copied on the way, but for elements of less than a byte, which are packed.
        """
        if tensor.dtype is DType.str or size_in_file(tensor) < MIN_BYTES:
            return tensor_proto(tensor, name)
        if tensor.dtype.bits % 8:
            return self.move(tensor_proto(tensor, name))
        head = onnx.TensorProto(name=name, data_type=tensor.dtype.value, dims=tensor.shape)
        return self._referring(head, tensor_bytes(tensor))

    def move(self, tensor: onnx.TensorProto) -> onnx.TensorProto:
        """Write the data of a message; gives the message that refers to it, or itself where it is small."""
        if len(tensor.raw_data) < MIN_BYTES:
            return tensor
        head = onnx.TensorProto(
            name=tensor.name,
            data_type=tensor.data_type,
            dims=tensor.dims,
            doc_string=tensor.doc_string,
            metadata_props=tensor.metadata_props,
        )
        return self._referring(head, tensor.raw_data)

    def _referring(self, head: onnx.TensorProto, data: bytes | memoryview) -> onnx.TensorProto:
        self._file.write(b"\0" * (-self._file.tell() % ALIGNMENT))
        facts = {"location": self._location, "offset": self._file.tell(), "length": len(data)}
        self._file.write(data)
        head.data_location = onnx.TensorProto.EXTERNAL
        for key, value in facts.items():
            head.external_data.add(key=key, value=str(value))
        return head


@contextmanager
def data_file(model: Path) -> Iterator[DataFile]:
    """The file of weights beside a model, `NAME.data`; it appears when the block ends well.

    Raises:
        OutputError: The file cannot be written.
    """
    path = model.with_name(model.name + ".data")
    with atomic.file(path) as temporary, temporary.open("wb") as file:
        yield DataFile(file, path.name)


def size_in_file(tensor: Tensor) -> int:
    """Bytes of a constant's data; 0 for strings, which are never apart from the model."""
    return 0 if tensor.dtype is DType.str else -(-tensor.type.elements * tensor.dtype.bits // 8)


def move_data_out(model: onnx.ModelProto, data: DataFile) -> onnx.ModelProto:
    """The model with the data of its initializers written apart."""
    light = _without_initializers(model)
    light.graph.initializer.extend(map(data.move, model.graph.initializer))
    return light


def _without_initializers(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy that never holds the weights, which may fill the memory once already."""
    light = onnx.ModelProto()
    for source, target in ((model, light), (model.graph, light.graph)):
        for field, value in source.ListFields():
            if field.name in ("graph", "initializer"):
                continue
            if field.is_repeated:
                getattr(target, field.name).extend(value)
            elif field.message_type is not None:
                getattr(target, field.name).CopyFrom(value)
            else:
                setattr(target, field.name, value)
    return light
