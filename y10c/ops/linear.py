"""Matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from y10c.ir.types import DType, TensorType, Type
from y10c.ops.onnx_schema import onnx_op
from y10c.ops.sample import (
    FLOATS,
    UNIT,
    Draw,
    Given,
    OpInstance,
    Request,
    attribute,
    element_type,
    keep,
    need,
    optional,
    rank_of,
)
from y10c.ops.shapes import broadcast, known, local, same_dtype, shape_of
from y10c.ops.spec import Inputs, Trait

LINEAR = frozenset({Trait.linear})


def gemm(
    a: Any, b: Any, c: Any = None, *, alpha: float = 1.0, beta: float = 1.0, transA: int = 0, transB: int = 0
) -> Any:
    """`alpha * A @ B + beta * C` with A and B transposed on demand.

    Source: ONNX operator Gemm.
    """
    product = np.matmul(a.T if transA else a, b.T if transB else b)
    result = product if alpha == 1 else product * _like(alpha, product)
    return result if c is None else result + (c if beta == 1 else c * _like(beta, c))


def _like(number: float, array: Any) -> Any:
    return number if array.dtype == np.object_ else array.dtype.type(number)


@known(2)
def _infer_gemm(inputs: Inputs, *types: TensorType) -> Sequence[Type | None] | None:
    a, b = shape_of(types[0]), shape_of(types[1])
    if len(a) != 2 or len(b) != 2:
        raise ValueError(f"Gemm multiplies matrices, not ranks {len(a)} and {len(b)}")
    rows, inner = a[::-1] if inputs.attrs.get("transA") else a
    other, columns = b[::-1] if inputs.attrs.get("transB") else b
    if isinstance(inner, int) and isinstance(other, int) and inner != other:
        raise ValueError(f"inner extents {inner} and {other} differ")
    return [TensorType(same_dtype(types), (rows, columns))]


def _sample_gemm(draw: Draw, request: Request) -> OpInstance:
    a, b = request.given(0), request.given(1)
    dtype = element_type(draw, request)
    trans_a = attribute(draw, request, "transA", (0, 1), 0)
    trans_b = attribute(draw, request, "transB", (0, 1), 0)
    rows, inner, columns = draw.shape(3)
    if a is not None:
        need(len(a.shape) == 2, "a matrix")
        rows, inner = a.shape[::-1] if trans_a else a.shape
    if b is not None:
        need(len(b.shape) == 2, "a matrix")
        other, columns = b.shape[::-1] if trans_b else b.shape
        need(a is None or other == inner, "inner extents agree")
        inner = other
    if request.result is not None:
        need(request.result.rank == 2, "a matrix")
        rows, columns = request.result.static_shape
    made_a = keep(draw, request, 0, Given(TensorType(dtype, (inner, rows) if trans_a else (rows, inner))))
    made_b = keep(
        draw,
        request,
        1,
        Given(TensorType(dtype, (columns, inner) if trans_b else (inner, columns)), None, UNIT),
    )
    given = request.given(2)
    shapes = ((columns,), (rows, columns), (1, columns), (rows, 1), ())
    shape = draw.choice(shapes, "C") if given is None else given.shape
    need(given is None or shape in shapes or np.prod(shape) == 1, "C fits")
    attrs = {
        "alpha": attribute(draw, request, "alpha", (1.0, 0.5, 2.0), 1.0),
        "transA": trans_a,
        "transB": trans_b,
    }
    c = optional(draw, request, 2, Given(TensorType(dtype, shape)))
    attrs["beta"] = attribute(draw, request, "beta", (1.0, 0.5, -2.0), 1.0)
    return OpInstance((made_a, made_b, c), attrs)


@known(2)
def _infer_matmul(inputs: Inputs, *types: TensorType) -> Sequence[Type | None] | None:
    a, b = shape_of(types[0]), shape_of(types[1])
    if not a or not b:
        raise ValueError("MatMul has no scalar operands")
    left, right = (1, *a) if len(a) == 1 else a, (*b, 1) if len(b) == 1 else b
    inner, other = left[-1], right[-2]
    if isinstance(inner, int) and isinstance(other, int) and inner != other:
        raise ValueError(f"inner extents {inner} and {other} differ")
    tail = (left[-2],) * (len(a) > 1) + (right[-1],) * (len(b) > 1)
    return [TensorType(same_dtype(types), (*broadcast(left[:-2], right[:-2]), *tail))]


def _sample_matmul(draw: Draw, request: Request) -> OpInstance:
    a, b = request.given(0), request.given(1)
    # A pattern also sees products of integers.
    integers = (DType.i32,) if request.exact and draw.integer(0, 7, "integers") == 7 else ()
    dtype = element_type(draw, request, integers or FLOATS)
    ranks = [len(g.shape) if g else rank_of(draw, request, i, (2, 3, 4, 1, 5)) for i, g in enumerate((a, b))]
    need(min(ranks) >= 1, "no scalar operands")
    rows, inner, columns = draw.shape(3)
    if a is not None:
        inner = a.shape[-1]
    elif b is not None:
        inner = b.shape[-2] if ranks[1] > 1 else b.shape[0]
    batch = _batch(draw, a, b, max(ranks) - 2)
    shape_a = a.shape if a else _operand_shape(draw, batch, ranks[0], (rows, inner), (inner,))
    shape_b = b.shape if b else _operand_shape(draw, batch, ranks[1], (inner, columns), (inner,))
    need(shape_a[-1] == (shape_b[-2] if len(shape_b) > 1 else shape_b[0]), "inner extents agree")
    try:
        np.broadcast_shapes(shape_a[:-2], shape_b[:-2])
    except ValueError:
        need(False, "batch extents broadcast")
    made_a = keep(draw, request, 0, Given(TensorType(dtype, shape_a)))
    made_b = keep(draw, request, 1, Given(TensorType(dtype, shape_b), None, UNIT))
    return OpInstance((made_a, made_b))


def _batch(draw: Draw, a: Given | None, b: Given | None, axes: int) -> tuple[int, ...]:
    known = a or b
    fixed = known.shape[:-2] if known is not None else ()
    return (*draw.shape(max(0, axes - len(fixed)), high=2), *fixed)


def _operand_shape(
    draw: Draw, batch: tuple[int, ...], rank: int, matrix: tuple[int, ...], vector: tuple[int, ...]
) -> tuple[int, ...]:
    if rank == 1:
        return vector
    lead = batch[len(batch) - (rank - 2) :] if rank > 2 else ()
    return (*(1 if draw.boolean("narrow") else d for d in lead), *matrix)


def _einsum(*arrays: Any, equation: str) -> Any:
    return np.einsum(equation, *arrays, optimize=False)


_EQUATIONS = ("ij,jk->ik", "bhwc,hkc->bhwk", "bij,bjk->bik", "bmchw,bnmc->bmhwn", "ij->ji", "i,i->")


def _sample_einsum(draw: Draw, request: Request) -> OpInstance:
    equation = attribute(draw, request, "equation", _EQUATIONS, _EQUATIONS[0])
    dtype = element_type(draw, request)
    terms = equation.partition("->")[0].replace(" ", "").split(",")
    extents: dict[str, int] = {}
    for index, term in enumerate(terms):
        given = request.given(index)
        need(given is None or len(given.shape) == len(term), "ranks fit the equation")
        extents.update(zip(term, given.shape, strict=True) if given else ())
    for letter in sorted(set("".join(terms)) - set(extents)):
        extents[letter] = draw.integer(1, 3, "extent")
    shapes = [tuple(extents[letter] for letter in term) for term in terms]
    return OpInstance(
        tuple(keep(draw, request, i, Given(TensorType(dtype, s))) for i, s in enumerate(shapes)),
        {"equation": equation},
    )


def _matmul_integer(a: Any, b: Any, a_zero: Any = None, b_zero: Any = None) -> Any:
    left, right = a.astype(np.int32), b.astype(np.int32)
    if a_zero is not None:
        zero = np.asarray(a_zero, np.int32)
        left = left - (
            zero.reshape(-1, 1)
            if zero.ndim == 1 and zero.size > 1
            else zero.reshape(())
            if zero.size == 1
            else zero
        )
    if b_zero is not None:
        zero = np.asarray(b_zero, np.int32)
        right = right - (zero.reshape(()) if zero.size == 1 else zero)
    return np.matmul(left, right)


def _sample_matmul_integer(draw: Draw, request: Request) -> OpInstance:
    rows, inner, columns = draw.shape(3)
    dtype = draw.choice((DType.u8, DType.i8), "dtype")
    a = keep(draw, request, 0, Given(TensorType(dtype, (rows, inner))))
    b = keep(draw, request, 1, Given(TensorType(dtype, (inner, columns))))
    zero_a = optional(draw, request, 2, Given(TensorType(dtype, ())))
    zero_b = optional(draw, request, 3, Given(TensorType(dtype, ())))
    return OpInstance((a, b, zero_a, zero_b))


SPECS = (
    onnx_op("Gemm", infer=local("Gemm", _infer_gemm), reference=gemm, sample=_sample_gemm, traits=LINEAR),
    onnx_op(
        "MatMul",
        infer=local("MatMul", _infer_matmul),
        reference=lambda a, b: np.matmul(a, b),
        sample=_sample_matmul,
        traits=LINEAR,
    ),
    onnx_op("Einsum", reference=_einsum, sample=_sample_einsum),
    onnx_op("MatMulInteger", reference=_matmul_integer, sample=_sample_matmul_integer),
)
"""The declarations of this family."""
