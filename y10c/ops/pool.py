"""Pooling over windows and over whole images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from y10c.ir.types import TensorType, Type
from y10c.ops import math
from y10c.ops.conv import window_attrs
from y10c.ops.onnx_schema import onnx_op
from y10c.ops.reduce import fold
from y10c.ops.sample import Draw, OpInstance, Request, Sampler, any_operand, attribute, need
from y10c.ops.shapes import known, local, shape_of
from y10c.ops.spec import Inputs, Trait
from y10c.ops.windows import Window


@known(1)
def _infer_pool(inputs: Inputs, x: TensorType) -> Sequence[Type | None] | None:
    if inputs.results != 1:
        return None
    shape = shape_of(x)
    window = Window.of(inputs.attrs, inputs.attrs["kernel_shape"], shape[2:])  # type: ignore[arg-type]
    if window is None or len(shape) != len(window.kernel) + 2:
        return None
    return [TensorType(x.dtype, (*shape[:2], *window.extents(shape[2:])))]


@known(1)
def _infer_global(inputs: Inputs, x: TensorType) -> Sequence[Type | None] | None:
    if len(shape_of(x)) < 3:
        return None
    shape = shape_of(x)
    return [TensorType(x.dtype, (*shape[:2], *(1,) * (len(shape) - 2)))]


def _window(x: Any, kernel_shape: Any, attrs: dict[str, Any]) -> Window:
    window = Window.of(attrs, kernel_shape, x.shape[2:])
    assert window is not None
    return window


def _average_pool(x: Any, *, kernel_shape: Any, count_include_pad: int = 0, **attrs: Any) -> Any:
    window = _window(x, kernel_shape, attrs)
    total = window.patches(x).sum(axis=0)
    inside = np.ones((1, 1, *x.shape[2:]), np.float64)
    if count_include_pad:
        # The room that only ceil_mode adds behind the padding still does not count.
        widths = [(0, 0), (0, 0), *zip(window.begin, window.end, strict=True)]
        inside = np.pad(inside, widths, constant_values=1)
        bare = Window(
            window.kernel, window.strides, window.dilations, *((0,) * len(window.kernel),) * 2, window.ceil
        )
        extents = [window.extent(i, n) for i, n in enumerate(x.shape[2:])]
        count = _counts(bare, inside, extents)
    else:
        count = window.patches(inside).sum(axis=0)
    return total / (count.astype(np.int64) if x.dtype == np.object_ else count.astype(x.dtype))


def _counts(window: Window, inside: Any, extents: Sequence[int]) -> Any:
    spatial = inside.shape[2:]
    grown = [
        (n - 1) * s + d * (k - 1) + 1
        for n, s, d, k in zip(extents, window.strides, window.dilations, window.kernel, strict=True)
    ]
    room = [(0, 0), (0, 0), *((0, max(0, g - n)) for g, n in zip(grown, spatial, strict=True))]
    padded = np.pad(inside, room)
    return np.sum([window.read(padded, tap, extents) for tap in window.taps()], axis=0)


def _max_pool(x: Any, *, kernel_shape: Any, storage_order: int = 0, outputs: int = 1, **attrs: Any) -> Any:
    window = _window(x, kernel_shape, attrs)
    if math.is_symbolic(x):
        return _symbolic_max(window, x)
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    patches = window.patches(x, lowest)
    if outputs == 1:
        return patches.max(axis=0)
    chosen = patches.argmax(axis=0)[None]
    places = window.patches(_places(x.shape, storage_order), -1)
    return patches.max(axis=0), np.take_along_axis(places, chosen, axis=0)[0]


def _places(shape: Sequence[int], storage_order: int) -> Any:
    """Index of each element among all, counted along the last spatial axis first, or (1) the first one."""
    flat = np.arange(int(np.prod(shape, dtype=np.int64))).reshape(shape)
    if not storage_order:
        return flat
    batch, channels, *spatial = shape
    backwards = flat.reshape(batch, channels, *spatial[::-1])
    return backwards.transpose(0, 1, *range(len(shape) - 1, 1, -1))


def _symbolic_max(window: Window, x: Any) -> Any:
    missing = object()
    patches = window.patches(x, missing)
    result = patches[0]
    choose = np.frompyfunc(
        lambda a, b: a if b is missing else b if a is missing else math.maximum(a, b).item(), 2, 1
    )
    for patch in patches[1:]:
        result = choose(result, patch)
    return result


def _global_average(x: Any) -> Any:
    axes = tuple(range(2, x.ndim))
    return np.sum(x, axis=axes, keepdims=True) / int(np.prod(x.shape[2:], dtype=np.int64))


def _global_max(x: Any) -> Any:
    return fold(math.maximum)(x, tuple(range(2, x.ndim)), True)


def _pool_sampler(average: bool) -> Sampler:
    def sample(draw: Draw, request: Request) -> OpInstance:
        fixed = request.attrs.get("kernel_shape")
        ranks = (len(fixed) + 2,) if fixed is not None else (4, 3)
        x = any_operand(draw, request, 0, ranks=ranks, high=draw.choice((4, 4, 6), "extents"))
        spatial = x.shape[2:]
        need(len(x.shape) >= 3 and x.dtype.is_float, "an image")
        kernel = (
            tuple(fixed)
            if fixed is not None
            else tuple(draw.integer(1, min(3, n), "kernel") for n in spatial)
        )
        need(len(kernel) == len(spatial), "the kernel fits the rank")
        attrs = window_attrs(draw, request, kernel, modes=("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"))
        attrs["kernel_shape"] = kernel
        attrs["ceil_mode"] = attribute(draw, request, "ceil_mode", (0, 1), 0)
        if average:
            choices = (0, 1)
            attrs["count_include_pad"] = attribute(draw, request, "count_include_pad", choices, 0)
        window = Window.of(attrs, kernel, spatial)
        assert window is not None
        same = str(attrs.get("auto_pad", "")).startswith("SAME")
        steps = zip(window.kernel, window.strides, strict=True)
        need(not same or all(k >= s for k, s in steps), "onnxruntime refuses the negative padding of SAME")
        need(_every_window_sees(window, spatial), "every window sees the image")
        plain = attrs.get("auto_pad", "NOTSET") == "NOTSET" and not attrs["ceil_mode"]
        indices = plain and not average and request.exact and draw.integer(0, 7, "indices") == 7
        return OpInstance((x,), attrs, 2 if indices else 1)

    return sample


def _every_window_sees(window: Window, spatial: Sequence[int]) -> bool:
    """True where no window lies in padding alone, in which case the average would divide by zero."""
    for axis, size in enumerate(spatial):
        reach = window.dilations[axis] * (window.kernel[axis] - 1) + 1
        if size + window.begin[axis] + window.end[axis] < reach:
            return False
        for i in range(window.extent(axis, size)):
            start = i * window.strides[axis] - window.begin[axis]
            taps = (start + t * window.dilations[axis] for t in range(window.kernel[axis]))
            if not any(0 <= t < size for t in taps):
                return False
    return True


def _sample_global(draw: Draw, request: Request) -> OpInstance:
    x = any_operand(draw, request, 0, ranks=(4, 3))
    need(len(x.shape) >= 3 and x.dtype.is_float, "an image")
    return OpInstance((x,))


LINEAR = frozenset({Trait.linear})
SPECS = (
    onnx_op(
        "MaxPool",
        infer=local("MaxPool", _infer_pool),
        reference=_max_pool,
        counts_results=True,
        sample=_pool_sampler(average=False),
        traits=frozenset({Trait.shares_scale}),
    ),
    onnx_op(
        "AveragePool",
        infer=local("AveragePool", _infer_pool),
        reference=_average_pool,
        sample=_pool_sampler(average=True),
        traits=LINEAR,
    ),
    onnx_op(
        "GlobalAveragePool",
        infer=local("GlobalAveragePool", _infer_global),
        reference=_global_average,
        sample=_sample_global,
        traits=LINEAR,
    ),
    onnx_op(
        "GlobalMaxPool",
        infer=local("GlobalMaxPool", _infer_global),
        reference=_global_max,
        sample=_sample_global,
        traits=frozenset({Trait.shares_scale}),
    ),
)
"""The declarations of this family."""
