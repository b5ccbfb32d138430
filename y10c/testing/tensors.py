"""Hypothesis strategies for types, arrays and single ops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import reject
from hypothesis import strategies as st

from y10c.ir.tensor import Array
from y10c.ir.types import DType, TensorType
from y10c.ops.registry import declared_specs
from y10c.ops.sample import ANY, FLOATS, Domain, NoInstance, OpInstance, Request
from y10c.testing.draw import HypothesisDraw, draw_instance
from y10c.testing.instances import Case, case_of

DrawFunction = Callable[[st.SearchStrategy[Any]], Any]


@st.composite
def tensor_types(
    draw: DrawFunction,
    *,
    dtypes: Sequence[DType] = FLOATS,
    ranks: Sequence[int] = (2, 0, 1, 3, 4),
    max_extent: int = 3,
) -> TensorType:
    """Small static tensor types; they shrink to the first dtype and rank, with extents 1."""
    source = HypothesisDraw(draw)
    return TensorType(source.choice(dtypes), source.shape(source.choice(ranks), high=max_extent))


@st.composite
def arrays(draw: DrawFunction, type: TensorType, domain: Domain = ANY) -> Array:
    """Arrays of a static type with numbers of a domain; they shrink to its simplest number."""
    return HypothesisDraw(draw).array(type, domain)


@st.composite
def op_instances(draw: DrawFunction, name: str, request: Request | None = None) -> OpInstance:
    """Valid instances of an op that agree with a request."""
    try:
        return draw_instance(HypothesisDraw(draw), name, request)
    except NoInstance:
        reject()


@st.composite
def ops(draw: DrawFunction, names: Sequence[str] = (), request: Request | None = None) -> Case:
    """Graphs of one op with what to feed them; of any declared op where no names are given."""
    source = HypothesisDraw(draw)
    known = tuple(names) or tuple(s.name for s in declared_specs() if s.sample is not None)
    name = source.choice(known)
    try:
        return case_of(source, name, draw_instance(source, name, request))
    except NoInstance:
        reject()
