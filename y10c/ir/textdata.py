"""Constants as the text form holds them, inline or in the side file; graphs as files of text."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from y10c import atomic
from y10c.errors import ModelError
from y10c.ir.tensor import Tensor
from y10c.ir.types import DType

if TYPE_CHECKING:
    from y10c.ir.graph import Graph

SIDE_SUFFIX = ".weights"
"""The side file of `model.y10c` is `model.y10c.weights`."""


def tensor_of_items(
    dtype: DType, shape: tuple[int, ...], items: Sequence[int | float | str | bytes]
) -> Tensor:
    """A constant from its elements as the printer writes them.

    Raises:
        ValueError, TypeError, OverflowError: Their number or kind does not fit.
    """
    if dtype is DType.str:
        array = np.empty(len(items), np.object_)
        array[:] = items
    elif dtype.is_float:
        array = np.array([float(i) for i in items], np.float64).astype(dtype.numpy)
    else:
        array = np.array([int(i) for i in items], dtype.numpy)
    return Tensor.of(array.reshape(shape))


def tensor_of_bytes(dtype: DType, shape: tuple[int, ...], data: bytes) -> Tensor:
    """A constant from little-endian bytes, one element each in its numpy size; strings with their lengths.

    Raises:
        ValueError: There are too many or too few.
    """
    if dtype is DType.str:
        return tensor_of_items(dtype, shape, list(_strings(data)))
    return Tensor.of(np.frombuffer(data, dtype.numpy).reshape(shape))


def tensor_bytes(tensor: Tensor) -> bytes | memoryview:
    """The inverse of `tensor_of_bytes`."""
    array = tensor.numpy()
    if tensor.dtype is not DType.str:
        return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
    texts = (i if isinstance(i, bytes) else str(i).encode() for i in array.reshape(-1))
    return b"".join(len(t).to_bytes(8, "little") + t for t in texts)


def _strings(data: bytes) -> Iterator[str | bytes]:
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 8], "little")
        text, at = data[at + 8 : at + 8 + size], at + 8 + size
        try:
            yield text.decode()
        except UnicodeDecodeError:
            yield text


class SideFile(Mapping[str, Tensor]):
    """The constants of a side file, each read when it is looked at.

    The file is an uncompressed zip; an entry is named `digest.dtype.extents` and holds the bare data.

    Raises:
        ModelError: The file is not such a zip.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with zipfile.ZipFile(path) as file:
                self._entries = {name.partition(".")[0]: name for name in file.namelist()}
        except (OSError, zipfile.BadZipFile) as error:
            raise ModelError(
                f"the side file cannot be read: {error}", code="Y3001", where=str(path)
            ) from None

    def __getitem__(self, digest: str) -> Tensor:
        name = self._entries[digest]
        try:
            _, kind, *extents = name.split(".")
            dtype, shape = DType[kind], tuple(map(int, filter(None, extents)))
        except (KeyError, ValueError):
            raise ModelError(f"the side file has a damaged entry {name!r}", where=str(self.path)) from None
        return Tensor(dtype, shape, lambda: self._read(name, dtype, shape))

    def _read(self, name: str, dtype: DType, shape: tuple[int, ...]) -> Any:
        try:
            with zipfile.ZipFile(self.path) as file:
                return tensor_of_bytes(dtype, shape, file.read(name)).numpy()
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise ModelError(
                f"entry {name!r} is damaged: {error}", code="Y3001", where=str(self.path)
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def save_text(graph: Graph, path: str | Path) -> Path:
    """Write a graph as text, and its larger constants, where there are any, to the side file.

    Equal graphs give equal bytes.

    Raises:
        OutputError: A file cannot be written.
    """
    from y10c.ir.printer import print_graph

    target, side = Path(path), dict[str, Tensor]()
    text = print_graph(graph, side)
    if side:
        with atomic.file(_side_of(target)) as temporary:
            _write_side(temporary, side)
    atomic.write_text(target, text)
    return target


def _side_of(path: Path) -> Path:
    return path.with_name(path.name + SIDE_SUFFIX)


def _write_side(path: Path, side: Mapping[str, Tensor]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        for digest, tensor in sorted(side.items()):
            name = ".".join([digest, tensor.dtype.name, *map(str, tensor.shape)])
            with file.open(zipfile.ZipInfo(name), "w", force_zip64=True) as entry:
                entry.write(tensor_bytes(tensor))


def load_text(path: str | Path) -> Graph:
    """Read a graph that `save_text` wrote.

    Raises:
        ModelError: A file is missing or damaged; ParseError where the text is at fault.
    """
    from y10c.ir.parser import parse_graph

    source = Path(path)
    try:
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"the file cannot be read: {error}", code="Y3001", where=str(source)) from None
    side = _side_of(source)
    return parse_graph(text, SideFile(side) if side.exists() else {}, source=str(source))
