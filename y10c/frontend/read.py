"""From a path to a parsed protobuf message, with a sentence for every way in which a file can be wrong."""

from __future__ import annotations

import lzma
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from y10c.diagnostics import warn
from y10c.errors import ModelError
from y10c.ops.onnx_schema import IR_OPSET


def read_model(model: str | Path | onnx.ModelProto) -> tuple[onnx.ModelProto, Path | None]:
    """The model message and, where it came from a file, its path; `.xz` files are decompressed.

    Raises:
        ModelError: There is no such file, or it does not hold an ONNX model.
    """
    if isinstance(model, onnx.ModelProto):
        _check(model, "model in memory")
        return model, None
    path = Path(model)
    data = _read_bytes(path)
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(data)
    except DecodeError:
        raise _not_onnx(path, data) from None
    _check(proto, str(path))
    return proto, path


def _read_bytes(path: Path) -> bytes:
    if path.is_dir():
        raise ModelError(
            "this is a folder, not a model", code="Y3001", where=str(path), help="name the .onnx file"
        )
    try:
        data = path.read_bytes()
        return lzma.decompress(data) if path.suffix == ".xz" else data
    except FileNotFoundError:
        near = ", ".join(sorted(p.name for p in path.parent.glob("*.onnx"))[:5])
        hint = f"models in that folder: {near}" if near else "check the path"
        raise ModelError("there is no such file", code="Y3001", where=str(path), help=hint) from None
    except (OSError, lzma.LZMAError) as error:
        raise ModelError(f"the file cannot be read: {error}", code="Y3001", where=str(path)) from None


def _not_onnx(path: Path, data: bytes) -> ModelError:
    text = sum(32 <= b < 127 or b in b"\r\n\t" for b in data[:512]) > 0.95 * max(1, len(data[:512]))
    if text:
        config = "a config is given with -c" if path.suffix.lower() in (".yaml", ".yml") else None
        what = "this is a text file, not an ONNX model"
        return ModelError(what, code="Y3001", where=str(path), help=config)
    return ModelError(
        "the file is damaged or ends too early",
        code="Y3001",
        where=str(path),
        help=f"it has {len(data)} bytes; export or copy it again",
    )


def _check(proto: onnx.ModelProto, where: str) -> None:
    if not proto.ir_version or not proto.opset_import or not proto.HasField("graph"):
        raise ModelError("this is not an ONNX model", code="Y3001", where=where, help="export it as .onnx")
    opset = max((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), default=0)
    if opset > IR_OPSET:
        raise ModelError(
            f"opset {opset} is newer than {IR_OPSET}, the newest that the installed onnx package knows",
            code="Y3003",
            where=where,
            help="update the package onnx, or export an older opset",
        )
    if proto.training_info:
        warn("Y5006", "the model's training information is left out", where=where)
