"""What holds for every op of the chip."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from y10c.check.constraint import Constraint, demand, within
from y10c.check.node import Node
from y10c.ir.types import DType
from y10c.targets.x5.sources import LIST, SILENT

DATA_TYPES = frozenset(
    {DType.f32, DType.f16, DType.bf16, DType.i8, DType.u8, DType.i16, DType.i32, DType.bool}
)
"""Floats stand for what calibration quantizes."""

GIBIBYTE = 1 << 30


@demand(
    "numbers",
    source="assumed: the RDK S100 documents it (S10, FAQ 8.5)",
    remedy="give --shape, or let y10c compile fold the shape arithmetic",
    needed=True,
)
def static_shape(node: Node) -> str | None:
    """Every extent is known when the model is compiled."""
    if node.static:
        return None
    values = [v for v in (*node.op.operands, *node.op.results) if v is not None]
    return next(f"{v.name} is {v.type}" for v in values if not getattr(v.type, "is_static", False))


@demand(
    "int8, int16, int32; float32 until it is quantized",
    source="assumed: S11 names int8 and int16, and int64 for indices alone",
    remedy="cast to int32 or float32 where the values fit, or let --head raw cut the decode tail",
)
def element_type(node: Node) -> str | None:
    """Tensors hold no 64-bit integers and no doubles."""
    kinds = (v.tensor_type.dtype for v in node.data)
    wrong = next((k for k in kinds if k not in DATA_TYPES), None)
    return None if wrong is None else str(wrong.numpy)


@within(1, 65536, source=LIST, remedy="cut the image or the sequence into parts")
def extents(node: Node) -> Iterable[int]:
    """Each of H, W and C is {low} to {high}."""
    return (d for v in node.data for d in v.tensor_type.static_shape[1:])


@within(1, 4096, source=LIST, remedy="run the model several times on smaller batches", cures=("split-batch",))
def batch(node: Node) -> Iterable[int]:
    """The batch N is {low} to {high}."""
    return (v.tensor_type.static_shape[0] for v in node.data if v.tensor_type.rank)


@within(1, GIBIBYTE, source=LIST, remedy="cut the tensor into parts")
def tensor_bytes(node: Node) -> Iterable[int]:
    """A tensor of int8 takes at most {high} bytes."""
    return (v.tensor_type.elements for v in node.data)


GENERAL = (static_shape, element_type, extents, batch, tensor_bytes)
"""In the order in which they are judged."""


def four_dimensional(*cures: str) -> Constraint:
    """The rank that the list asks for unless a row says otherwise."""

    @demand("4 dimensions", source=LIST, remedy="reshape to N, C, H, W", cures=cures, needed=True)
    def rank_4(node: Node) -> str | None:
        """The tensor has 4 dimensions."""
        return _wrong_rank(node, (4,))

    return rank_4


def ranks(low: int, high: int, *, source: str = LIST) -> Constraint:
    """A range of ranks that a row names, or that is assumed where it names none."""

    @demand(
        f"{low} to {high} dimensions",
        source=source,
        remedy="reshape to fewer dimensions",
        needed=True,
    )
    def rank(node: Node) -> str | None:
        """The tensor has {allowed}."""
        return _wrong_rank(node, range(low, high + 1))

    return rank


def _wrong_rank(node: Node, legal: Collection[int]) -> str | None:
    found = (v.tensor_type.rank for v in node.data)
    wrong = next((rank for rank in found if rank not in legal), None)
    return None if wrong is None else f"{wrong} dimensions"


ANY_RANK = ranks(1, 10, source=SILENT)
"""Of rows that name no rank and move or map single numbers."""
