"""Whole valid random models, grown op by op from the declarations.

Every op is drawn by its sampler with some operands taken from the values that exist already, so that a graph
is valid by construction. An op whose results are not finite, or too large, for the drawn feeds is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from hypothesis import reject
from hypothesis import strategies as st

from y10c.errors import Y10cError
from y10c.ir.graph import Graph
from y10c.ir.tensor import Array
from y10c.ir.types import DType, TensorType
from y10c.ir.value import Op, Value
from y10c.ops.reference import evaluate_op
from y10c.ops.registry import declared_specs, get_spec
from y10c.ops.sample import Domain, Draw, Given, NoInstance, Open, OpInstance, Request, Slot, need
from y10c.ops.spec import Trait
from y10c.rewrite.rewriter import Rewriter
from y10c.testing.draw import HypothesisDraw, draw_instance
from y10c.testing.instances import Case

COMMON = (
    "Relu",
    "Add",
    "Mul",
    "Conv",
    "Sigmoid",
    "BatchNormalization",
    "Concat",
    "Reshape",
    "Transpose",
    "Split",
    "MaxPool",
    "Sub",
    "Slice",
    "Pad",
    "MatMul",
    "Gemm",
    "Identity",
    "Softmax",
    "Resize",
    "Clip",
    "ReduceMean",
    "Unsqueeze",
    "Squeeze",
    "GlobalAveragePool",
    "Cast",
    "Flatten",
)
"""Ops of ordinary networks; they are drawn as often as all the others together."""

FIXED: dict[str, dict[str, Any]] = {"Cast": {"to": DType.f32.value}}
"""Attributes that keep a common op smooth."""

MEAN_OPS = 8
"""After each op a model ends with one chance in so many."""
LARGEST = 1e4
MOST_ELEMENTS = 600


@cache
def smooth_ops() -> tuple[str, ...]:
    """Every declared op with a sampler whose results do not jump, so that rounding stays harmless."""
    return tuple(
        s.name
        for s in declared_specs()
        if s.sample is not None and not s.has(Trait.discontinuous) and not s.has(Trait.random)
    )


@st.composite
def models(
    draw: Callable[[st.SearchStrategy[Any]], Any],
    *,
    names: Sequence[str] = (),
    max_ops: int = 8,
) -> Case:
    """Valid random models whose values are finite for the feeds that come with them.

    Args:
        draw: Given by hypothesis.
        names: Ops to build from; by default every declared one that is smooth, ordinary ones more often.
        max_ops: The greatest number of ops.

    Returns:
        The graph, feeds by input name, and the domains that the feeds were drawn from. Every input is read,
        and every result that no op reads is an output. They shrink towards few ops and small integers.
    """
    try:
        return draw_model(HypothesisDraw(draw), names=names, max_ops=max_ops)
    except NoInstance:
        reject()


def draw_model(draw: Draw, *, names: Sequence[str] = (), max_ops: int = 8) -> Case:
    """As `models`, from any source of choices.

    Raises:
        NoInstance: The choices lead to no op.
    """
    grower = _Grower(draw, tuple(names) or None)
    for _ in range(3 * max_ops):
        if len(grower.graph) == max_ops or not draw.unit(grower.another):
            break
    need(len(grower.graph), "no op was drawn")
    return grower.finished()


class _Grower:
    def __init__(self, draw: Draw, names: tuple[str, ...] | None) -> None:
        self.draw = draw
        self.names = names
        self.graph = Graph("random")
        self.rewriter = Rewriter(self.graph, by="models")
        self.values: dict[Value, Array] = {}
        self.domains: dict[str, Domain] = {}

    def another(self, draw: Draw) -> bool:
        """Perhaps add one op; False ends the model. The choice of having an op shrinks away with the op."""
        if len(self.graph) and not draw.integer(0, MEAN_OPS - 1, "another op"):
            return False
        self.draw = draw
        self.grow()
        return True

    def grow(self) -> None:
        """Add one op, or nothing where the draw does not lead to one."""
        name = self._name()
        slots = self._slots(name)
        try:
            instance = draw_instance(self.draw, name, Request(tuple(slots), self._fixed(name)))
        except NoInstance:
            return
        try:
            with self.rewriter.transaction():
                self._build(name, instance, slots)
        except (_Unwanted, Y10cError):
            return

    def _name(self) -> str:
        if self.names is not None:
            return self.draw.choice(self.names, "op")
        common = self.draw.choice((True, False), "common op")
        return self.draw.choice(COMMON if common else smooth_ops(), "op")

    def _fixed(self, name: str) -> dict[str, Any]:
        return {} if self.names is not None else FIXED.get(name, {})

    def _slots(self, name: str) -> list[Slot]:
        """What the first operands are: values that exist, or still open."""
        floats = [v for v in self.values if _is_float(v)]
        if not floats:
            # Most networks begin with images.
            return [Open(ranks=frozenset({4}))] if self.draw.integer(0, 3, "begin") < 3 else []
        # Recent values first, so that graphs shrink to chains.
        floats.reverse()
        first = self.draw.choice(floats, "operand")
        slots: list[Slot] = [_Existing(first.tensor_type, value=first)]
        spec = get_spec(name)
        takes_more = len(spec.operands) > 1 or spec.operands[0].variadic
        if takes_more and self.draw.boolean("second operand"):
            second = self.draw.choice(floats, "operand")
            slots.append(_Existing(second.tensor_type, value=second))
        return slots

    def _build(self, name: str, instance: OpInstance, slots: Sequence[Slot]) -> None:
        arrays: list[Array | None] = []
        operands: list[Any] = []
        fed: dict[Value, tuple[Array, Domain]] = {}
        for index, operand in enumerate(instance.operands):
            slot = slots[index] if index < len(slots) else Open()
            value, array = self._operand(operand, slot, fed)
            operands.append(value)
            arrays.append(array)
        op = self.rewriter.op.make(name, *operands, _results=instance.results, **instance.attrs)
        results = _evaluated(op, arrays)
        self.rewriter.insert(op)
        for value, (array, domain) in fed.items():
            value.index, value.name = len(self.graph.inputs), f"x{len(self.graph.inputs)}"
            value.lineage = (value.name,)
            self.graph.inputs.append(value)
            self.values[value], self.domains[value.name] = array, domain
        self.values.update(zip(op.results, results, strict=True))

    def _operand(
        self, operand: Given | None, slot: Slot, fed: dict[Value, tuple[Array, Domain]]
    ) -> tuple[Any, Array | None]:
        if operand is None:
            return None, None
        if isinstance(slot, _Existing):
            _check_domain(self.values[slot.value], operand.domain)
            return slot.value, self.values[slot.value]
        if operand.data is not None:
            return self.rewriter.const(operand.data), operand.data
        array = self.draw.array(operand.type, operand.domain)
        is_input = (not self.values and not fed) or (operand.dtype.is_float and self._as_input())
        if not is_input:
            return self.rewriter.const(array), array
        value = Value(operand.type)
        fed[value] = (array, operand.domain)
        return value, array

    def _as_input(self) -> bool:
        return len(self.graph.inputs) < 3 and self.draw.integer(0, 3, "input") == 3

    def finished(self) -> Case:
        """The graph with its outputs."""
        loose = [v for v in self.values if not v.uses]
        self.graph.set_outputs(loose, [f"y{i}" for i in range(len(loose))])
        feeds = {v.name: self.values[v] for v in self.graph.inputs}
        return Case(self.graph, feeds, self.domains)


class _Existing(Given):
    """An operand that is a value of the graph."""

    value: Value

    def __init__(self, type: TensorType, *, value: Value) -> None:
        super().__init__(type)
        object.__setattr__(self, "value", value)


class _Unwanted(Exception):
    """The op would make numbers that are not finite, too large, or too many."""


def _is_float(value: Value) -> bool:
    type = value.type
    return isinstance(type, TensorType) and type.dtype is DType.f32 and type.is_static


def _check_domain(array: Array, domain: Domain) -> None:
    """Refuse a value that an op with a restricted domain cannot take."""
    near_zero = domain.nonzero and bool((np.abs(array) < 1e-3).any())
    negative = domain.low > 0 and bool((array < 1e-3).any())
    outside = domain.high - domain.low <= 2 and bool((np.abs(array) > 1).any())
    if near_zero or negative or outside:
        raise _Unwanted


def _evaluated(op: Op, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
    with np.errstate(all="ignore"):
        results = evaluate_op(op, arrays)
    for array in results:
        good = array.size <= MOST_ELEMENTS and array.size > 0
        if array.dtype.kind == "f":
            good = good and bool(np.isfinite(array).all()) and bool((np.abs(array) <= LARGEST).all())
        if not good:
            raise _Unwanted
    return results
