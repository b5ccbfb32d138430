"""Arithmetic element by element: one, two or many operands that broadcast."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from y10c.ir.types import DType, TensorType
from y10c.ops import math
from y10c.ops.onnx_schema import onnx_op
from y10c.ops.sample import (
    ANY,
    FLOATS,
    NONZERO,
    NUMBERS,
    POSITIVE,
    UNIT,
    Domain,
    Draw,
    Given,
    OpInstance,
    Request,
    Sampler,
    any_operand,
    attribute,
    element_type,
    keep,
    need,
    rank_of,
)
from y10c.ops.shapes import elementwise, local, unary
from y10c.ops.spec import OpSpec, Reference, Trait

Attributes = dict[str, Sequence[Any]]


def unary_sampler(
    domain: Domain = ANY, dtypes: Sequence[DType] = FLOATS, attrs: Attributes | None = None
) -> Sampler:
    """Samples an op of one operand; `attrs` gives the values that each attribute takes, the default first."""

    def sample(draw: Draw, request: Request) -> OpInstance:
        if request.result is not None and request.given(0) is None:
            x = keep(draw, request, 0, Given(request.result, None, domain))
        else:
            x = any_operand(draw, request, 0, dtypes=dtypes, domain=domain)
        return OpInstance((x,), sampled_attrs(draw, request, attrs or {}))

    return sample


def sampled_attrs(draw: Draw, request: Request, attrs: Attributes) -> dict[str, Any]:
    """A value for each attribute, as fixed or as drawn."""
    return {k: attribute(draw, request, k, choices, choices[0]) for k, choices in attrs.items()}


def broadcast_sampler(
    domains: Sequence[Domain] = (ANY, ANY),
    dtypes: Sequence[DType] = NUMBERS,
    attrs: Attributes | None = None,
    most: int | None = None,
) -> Sampler:
    """Samples an op whose operands broadcast; `most` is the greatest number of operands of a variadic one."""

    def sample(draw: Draw, request: Request) -> OpInstance:
        count = len(domains)
        if most is not None:
            low = max(1, len(request.operands))
            count = low if request.exact else draw.integer(low, max(low, most), "operands")
        dtype = element_type(draw, request, dtypes)
        wanted = [domains[min(i, len(domains) - 1)] for i in range(count)]
        return OpInstance(
            broadcast_operands(draw, request, dtype, wanted), sampled_attrs(draw, request, attrs or {})
        )

    return sample


def broadcast_operands(
    draw: Draw, request: Request, dtype: DType, domains: Sequence[Domain], first: int = 0
) -> tuple[Given, ...]:
    """Operands from number `first` on, of one element type, that broadcast together."""
    positions = range(first, first + len(domains))
    common = _common_shape(draw, request, positions)
    # One operand has the whole shape where a result of that shape is wanted.
    whole = next((i for i in positions if request.given(i) is None), None) if request.result else None
    operands = []
    for index, domain in zip(positions, domains, strict=True):
        given = request.given(index)
        if given is not None:
            need(given.dtype is dtype, "operands of one element type")
            operands.append(Given(given.type, given.data, domain))
            continue
        shape = common if index == whole else _narrowed(draw, request, index, common)
        operands.append(keep(draw, request, index, Given(TensorType(dtype, shape), None, domain)))
    return tuple(operands)


def _common_shape(draw: Draw, request: Request, positions: range) -> tuple[int, ...]:
    if request.result is not None:
        return request.result.static_shape
    given = [g.shape for g in map(request.given, positions) if g is not None]
    if not given:
        return draw.shape(rank_of(draw, request, positions[0], (2, 1, 3, 4)))
    try:
        shape = np.broadcast_shapes(*given)
    except ValueError:
        need(False, "shapes that broadcast")
        raise
    # An extent 1 of all the given operands may be stretched by the others.
    if len(given) < len(positions) and draw.boolean("stretch"):
        shape = tuple(draw.integer(1, 2, "extent") if d == 1 else d for d in shape)
    return tuple(shape)


def _narrowed(draw: Draw, request: Request, index: int, common: tuple[int, ...]) -> tuple[int, ...]:
    """A shape that broadcasts to `common`: leading axes dropped, some extents 1."""
    wish = request.wish(index)
    if wish.single:
        return (1,) * draw.choice(sorted(wish.ranks) or [0, 1, len(common), len(common) + 1], "rank")
    ranks = [r for r in range(len(common), -1, -1) if not wish.ranks or r in wish.ranks]
    if request.exact and request.result is None and (not wish.ranks or len(common) + 1 in wish.ranks):
        # A pattern sees operands that raise the rank of the others.
        ranks.append(len(common) + 1)
    rank = draw.choice(ranks, "rank")
    if rank > len(common):
        return (1, *common)
    kept = common[len(common) - rank :]
    if not draw.boolean("narrow"):
        return kept
    return tuple(1 if draw.boolean("narrow") else d for d in kept)


def _divide(x: Any, y: Any) -> Any:
    if np.asarray(x).dtype.kind in "iu":
        # ONNX says: truncated towards zero. Source: ONNX operator Div.
        quotient = np.abs(x) // np.abs(y)
        return (np.sign(x) * np.sign(y) * quotient).astype(np.asarray(x).dtype)
    return x / y


def _power(x: Any, y: Any) -> Any:
    base = np.asarray(x)
    if math.is_symbolic(x, y):
        return x**y
    with np.errstate(all="ignore"):
        return np.power(base.astype(np.result_type(base, y)), y).astype(base.dtype)


def _modulo(x: Any, y: Any, *, fmod: int = 0) -> Any:
    return np.fmod(x, y) if fmod else np.mod(x, y)


def _fold(step: Callable[[Any, Any], Any]) -> Reference:
    def reference(first: Any, *rest: Any) -> Any:
        result = first
        for other in rest:
            result = step(result, other)
        return result

    return reference


def _mean(*arrays: Any) -> Any:
    total = _fold(lambda a, b: a + b)(*arrays)
    return total / len(arrays)


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + math.exp(-x))


def _signs(x: Any) -> Any:
    return np.sign(x)


_BINARY = frozenset({Trait.elementwise})
_COMMUTATIVE = frozenset({Trait.elementwise, Trait.commutative})
_UNARY = frozenset({Trait.elementwise})
_MONOTONE = frozenset({Trait.elementwise, Trait.monotone})


def _binary(
    name: str,
    reference: Reference | None,
    traits: frozenset[Trait] = _BINARY,
    sampler: Sampler | None = None,
) -> OpSpec:
    return onnx_op(
        name,
        infer=local(name, elementwise()),
        reference=reference,
        sample=sampler or broadcast_sampler(),
        traits=traits,
    )


def _one(
    name: str,
    reference: Reference | None,
    domain: Domain = ANY,
    traits: frozenset[Trait] = _UNARY,
    dtypes: Sequence[DType] = FLOATS,
) -> OpSpec:
    return onnx_op(
        name,
        infer=local(name, unary()),
        reference=reference,
        sample=unary_sampler(domain, dtypes),
        traits=traits,
    )


def _variadic(name: str, reference: Reference, traits: frozenset[Trait], dtypes: Sequence[DType]) -> OpSpec:
    return onnx_op(
        name,
        infer=local(name, elementwise()),
        reference=reference,
        sample=broadcast_sampler(dtypes=dtypes, most=3),
        traits=traits,
    )


_LINEAR = frozenset({Trait.linear})
_STEPS = frozenset({Trait.elementwise, Trait.monotone, Trait.discontinuous})
SPECS = (
    _binary("Add", lambda x, y: x + y, _COMMUTATIVE | _LINEAR),
    _binary("Sub", lambda x, y: x - y, _BINARY | _LINEAR),
    _binary("Mul", lambda x, y: x * y, _COMMUTATIVE | _LINEAR),
    _binary("Div", _divide, _BINARY | _LINEAR, broadcast_sampler((ANY, NONZERO))),
    _binary("Pow", _power, _BINARY, broadcast_sampler((POSITIVE, Domain(-2, 3)), FLOATS)),
    _binary(
        "Mod",
        _modulo,
        _BINARY | {Trait.discontinuous},
        broadcast_sampler((ANY, NONZERO), (DType.i64, DType.i32), {"fmod": (0, 1)}),
    ),
    _variadic("Max", _fold(math.maximum), _COMMUTATIVE, NUMBERS),
    _variadic("Min", _fold(math.minimum), _COMMUTATIVE, NUMBERS),
    _variadic("Sum", _fold(lambda a, b: a + b), _COMMUTATIVE, FLOATS),
    _variadic("Mean", _mean, _COMMUTATIVE, FLOATS),
    _one("Neg", lambda x: -x, traits=_UNARY | _LINEAR, dtypes=NUMBERS),
    _one("Abs", math.absolute, dtypes=NUMBERS),
    _one("Sqrt", math.sqrt, POSITIVE, _MONOTONE),
    _one("Exp", math.exp, traits=_MONOTONE),
    _one("Log", math.log, POSITIVE, _MONOTONE),
    _one("Reciprocal", lambda x: 1 / x, NONZERO),
    _one("Floor", lambda x: np.floor(x), traits=_STEPS),
    _one("Ceil", lambda x: np.ceil(x), traits=_STEPS),
    _one("Round", lambda x: np.rint(x), traits=_STEPS),
    _one("Sign", _signs, traits=_STEPS, dtypes=NUMBERS),
    _one("Erf", math.erf, traits=_MONOTONE),
    _one("Sin", math.sin),
    _one("Cos", math.cos),
    _one("Tan", lambda x: np.tan(x), UNIT),
    _one("Asin", lambda x: np.arcsin(x), UNIT, _MONOTONE),
    _one("Acos", lambda x: np.arccos(x), UNIT),
    _one("Atan", lambda x: np.arctan(x), traits=_MONOTONE),
    _one("Sinh", lambda x: np.sinh(x), traits=_MONOTONE),
    _one("Cosh", lambda x: np.cosh(x)),
    _one("Tanh", math.tanh, traits=_MONOTONE),
    _one("Sigmoid", _sigmoid, traits=_MONOTONE),
)
"""The declarations of this family."""
