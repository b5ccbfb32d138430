"""External tensor data: mapped lazily, and only from inside the model's own folder."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from y10c.errors import ModelError
from y10c.ir.types import DType


def external_reader(proto: onnx.TensorProto, dtype: DType, folder: Path | None) -> Callable[[], Any]:
    """A function that reads the data of a tensor kept outside the model file.

    Raises:
        ModelError: The location is absolute, a symbolic link, or outside the model's folder; or the file
            is missing or too short.
    """
    facts = {e.key: e.value for e in proto.external_data}
    path = _safe_path(facts.get("location", ""), folder, proto.name)
    size = -(-math.prod(proto.dims) * dtype.bits // 8)
    try:
        offset, length = int(facts.get("offset", 0)), int(facts.get("length", size))
    except ValueError:
        raise ModelError(f"tensor {proto.name!r} has an entry that is no number", where=str(path)) from None
    if dtype is DType.str or length != size:
        raise ModelError(
            f"tensor {proto.name!r} needs {size} bytes but its entry says {length}", where=str(path)
        )
    if offset < 0 or path.stat().st_size < offset + size:
        raise ModelError(
            f"tensor {proto.name!r} reaches beyond the end of its file", code="Y3001", where=str(path)
        )
    if dtype.bits % 8:
        return lambda: _unpack(proto, path, offset, size)
    if not size:
        return lambda: np.empty(tuple(proto.dims), dtype.numpy)
    return lambda: np.memmap(path, dtype.numpy, "r", offset, tuple(proto.dims))


def _unpack(proto: onnx.TensorProto, path: Path, offset: int, size: int) -> Any:
    packed = onnx.TensorProto(data_type=proto.data_type, dims=proto.dims)
    with path.open("rb") as file:
        file.seek(offset)
        packed.raw_data = file.read(size)
    return onnx.numpy_helper.to_array(packed)


def _safe_path(location: str, folder: Path | None, tensor: str) -> Path:
    where = f"tensor {tensor!r}: external data {location!r}"
    if folder is None:
        raise ModelError(
            "a model from memory cannot have external data", where=where, help="load it from its file"
        )
    path = folder / location
    if (
        not location
        or "\0" in location
        or Path(location).is_absolute()
        or not path.resolve().is_relative_to(folder.resolve())
    ):
        raise ModelError("external data must lie in the model's folder", where=where)
    if any(p.is_symlink() for p in (path, *path.parents) if p != folder and p.is_relative_to(folder)):
        raise ModelError("external data may not be a symbolic link", where=where)
    if not path.is_file():
        raise ModelError("the external data file is missing", code="Y3001", where=str(path))
    return path
