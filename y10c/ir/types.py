"""Frozen types: what a value is, with its quantization and layout as part of the type."""

from __future__ import annotations

import builtins
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from typing import Any

import ml_dtypes
import numpy as np

Dim = int | str | None
"""One extent: a number, a named symbol, or None where nothing is known."""

Shape = tuple[Dim, ...]


class DType(Enum):
    """An element type. The value is ONNX's `TensorProto.DataType` number, the name is ours.

    Source: onnx.proto, message TensorProto, enum DataType.
    """

    f32 = 1
    u8 = 2
    i8 = 3
    u16 = 4
    i16 = 5
    i32 = 6
    i64 = 7
    str = 8
    bool = 9
    f16 = 10
    f64 = 11
    u32 = 12
    u64 = 13
    c64 = 14
    c128 = 15
    bf16 = 16
    f8e4m3fn = 17
    f8e4m3fnuz = 18
    f8e5m2 = 19
    f8e5m2fnuz = 20
    u4 = 21
    i4 = 22
    f4e2m1 = 23
    f8e8m0 = 24
    u2 = 25
    i2 = 26

    @property
    def numpy(self) -> np.dtype[Any]:
        """The numpy (or ml_dtypes) element type."""
        return _NUMPY[self]

    @property
    def bits(self) -> int:
        """Bits of one element as stored by ONNX; 0 for strings."""
        if self is DType.str:
            return 0
        return _SUB_BYTE.get(self, self.numpy.itemsize * 8)

    @property
    def is_float(self) -> builtins.bool:
        """True for every real floating-point type."""
        return self in _FLOATS

    @property
    def is_integer(self) -> builtins.bool:
        """True for signed and unsigned integers, bool excluded."""
        return self.name[0] in "iu"

    @property
    def integer_range(self) -> tuple[int, int]:
        """The least and greatest integer of the type.

        Raises:
            ValueError: The type is not an integer.
        """
        if not self.is_integer:
            raise ValueError(f"{self.name} is not an integer type")
        if self.name[0] == "u":
            return 0, (1 << self.bits) - 1
        return -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1

    @classmethod
    def of(cls, dtype: Any) -> DType:
        """The element type of a numpy dtype.

        Raises:
            ValueError: ONNX has no such element type.
        """
        found = _FROM_NUMPY.get(np.dtype(dtype))
        if found is None:
            kind = np.dtype(dtype).kind
            if kind in "OUS" or kind == "T":
                return cls.str
            raise ValueError(f"ONNX has no element type for numpy {np.dtype(dtype)}")
        return found


_NUMPY: dict[DType, np.dtype[Any]] = {
    DType.f32: np.dtype(np.float32),
    DType.u8: np.dtype(np.uint8),
    DType.i8: np.dtype(np.int8),
    DType.u16: np.dtype(np.uint16),
    DType.i16: np.dtype(np.int16),
    DType.i32: np.dtype(np.int32),
    DType.i64: np.dtype(np.int64),
    DType.str: np.dtype(np.object_),
    DType.bool: np.dtype(np.bool_),
    DType.f16: np.dtype(np.float16),
    DType.f64: np.dtype(np.float64),
    DType.u32: np.dtype(np.uint32),
    DType.u64: np.dtype(np.uint64),
    DType.c64: np.dtype(np.complex64),
    DType.c128: np.dtype(np.complex128),
    DType.bf16: np.dtype(ml_dtypes.bfloat16),
    DType.f8e4m3fn: np.dtype(ml_dtypes.float8_e4m3fn),
    DType.f8e4m3fnuz: np.dtype(ml_dtypes.float8_e4m3fnuz),
    DType.f8e5m2: np.dtype(ml_dtypes.float8_e5m2),
    DType.f8e5m2fnuz: np.dtype(ml_dtypes.float8_e5m2fnuz),
    DType.u4: np.dtype(ml_dtypes.uint4),
    DType.i4: np.dtype(ml_dtypes.int4),
    DType.f4e2m1: np.dtype(ml_dtypes.float4_e2m1fn),
    DType.f8e8m0: np.dtype(ml_dtypes.float8_e8m0fnu),
    DType.u2: np.dtype(ml_dtypes.uint2),
    DType.i2: np.dtype(ml_dtypes.int2),
}
_FROM_NUMPY = {dtype: name for name, dtype in _NUMPY.items()}
_SUB_BYTE = {DType.u4: 4, DType.i4: 4, DType.f4e2m1: 4, DType.u2: 2, DType.i2: 2}
_FLOATS = frozenset(d for d in DType if d.name[0] == "f" or d is DType.bf16)


