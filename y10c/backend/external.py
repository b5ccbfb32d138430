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
    light = onnx.ModelProto()
    light.CopyFrom(model)
    data = bytearray()
    for tensor in light.graph.initializer:
        if len(tensor.raw_data) < MIN_BYTES:
            continue
        data.extend(b"\0" * (-len(data) % ALIGNMENT))
        facts = {"location": path.name, "offset": str(len(data)), "length": str(len(tensor.raw_data))}
        data.extend(tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in facts.items():
            tensor.external_data.add(key=key, value=value)
    atomic.write_bytes(path, bytes(data))
    return light
