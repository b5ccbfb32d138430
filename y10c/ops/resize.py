"""Resize: the interpolation of images, axis by axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from y10c.ir.tensor import Array
from y10c.ir.types import Dim, DType, TensorType, Type
from y10c.ops.onnx_schema import onnx_op
from y10c.ops.sample import Draw, OpInstance, Request, any_operand, attribute, constant, keep, need
from y10c.ops.shapes import int_list, ints_attr, known, local, shape_of
from y10c.ops.spec import Inputs, Trait


def source_positions(mode: str, source: int, target: int, scale: float) -> Array:
    """Where each of `target` output elements lies on an axis of `source` input elements.

    Source: ONNX operator Resize, attribute coordinate_transformation_mode.
    """
    out = np.arange(target, dtype=np.float64)
    if mode == "asymmetric":
        return out / scale
    if mode == "align_corners":
        return out * (source - 1) / (target - 1) if target > 1 else np.zeros(target)
    if mode == "pytorch_half_pixel" and target == 1:
        return np.zeros(target)
    offset = 0.0
    if mode == "half_pixel_symmetric":
        offset = source / 2 * (1 - target / (scale * source))
    return offset + (out + 0.5) / scale - 0.5


@known(1)
def _infer_resize(inputs: Inputs, x: TensorType) -> Sequence[Type | None] | None:
    if inputs.attrs.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        return None
    source, sizes = shape_of(x), int_list(inputs, 3)
    scales = inputs.constants[2] if len(inputs.constants) > 2 else None
    told = sizes or (None if scales is None else scales.numpy().tolist())
    axes = [a % len(source) for a in ints_attr(inputs, "axes") or range(len(source))]
    if told is None or len(told) != len(axes):
        return None
    dims: list[Dim] = list(source)
    for axis, number in zip(axes, told, strict=True):
        dims[axis] = int(number) if sizes else _scaled(source[axis], number)
    return [TensorType(x.dtype, tuple(dims))]


def _scaled(extent: Dim, scale: float) -> Dim:
    if isinstance(extent, int):
        return int(np.floor(extent * scale))
    return extent if scale == 1 else None


_ROUNDINGS: dict[str, Any] = {
    "round_prefer_floor": lambda p: np.ceil(p - 0.5),
    "round_prefer_ceil": lambda p: np.floor(p + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def _linear_taps(positions: Array, source: int) -> list[tuple[Array, Array]]:
    low = np.floor(positions)
    fraction = positions - low
    return [(low, 1 - fraction), (low + 1, fraction)]


def _cubic_taps(positions: Array, a: float, source: int, exclude_outside: bool) -> list[tuple[Array, Array]]:
    """Source: R. Keys, Cubic Convolution Interpolation for Digital Image Processing, 1981."""
    low = np.floor(positions)
    taps = []
    for offset in (-1, 0, 1, 2):
        d = np.abs(positions - (low + offset))
        near = ((a + 2) * d - (a + 3)) * d * d + 1
        far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
        weight = np.where(d <= 1, near, np.where(d < 2, far, 0))
        if exclude_outside:
            weight = np.where((low + offset < 0) | (low + offset >= source), 0, weight)
        taps.append((low + offset, weight))
    total = sum(w for _, w in taps)
    return [(p, w / total) for p, w in taps] if exclude_outside else taps


def _matrix(positions: Array, source: int, attrs: Mapping[str, Any]) -> Array:
    """Weights of every input element in every output element: [target, source]."""
    if attrs["mode"] == "nearest":
        taps = [(_ROUNDINGS[attrs["nearest_mode"]](positions), np.ones_like(positions))]
    elif attrs["mode"] == "linear":
        taps = _linear_taps(positions, source)
    else:
        taps = _cubic_taps(positions, attrs["cubic_coeff_a"], source, bool(attrs["exclude_outside"]))
    matrix = np.zeros((len(positions), source))
    rows = np.arange(len(positions))
    for place, weight in taps:
        np.add.at(matrix, (rows, np.clip(place, 0, source - 1).astype(np.int64)), weight)
    return matrix


def _targets(
    shape: Sequence[int], scales: Any, sizes: Any, attrs: Mapping[str, Any]
) -> list[tuple[int, int, float]] | None:
    """Axis, output extent and scale of every resized axis; None where the policy is not handled here."""
    axes = [int(a) % len(shape) for a in attrs.get("axes") or range(len(shape))]
    if sizes is not None and np.asarray(sizes).size:
        if attrs["keep_aspect_ratio_policy"] != "stretch":
            return None
        return [(a, int(n), int(n) / shape[a]) for a, n in zip(axes, sizes, strict=True)]
    return [(a, int(np.floor(shape[a] * float(s))), float(s)) for a, s in zip(axes, scales, strict=True)]


def resize(x: Any, roi: Any = None, scales: Any = None, sizes: Any = None, **attrs: Any) -> Any:
    """Interpolation to another size; NotImplemented for crops, antialiasing and kept aspect ratios.

    Source: ONNX operator Resize.
    """
    mode = attrs["coordinate_transformation_mode"]
    targets = _targets(x.shape, scales, sizes, attrs)
    if targets is None or attrs["antialias"] or mode == "tf_crop_and_resize":
        return NotImplemented
    for axis, target, scale in targets:
        source = x.shape[axis]
        if target == source and scale == 1:
            continue
        positions = source_positions(mode, source, target, scale)
        matrix = _matrix(positions, source, attrs)
        if attrs["mode"] == "nearest":
            x = np.take(x, matrix.argmax(axis=1), axis)
        else:
            weights = matrix if x.dtype == np.object_ else matrix.astype(x.dtype)
            x = np.moveaxis(np.tensordot(weights, x, (1, axis)), 0, axis)
    return x


_COORDINATES = ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric")


_AXES = (None, None, None, None, (2, 3), (-2, -1))


def _sample_resize(draw: Draw, request: Request) -> OpInstance:
    x = any_operand(draw, request, 0, ranks=(4,), high=4)
    need(len(x.shape) == 4 and x.dtype is DType.f32, "an image")
    attrs: dict[str, Any] = {
        "mode": attribute(draw, request, "mode", ("nearest", "linear", "cubic"), "nearest"),
        "coordinate_transformation_mode": attribute(
            draw, request, "coordinate_transformation_mode", _COORDINATES, "half_pixel"
        ),
    }
    if attrs["mode"] == "nearest":
        modes = ("round_prefer_floor", "floor", "ceil", "round_prefer_ceil")
        attrs["nearest_mode"] = attribute(draw, request, "nearest_mode", modes, modes[0])
    given = [request.given(i) for i in (1, 2, 3)]
    axes = request.attrs.get("axes") if any(given) else attribute(draw, request, "axes", _AXES, None)
    if axes is not None:
        need(tuple(a % 4 for a in axes) == (2, 3), "rows and columns")
        attrs["axes"] = axes
    kept = 0 if axes is None else 2
    if any(given):
        return OpInstance((x, *given), attrs)
    if (request.exact and len(request.operands) < 4) or not draw.boolean("sizes"):
        factors = [draw.choice((2.0, 1.0, 0.5, 3.0), "scale") for _ in range(2)]
        need(all(n * f >= 1 for n, f in zip(x.shape[2:], factors, strict=True)), "something is left")
        return OpInstance(
            (x, None, keep(draw, request, 2, constant([1, 1, *factors][kept:], DType.f32))), attrs
        )
    sizes = (*x.shape[:2], *(_new_extent(draw, n) for n in x.shape[2:]))
    return OpInstance((x, None, None, keep(draw, request, 3, constant(sizes[kept:]))), attrs)


def _new_extent(draw: Draw, extent: int) -> int:
    """Half, the same, double, or anything small."""
    whole = (extent * 2, extent, extent // 2) if extent % 2 == 0 else (extent * 2, extent)
    return draw.choice(whole, "extent") if draw.boolean("whole factor") else draw.integer(1, 6, "extent")


SPECS = (
    onnx_op(
        "Resize",
        infer=local("Resize", _infer_resize),
        reference=resize,
        sample=_sample_resize,
        traits=frozenset({Trait.linear}),
    ),
)
"""The declarations of this family."""