class NotKnown(ValueError):
    """A type or an extent that the code asks for is not known; a rule that asks does not fire there."""


@dataclass(frozen=True)
class QuantParams:
    """How integers stand for reals: `real = (integer - zero_point) * scale`.

    Args:
        scale: One positive number, or one per index of `axis`.
        zero_point: As many integers as `scale`.
        axis: The axis that the scales run along; None means one scale for the whole tensor.
        narrow: The lowest integer of the dtype is not used, so that the range is symmetric.

    Source: ONNX operator QuantizeLinear.
    """

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int | None = None
    narrow: bool = False

    def __post_init__(self) -> None:
        if len(self.scale) != len(self.zero_point):
            raise ValueError("scale and zero_point differ in length")
        if self.axis is None and len(self.scale) != 1:
            raise ValueError("several scales need an axis")

    @property
    def per_channel(self) -> bool:
        """True where each index of `axis` has a scale of its own."""
        return self.axis is not None

    @property
    def symmetric(self) -> bool:
        """True where real zero is integer zero throughout."""
        return not any(self.zero_point)


class Layout(Enum):
    """The order in which a four-dimensional tensor lies in memory; the logical shape stays NCHW.

    `blocked` is NHWC in blocks of channels, one block after another, the last one filled up.
    """

    nchw = "nchw"
    nhwc = "nhwc"
    blocked = "blocked"


@dataclass(frozen=True)
class TensorType:
    """A dense tensor: element type, shape, and, where known, layout and quantization.

    Args:
        dtype: Element type.
        shape: One `Dim` an axis; None where even the rank is unknown.
        layout: Memory order, once layout selection has run.
        quant: Meaning of the integers; only for integer dtypes.
    """

    dtype: DType
    shape: Shape | None = None
    layout: Layout | None = None
    quant: QuantParams | None = None

    def __post_init__(self) -> None:
        if self.quant is not None and not self.dtype.is_integer:
            raise ValueError(f"a quantized tensor has integers, not {self.dtype.name}")

    @property
    def rank(self) -> int | None:
        """Number of axes, or None where unknown."""
        return None if self.shape is None else len(self.shape)

    @property
    def is_static(self) -> bool:
        """True where every extent is a number."""
        return self.shape is not None and all(isinstance(d, int) for d in self.shape)

    @property
    def static_shape(self) -> tuple[int, ...]:
        """The shape as numbers.

        Raises:
            NotKnown: An extent is symbolic or unknown.
        """
        if self.shape is None or not self.is_static:
            raise NotKnown(f"the shape of {self} is not static")
        return tuple(d for d in self.shape if isinstance(d, int))

    @cached_property
    def elements(self) -> int:
        """Number of elements of a static shape."""
        return int(np.prod(self.static_shape, dtype=np.int64))

    @property
    def bytes(self) -> int:
        """Bytes of a static shape as ONNX stores it, sub-byte types packed."""
        return -(-self.elements * self.dtype.bits // 8)

    def with_(self, **changes: Any) -> TensorType:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def __str__(self) -> str:
        from y10c.ir.printer import format_type

        return format_type(self)


@dataclass(frozen=True)
class SequenceType:
    """A list of values of one type (ONNX Sequence)."""

    element: Type | None


@dataclass(frozen=True)
class OptionalType:
    """A value or nothing (ONNX Optional)."""

    element: Type | None


@dataclass(frozen=True)
class MapType:
    """Keys of one scalar type to values of one type (ONNX Map)."""

    key: DType
    element: Type | None


@dataclass(frozen=True)
class SparseTensorType:
    """A sparse tensor (ONNX SparseTensor): indices and values."""

    dtype: DType
    shape: Shape | None = None


Type = TensorType | SequenceType | OptionalType | MapType | SparseTensorType
"""Every type a value can have."""


def more_precise(old: Type | None, new: Type | None) -> Type | None:
    """Join what two sources know of one value; where both know, `old` wins.

    Used to keep the names of symbolic dims that a user gave when inference only knows numbers less well.
    """
    if old is None or new is None:
        return old or new
    if not (isinstance(old, TensorType) and isinstance(new, TensorType)) or old.dtype is not new.dtype:
        return old
    if old.shape is None or new.shape is None or len(old.shape) != len(new.shape):
        return old if old.shape is not None else replace(old, shape=new.shape)
    return replace(old, shape=tuple(_join_dim(a, b) for a, b in zip(old.shape, new.shape, strict=True)))


def _join_dim(old: Dim, new: Dim) -> Dim:
    if isinstance(old, int):
        return old
    return new if isinstance(new, int) or old is None else old
