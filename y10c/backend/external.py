"""Weights beyond protobuf's limit, written to one file beside the model."""

from __future__ import annotations

from pathlib import Path

import onnx

from y10c import atomic

ALIGNMENT = 4096
"""Each tensor starts at a multiple of this many bytes, so that it can be mapped."""
MIN_BYTES = 1024
"""Smaller tensors stay in the model."""


def move_data_out(model: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    """The model with its large tensors written to `path`.

    Raises:
        OutputError: The file cannot be written.
    """
    light = _without_initializers(model)
    with atomic.file(path) as temporary, temporary.open("wb") as file:
        for tensor in model.graph.initializer:
            if len(tensor.raw_data) < MIN_BYTES:
                light.graph.initializer.append(tensor)
                continue
            file.write(b"\0" * (-file.tell() % ALIGNMENT))
            facts = {"location": path.name, "offset": file.tell(), "length": len(tensor.raw_data)}
            file.write(tensor.raw_data)
            entry = light.graph.initializer.add(
                name=tensor.name, data_type=tensor.data_type, dims=tensor.dims
            )
            entry.data_location = onnx.TensorProto.EXTERNAL
            for key, value in facts.items():
                entry.external_data.add(key=key, value=str(value))
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
