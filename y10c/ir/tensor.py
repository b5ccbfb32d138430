"""Constant data: immutable, identified by content, read from disk only when somebody looks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from y10c.ir.types import DType, TensorType

Array = np.ndarray[Any, np.dtype[Any]]


class Tensor:
    """An immutable array with a dtype, a shape and a content digest.

    Args:
        dtype: Element type.
        shape: Extents.
        read: Gives the array; called at most once, at the first look.
    """

    __slots__ = ("_array", "_digest", "_read", "dtype", "shape")

    def __init__(self, dtype: DType, shape: Iterable[int], read: Callable[[], Array]) -> None:
        self.dtype = dtype
        self.shape = tuple(int(d) for d in shape)
        self._read: Callable[[], Array] | None = read
        self._array: Array | None = None
        self._digest: str | None = None

    @classmethod
    def of(cls, array: Any) -> Tensor:
        """Wrap an array, a number or a list of numbers; the data is not copied but made read-only."""
        data = np.asarray(array)
        if data.dtype.kind in "US":
            data = data.astype(np.object_)
        return cls(DType.of(data.dtype), data.shape, lambda: data)

    @property
    def type(self) -> TensorType:
        """The type of a value that holds this tensor."""
        return TensorType(self.dtype, self.shape)

    def numpy(self) -> Array:
        """The data as a read-only array of `dtype.numpy`."""
        if self._array is None:
            assert self._read is not None
            array = self._read().reshape(self.shape).view()
            array.flags.writeable = False
            self._array, self._read = array, None
        return self._array

    @property
    def digest(self) -> str:
        """Hexadecimal content hash over dtype, shape and little-endian data."""
        if self._digest is None:
            hasher = hashlib.blake2b(f"{self.dtype.name}{self.shape}".encode(), digest_size=16)
            for chunk in self._chunks():
                hasher.update(chunk)
            self._digest = hasher.hexdigest()
        return self._digest

    def _chunks(self) -> Iterable[bytes | memoryview]:
        array = self.numpy()
        if self.dtype is DType.str:
            for item in array.ravel():
                data = item if isinstance(item, bytes) else str(item).encode()
                yield len(data).to_bytes(8, "little") + data
        else:
            yield np.ascontiguousarray(array).reshape(-1).view(np.uint8).data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tensor) and (self is other or self.digest == other.digest)

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"Tensor({self.dtype.name}{list(self.shape)})"
