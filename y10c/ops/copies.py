"""Copies of elements: repeated, rearranged between channels and image, or passed through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from y10c.ir.types import DType, TensorType, Type
from y10c.ops import math
from y10c.ops.elementwise import unary_sampler
from y10c.ops.onnx_schema import onnx_op
from y10c.ops.sample import (
    Draw,
    Given,
    OpInstance,
    Request,
    any_operand,
    attribute,
    constant,
    element_type,
    keep,
    need,
    optional,
)
from y10c.ops.shape import ELEMENTS, MOVES
from y10c.ops.shapes import broadcast, int_attr, int_list, known, local, same_as_first, shape_of
from y10c.ops.spec import Inputs, Trait


@known(1)
def _infer_expand(inputs: Inputs, x: TensorType) -> Sequence[Type | None] | None:
    target = int_list(inputs, 1)
    if target is None:
        return None
    return [TensorType(x.dtype, broadcast(shape_of(x), target))]


def _expand(x: Any, shape: Any) -> Any:
    target = np.broadcast_shapes(x.shape, tuple(int(d) for d in shape))
    return np.broadcast_to(x, target).copy()


def _sample_expand(draw: Draw, request: Request) -> OpInstance:
    x = any_operand(draw, request, 0, dtypes=ELEMENTS, high=2)
    if request.given(1) is not None:
        return OpInstance((x, request.given(1)))
    grown = [draw.integer(1, 3, "extent") if d == 1 else draw.choice((d, 1), "extent") for d in x.shape]
    lead = draw.shape(draw.integer(0, 1, "rank"))
    return OpInstance((x, keep(draw, request, 1, constant([*lead, *grown]))))


@known(1)
def _infer_tile(inputs: Inputs, x: TensorType) -> Sequence[Type | None] | None:
    repeats = int_list(inputs, 1)
    if repeats is None or len(repeats) != len(shape_of(x)):
        return None
    dims = (
        d * r if isinstance(d, int) else d if r == 1 else None
        for d, r in zip(shape_of(x), repeats, strict=True)
    )
    return [TensorType(x.dtype, tuple(dims))]


def _tile(x: Any, repeats: Any) -> Any:
    return np.tile(x, [int(r) for r in repeats])


def _sample_tile(draw: Draw, request: Request) -> OpInstance:
    x = any_operand(draw, request, 0, dtypes=ELEMENTS, ranks=(2, 1, 3))
    if request.given(1) is not None:
        return OpInstance((x, request.given(1)))
    return OpInstance((x, keep(draw, request, 1, constant(draw.shape(len(x.shape))))))


@known(1)
def _infer_depth_to_space(inputs: Inputs, x: TensorType) -> Sequence[Type | None] | None:
    if not x.is_static or x.rank != 4:
        return None
    (n, c, h, w), block = x.static_shape, int_attr(inputs, "blocksize", 1)
    return [TensorType(x.dtype, (n, c // (block * block), h * block, w * block))]


@known(1)
def _infer_space_to_depth(inputs: Inputs, x: TensorType) -> Sequence[Type | None] | None:
    if not x.is_static or x.rank != 4:
        return None
    (n, c, h, w), block = x.static_shape, int_attr(inputs, "blocksize", 1)
    return [TensorType(x.dtype, (n, c * block * block, h // block, w // block))]


def _depth_to_space(x: Any, *, blocksize: int, mode: str = "DCR") -> Any:
    n, c, h, w = x.shape
    b, depth = blocksize, c // blocksize**2
    if mode == "DCR":
        parts = x.reshape(n, b, b, depth, h, w).transpose(0, 3, 4, 1, 5, 2)
    else:
        parts = x.reshape(n, depth, b, b, h, w).transpose(0, 1, 4, 2, 5, 3)
    return parts.reshape(n, depth, h * b, w * b)


def _space_to_depth(x: Any, *, blocksize: int, mode: str = "DCR") -> Any:
    n, c, h, w = x.shape
    b = blocksize
    order = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
    parts = x.reshape(n, c, h // b, b, w // b, b).transpose(order)
    return parts.reshape(n, c * b * b, h // b, w // b)


def _sample_depth_to_space(draw: Draw, request: Request) -> OpInstance:
    block = int(attribute(draw, request, "blocksize", (2, 1), 2))
    mode = attribute(draw, request, "mode", ("DCR", "CRD"), "DCR")
    x = _blocked(draw, request, (1, block * block, 1, 1))
    return OpInstance((x,), {"blocksize": block, "mode": mode})


def _sample_space_to_depth(draw: Draw, request: Request) -> OpInstance:
    block = int(attribute(draw, request, "blocksize", (2, 1), 2))
    return OpInstance((_blocked(draw, request, (1, 1, block, block)),), {"blocksize": block})


def _blocked(draw: Draw, request: Request, factors: Sequence[int]) -> Given:
    given = request.given(0)
    shape = tuple(f * draw.integer(1, 2, "extent") for f in factors)
    shape = given.shape if given is not None else shape
    need(len(shape) == 4 and all(d % f == 0 for d, f in zip(shape, factors, strict=True)), "blocks fit")
    return keep(draw, request, 0, Given(TensorType(element_type(draw, request), shape)))


def _identity(x: Any) -> Any:
    return x


def _dropout(x: Any, ratio: Any = None, training: Any = None, **_: Any) -> Any:
    """What inference does; NotImplemented for training, which is random."""
    if training is not None and np.any(training):
        return NotImplemented
    return x, math.full(x.shape, True, np.zeros((), np.bool_))


def _sample_dropout(draw: Draw, request: Request) -> OpInstance:
    x = any_operand(draw, request, 0)
    need(x.dtype.is_float, "floats")
    ratio = optional(draw, request, 1, Given(TensorType(DType.f32, ()), np.asarray(0.5, np.float32)))
    # Training is random, so only a pattern that names it sees it.
    trained = request.exact and draw.boolean("training")
    training = optional(draw, request, 2, Given(TensorType(DType.bool, ()), np.asarray(trained)))
    if training is not None and ratio is None and not request.exact:
        training = None
    return OpInstance((x, ratio, training), {}, 2 if request.exact and draw.boolean("mask") else 1)


SPECS = (
    onnx_op(
        "Expand", infer=local("Expand", _infer_expand), reference=_expand, sample=_sample_expand, traits=MOVES
    ),
    onnx_op("Tile", infer=local("Tile", _infer_tile), reference=_tile, sample=_sample_tile, traits=MOVES),
    onnx_op(
        "DepthToSpace",
        infer=local("DepthToSpace", _infer_depth_to_space),
        reference=_depth_to_space,
        sample=_sample_depth_to_space,
        traits=MOVES,
    ),
    onnx_op(
        "SpaceToDepth",
        infer=local("SpaceToDepth", _infer_space_to_depth),
        reference=_space_to_depth,
        sample=_sample_space_to_depth,
        traits=MOVES,
    ),
    onnx_op(
        "Identity",
        infer=local("Identity", lambda inputs: [inputs.types[0]]),
        reference=_identity,
        sample=unary_sampler(dtypes=ELEMENTS),
        traits=MOVES | {Trait.elementwise, Trait.linear, Trait.monotone},
    ),
    onnx_op(
        "Dropout",
        infer=local("Dropout", same_as_first),
        reference=_dropout,
        sample=_sample_dropout,
        traits=MOVES | {Trait.elementwise},
    ),
)
"""The declarations of this family."""
