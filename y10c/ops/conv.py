"""Convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from y10c.ir.types import TensorType, Type
from y10c.ops import math
from y10c.ops.onnx_schema import onnx_op
from y10c.ops.sample import (
    ANY,
    UNIT,
    Draw,
    Given,
    NoInstance,
    OpInstance,
    Request,
    attribute,
    element_type,
    keep,
    need,
    optional,
    rank_of,
)
from y10c.ops.shapes import int_attr, known, local, same_dtype, shape_of, show
from y10c.ops.spec import Inputs, Trait
from y10c.ops.windows import Window


@known(2)
def _infer_conv(inputs: Inputs, *types: TensorType) -> Sequence[Type | None] | None:
    x, w = shape_of(types[0]), shape_of(types[1])
    if len(x) != len(w) or len(x) < 3:
        raise ValueError(f"input of rank {len(x)} with weights of rank {len(w)}")
    group = int_attr(inputs, "group", 1)
    if isinstance(x[1], int) and isinstance(w[1], int) and x[1] != w[1] * group:
        raise ValueError(f"input of {x[1]} channels, weights for {w[1]} x {group} groups")
    kernel = inputs.attrs.get("kernel_shape") or w[2:]
    if not all(isinstance(k, int) for k in kernel):  # type: ignore[union-attr]
        return None
    window = Window.of(inputs.attrs, kernel, x[2:])  # type: ignore[arg-type]
    if window is None:
        return None
    return [TensorType(same_dtype(types), (x[0], w[0], *window.extents(x[2:])))]


def conv(x: Any, w: Any, b: Any = None, *, group: int = 1, **attrs: Any) -> Any:
    """Convolution of [N, C, spatial...] with [M, C / group, kernel...], and a bias [M].

    Source: ONNX operator Conv.
    """
    window = Window.of(attrs, w.shape[2:], x.shape[2:])
    assert window is not None
    n, c, m = x.shape[0], x.shape[1], w.shape[0]
    patches = window.patches(x)
    extents = patches.shape[3:]
    columns = patches.reshape(-1, n, group, c // group, int(np.prod(extents, dtype=np.int64)))
    kernels = w.reshape(group, m // group, c // group, -1)
    total: Any = 0
    for tap in range(columns.shape[0]):
        total = total + np.matmul(kernels[..., tap], columns[tap])
    result = total.reshape(n, m, *extents)
    return result if b is None else result + b.reshape(-1, *(1,) * len(extents))


def _output_geometry(
    image: Sequence[int], kernel: Sequence[int], attrs: dict[str, Any]
) -> tuple[list[int], list[int], list[int], list[int]]:
    axes = len(kernel)
    strides = list(attrs.get("strides") or (1,) * axes)
    dilations = list(attrs.get("dilations") or (1,) * axes)
    extra = list(attrs.get("output_padding") or (0,) * axes)
    full = [
        (n - 1) * s + d * (k - 1) + 1 + e
        for n, s, d, k, e in zip(image, strides, dilations, kernel, extra, strict=True)
    ]
    wanted = attrs.get("output_shape")
    mode = str(attrs.get("auto_pad") or "NOTSET")
    if wanted is None and mode in ("SAME_UPPER", "SAME_LOWER"):
        wanted = [n * s for n, s in zip(image, strides, strict=True)]
    if wanted is None:
        pads = list(attrs.get("pads") or ()) if mode == "NOTSET" else []
        pads = pads or [0] * (2 * axes)
        return (
            strides,
            dilations,
            pads[:axes],
            [f - b - e for f, b, e in zip(full, pads, pads[axes:], strict=False)],
        )
    total = [max(0, f - o) for f, o in zip(full, wanted, strict=True)]
    begin = [t // 2 if mode == "SAME_UPPER" else t - t // 2 for t in total]
    return strides, dilations, begin, list(wanted)


@known(2)
def _infer_conv_transpose(inputs: Inputs, *types: TensorType) -> Sequence[Type | None] | None:
    plain = inputs.attrs.get("auto_pad", "NOTSET") == "NOTSET" and not inputs.attrs.get("output_shape")
    if not plain or not all(t.is_static for t in types):
        return None
    x, w = types[0].static_shape, types[1].static_shape
    if len(x) != len(w) or x[1] != w[0]:
        raise ValueError(f"input of shape {show(x)} with weights of shape {show(w)}")
    wanted = _output_geometry(x[2:], w[2:], dict(inputs.attrs))[3]
    return [TensorType(same_dtype(types), (x[0], w[1] * int_attr(inputs, "group", 1), *wanted))]


def conv_transpose(x: Any, w: Any, b: Any = None, *, group: int = 1, **attrs: Any) -> Any:
    """Transposed convolution of [N, C, spatial...] with [C, M / group, kernel...], and a bias [M].

    Source: ONNX operator ConvTranspose.
    """
    strides, dilations, begin, wanted = _output_geometry(x.shape[2:], w.shape[2:], attrs)
    n, c = x.shape[:2]
    each = w.shape[1]
    spatial = x.shape[2:]
    reach = [
        max((i - 1) * s + d * (k - 1) + 1, p + o)
        for i, s, d, k, p, o in zip(spatial, strides, dilations, w.shape[2:], begin, wanted, strict=True)
    ]
    result = math.full((n, group * each, *reach), 0, x)
    columns = x.reshape(n, group, c // group, -1)
    kernels = w.reshape(group, c // group, each, *w.shape[2:])
    for tap in product(*(range(k) for k in w.shape[2:])):
        part = np.matmul(kernels[(..., *tap)].swapaxes(1, 2), columns).reshape(n, group * each, *spatial)
        where = tuple(
            slice(t * d, t * d + (i - 1) * s + 1, s)
            for t, d, s, i in zip(tap, dilations, strides, spatial, strict=True)
        )
        result[(slice(None), slice(None), *where)] = result[(slice(None), slice(None), *where)] + part
    inner = tuple(slice(p, p + o) for p, o in zip(begin, wanted, strict=True))
    result = result[(slice(None), slice(None), *inner)]
    return result if b is None else result + b.reshape(-1, *(1,) * len(spatial))


def window_attrs(
    draw: Draw,
    request: Request,
    kernel: Sequence[int],
    *,
    modes: Sequence[str],
    dilate: bool = True,
    inside: bool = True,
) -> dict[str, Any]:
    """Strides, dilations and padding of a window; with `inside` the padding is less than the kernel."""
    axes = len(kernel)
    attrs: dict[str, Any] = {}
    if request.attrs.get("dilations") is not None or request.attrs.get("pads") is not None:
        modes = ("NOTSET",)
    mode = attribute(draw, request, "auto_pad", modes, "NOTSET")
    if mode != "NOTSET" or request.attrs.get("auto_pad") is not None:
        attrs["auto_pad"] = mode
    _spread(draw, request, attrs, "strides", axes)
    if dilate and mode in ("NOTSET", "VALID"):
        _spread(draw, request, attrs, "dilations", axes)
    if "pads" in request.attrs:
        attrs["pads"] = request.attrs["pads"]
    elif mode == "NOTSET" and draw.boolean("pads"):
        spread = attrs.get("dilations") or (1,) * axes
        same = tuple(d * (k - 1) // 2 for k, d in zip(kernel, spread, strict=True))
        most = [max(0, min(2, k - (1 if inside else 0))) for k in (*kernel, *kernel)]
        drawn = tuple(draw.integer(0, n, "pad") for n in most)
        attrs["pads"] = (*same, *same) if draw.boolean("same pads") else drawn
    return {k: v for k, v in attrs.items() if v is not None}


def _spread(draw: Draw, request: Request, attrs: dict[str, Any], name: str, axes: int) -> None:
    if name in request.attrs:
        attrs[name] = request.attrs[name]
    elif draw.boolean(name):
        attrs[name] = tuple(draw.integer(1, 2, name) for _ in range(axes))


def _kernel(draw: Draw, request: Request, axes: int, room: Sequence[int] | None) -> tuple[int, ...]:
    fixed = request.attrs.get("kernel_shape")
    if fixed is not None:
        return tuple(fixed)
    if draw.choice((False, False, True), "pointwise"):
        return (1,) * axes
    most = room or (3,) * axes
    return tuple(draw.integer(1, max(1, min(3, m)), "kernel") for m in most)


def sample_conv(draw: Draw, request: Request) -> OpInstance:
    """Draws a Conv: whatever of input, weights and bias is given decides the rest."""
    known_x, known_w, known_b = (request.given(i) for i in range(3))
    result = request.result
    dtype = element_type(draw, request)
    ranks = (4, 3) if result is None else (len(result.static_shape),)
    rank = len(known_w.shape) if known_w is not None else rank_of(draw, request, 0, ranks)
    need(rank >= 3 and (result is None or rank in ranks), "Conv has a spatial axis")
    group = _groups(draw, request, known_x, known_w, known_b)
    room = known_x.shape[2:] if known_x is not None else None
    kernel = known_w.shape[2:] if known_w is not None else _kernel(draw, request, rank - 2, room)
    per_group = _input_channels(draw, known_x, known_w, group)
    outputs = _output_channels(draw, group, known_w, known_b, result)
    inside = not request.exact or draw.integer(0, 7, "wide pads") < 7
    modes = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")
    attrs = window_attrs(draw, request, kernel, modes=modes, inside=inside)
    spatial = room or _input_extents(draw, attrs, kernel, result)
    _need_room(attrs, kernel, spatial)
    batch = (
        known_x.shape[0]
        if known_x is not None
        else result.static_shape[0]
        if result
        else draw.integer(1, 2, "batch")
    )
    x = keep(draw, request, 0, Given(TensorType(dtype, (batch, group * per_group, *spatial))))
    w = keep(draw, request, 1, Given(TensorType(dtype, (outputs, per_group, *kernel)), None, UNIT))
    b = optional(draw, request, 2, Given(TensorType(dtype, (outputs,))))
    if group != 1 or request.attrs.get("group") is not None:
        attrs["group"] = group
    if request.attrs.get("kernel_shape") is not None or (
        "kernel_shape" not in request.attrs and draw.boolean("kernel_shape")
    ):
        attrs["kernel_shape"] = kernel
    return OpInstance((x, w, b), attrs)


def _groups(draw: Draw, request: Request, x: Given | None, w: Given | None, b: Given | None) -> int:
    if x is not None and w is not None:
        need(len(x.shape) == len(w.shape) and w.shape[1] and x.shape[1] % w.shape[1] == 0, "channels fit")
        group = x.shape[1] // w.shape[1]
        need(w.shape[0] % group == 0, "output channels fit the groups")
        need(request.attrs.get("group") in (None, group), "group fits")
        return group
    limits = [g.shape[i] for g, i in ((x, 1), (w, 0), (b, 0)) if g is not None]
    if request.result is not None:
        limits.append(request.result.static_shape[1])
    choices = [g for g in (1, 2, 3, 4) if all(v % g == 0 for v in limits)]
    choices = choices if limits else [1, 2, 3]
    return int(attribute(draw, request, "group", choices, 1))


def _input_channels(draw: Draw, x: Given | None, w: Given | None, group: int) -> int:
    if w is not None:
        return w.shape[1]
    if x is not None:
        need(x.shape[1] % group == 0, "input channels fit the groups")
        return x.shape[1] // group
    return draw.integer(1, 3, "channels")


def _output_channels(
    draw: Draw, group: int, w: Given | None, b: Given | None, result: TensorType | None
) -> int:
    known = [g.shape[0] for g in (w, b) if g is not None]
    if result is not None:
        known.append(result.static_shape[1])
    if not known:
        return group * draw.integer(1, 3, "channels")
    need(known[0] % group == 0, "output channels fit the groups")
    return known[0]


def _input_extents(
    draw: Draw, attrs: dict[str, Any], kernel: Sequence[int], result: TensorType | None
) -> tuple[int, ...]:
    axes = len(kernel)
    window = Window.of({**attrs, "auto_pad": "NOTSET"}, kernel, (0,) * axes)
    assert window is not None
    least = [
        max(1, d * (k - 1) + 1 - p - e)
        for d, k, p, e in zip(window.dilations, kernel, window.begin, window.end, strict=True)
    ]
    if result is None:
        return tuple(m + draw.integer(0, 3, "extent") for m in least)
    if attrs.get("auto_pad", "NOTSET").startswith("SAME"):
        return tuple(o * s for o, s in zip(result.static_shape[2:], window.strides, strict=True))
    return tuple(
        (o - 1) * s + d * (k - 1) + 1 - p - e
        for o, s, d, k, p, e in zip(
            result.static_shape[2:],
            window.strides,
            window.dilations,
            kernel,
            window.begin,
            window.end,
            strict=True,
        )
    )


def _need_room(attrs: dict[str, Any], kernel: Sequence[int], spatial: Sequence[int]) -> None:
    window = Window.of(attrs, kernel, spatial)
    assert window is not None
    need(all(n >= 1 and window.extent(i, n) >= 1 for i, n in enumerate(spatial)), "the kernel fits the image")


def _sample_conv_transpose(draw: Draw, request: Request) -> OpInstance:
    known_x, known_w, known_b = (request.given(i) for i in range(3))
    dtype = element_type(draw, request)
    rank = len(known_w.shape) if known_w is not None else rank_of(draw, request, 0, (4, 3))
    need(rank >= 3, "ConvTranspose has a spatial axis")
    channels = known_x.shape[1] if known_x is not None else known_w.shape[0] if known_w is not None else None
    outputs = known_b.shape[0] if known_b is not None else None
    choices = [g for g in (1, 2) if all(v is None or v % g == 0 for v in (channels, outputs))]
    group = int(attribute(draw, request, "group", choices, 1))
    channels = channels or group * draw.integer(1, 2, "channels")
    each = (
        known_w.shape[1]
        if known_w is not None
        else (outputs // group if outputs else draw.integer(1, 2, "channels"))
    )
    kernel = known_w.shape[2:] if known_w is not None else _kernel(draw, request, rank - 2, None)
    attrs = window_attrs(draw, request, kernel, modes=("NOTSET", "VALID"))
    batch, spatial = draw.integer(1, 2, "batch"), draw.shape(rank - 2)
    if known_x is not None:
        batch, spatial = known_x.shape[0], known_x.shape[2:]
    x = keep(draw, request, 0, Given(TensorType(dtype, (batch, channels, *spatial))))
    w = keep(draw, request, 1, Given(TensorType(dtype, (channels, each, *kernel)), None, UNIT))
    b = optional(draw, request, 2, Given(TensorType(dtype, (group * each,)), None, ANY))
    strides = attrs.get("strides", ())
    if "output_padding" in request.attrs:
        attrs["output_padding"] = request.attrs["output_padding"]
    elif strides and draw.boolean("output_padding"):
        attrs["output_padding"] = tuple(draw.integer(0, s - 1, "output_padding") for s in strides)
    if group != 1 or request.attrs.get("group") is not None:
        attrs["group"] = group
    _need_output(x, w, attrs)
    return OpInstance((x, w, b), {k: v for k, v in attrs.items() if v is not None})


def _need_output(x: Given, w: Given, attrs: dict[str, Any]) -> None:
    wanted = _output_geometry(x.shape[2:], w.shape[2:], attrs)[3]
    if any(n < 1 for n in wanted):
        raise NoInstance("the padding eats the output")


SPECS = (
    onnx_op(
        "Conv",
        infer=local("Conv", _infer_conv),
        reference=conv,
        sample=sample_conv,
        traits=frozenset({Trait.linear}),
    ),
    onnx_op(
        "ConvTranspose",
        infer=local("ConvTranspose", _infer_conv_transpose),
        reference=conv_transpose,
        sample=_sample_conv_transpose,
        traits=frozenset({Trait.linear}),
    ),
)
"""The declarations of this family."""
