"""Convolutions and pools: lifted to images, cut into smaller ones, steps and dilation mended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from y10c.ir.value import Value
from y10c.ops.windows import Window
from y10c.passes.canonicalize.extents import dims, extents
from y10c.passes.legalize.build import along_batch, piece, reduce, reshape, transpose
from y10c.passes.legalize.guard import LegalizePass
from y10c.rewrite import Rewriter, Rule, decline, op, rule, variables

x, W, B, b = variables("x W B b")
POOLS = ("MaxPool", "AveragePool")
GLOBAL_POOLS = ("GlobalAveragePool", "GlobalMaxPool")
conv = op.Conv(x, W, B.optional(), bind="conv")


def window_of(view: Any, kernel: Sequence[int], shape: tuple[int, ...]) -> Window:
    """The sliding window of an op over an input of known extents, padding as numbers."""
    window = Window.of(view.attrs, kernel, shape[2:])
    assert window is not None
    return window


def attrs_of(view: Any, window: Window, **changes: Any) -> dict[str, Any]:
    """The attributes of an op with its padding written out, and changes."""
    pads = (*window.begin, *window.end)
    return {**view.attrs, "auto_pad": None, "pads": pads, **changes}


# --- to images ---


def _image(rw: Rewriter, value: Value) -> Value:
    made: Value = rw.op.Unsqueeze(value, np.asarray([2], np.int64))
    return made


def _sequence(rw: Rewriter, value: Value) -> Any:
    return rw.op.Squeeze(value, np.asarray([2], np.int64))


_LIFTED = {"kernel_shape": 1, "strides": 1, "dilations": 1, "output_padding": 0}


def lifted(attrs: dict[str, Any]) -> dict[str, Any]:
    """Attributes of a window over a sequence for an image of one row."""
    new = {n: (_LIFTED[n], *v) if n in _LIFTED else v for n, v in attrs.items()}
    if "pads" in attrs:
        begin, end = attrs["pads"]
        new["pads"] = (0, begin, 0, end)
    return new


@rule(match=op.Conv(x, W.ranked(3), B.optional(), bind="conv"))
def lift_conv_1d(rw: Rewriter, m: Any) -> Any:
    """A Conv over a sequence is one over an image of one row."""
    made = rw.op.Conv(_image(rw, m.x), m.W[:, :, None], m.B, **lifted(m.conv.attrs))
    return _sequence(rw, made)


@rule(match=op.ConvTranspose(x, W.ranked(3), B.optional(), bind="conv"))
def lift_conv_transpose_1d(rw: Rewriter, m: Any) -> Any:
    """A ConvTranspose over a sequence is one over an image of one row."""
    if m.conv.attrs.get("output_shape") is not None:
        return decline("its extents are given as such")
    made = rw.op.ConvTranspose(_image(rw, m.x), m.W[:, :, None], m.B, **lifted(m.conv.attrs))
    return _sequence(rw, made)


@rule(match=op.any_of(*POOLS, *GLOBAL_POOLS)(x, bind="pool"))
def lift_pool_1d(rw: Rewriter, m: Any) -> Any:
    """A pooling over a sequence is one over an image of one row."""
    if len(dims(m.x)) != 3:
        return decline("it is over images")
    return _sequence(rw, rw.op[m.root.name](_image(rw, m.x), **lifted(m.pool.attrs)))


# --- into parts ---


@rule(match=conv)
def split_large_kernel(rw: Rewriter, m: Any) -> Any:
    """A Conv with a large kernel is the sum of two with its halves."""
    window = window_of(m.conv, m.W.shape[2:], extents(m.x))
    if max(window.kernel) < 2:
        return decline("the kernel is a point")
    axis = int(np.argmax(window.kernel))
    half = window.kernel[axis] // 2
    first, last = np.split(m.W, [half], axis=axis + 2)
    front = _shifted(rw, m, window, axis, (0, -(window.kernel[axis] - half) * window.dilations[axis]))
    back = _shifted(rw, m, window, axis, (-half * window.dilations[axis], 0))
    if front is None or back is None:
        return decline("half of the kernel would see padding alone")
    left = rw.op.Conv(front[0], rw.const(first), **front[1])
    return rw.op.Add(left, rw.op.Conv(back[0], rw.const(last), m.B, **back[1]))


def _shifted(
    rw: Rewriter, m: Any, window: Window, axis: int, grow: tuple[int, int]
) -> tuple[Value, dict[str, Any]] | None:
    """What a part of the kernel reads, and its attributes, where padding grows by `grow` along an axis.

    None where it reads nothing of the image.
    """
    begin, end = window.begin[axis] + grow[0], window.end[axis] + grow[1]
    size = m.x.tensor_type.static_shape[axis + 2]
    if size + min(0, begin) + min(0, end) <= 0:
        return None
    value = m.x
    if min(begin, end) < 0:
        value = piece(rw, m.x, axis + 2, max(0, -begin), size + min(0, end))
    begins, ends = list(window.begin), list(window.end)
    begins[axis], ends[axis] = max(0, begin), max(0, end)
    attrs = {**m.conv.attrs, "auto_pad": None, "pads": (*begins, *ends)}
    attrs.pop("kernel_shape", None)
    return value, attrs


@rule(match=op.Conv(x, W, B.optional(), bind="conv", group=1))
def split_input_channels(rw: Rewriter, m: Any) -> Any:
    """A Conv of many channels is the sum of two of half of them each."""
    half = m.W.shape[1] // 2
    if not half:
        return decline("it reads one channel")
    first, last = np.split(m.W, [half], axis=1)
    left = rw.op.Conv(piece(rw, m.x, 1, 0, half), rw.const(first), **m.conv.attrs)
    right = rw.op.Conv(piece(rw, m.x, 1, half, m.W.shape[1]), rw.const(last), m.B, **m.conv.attrs)
    return rw.op.Add(left, right)


@rule(match=op.Conv(x, W, B.optional(), bind="conv", group=1))
def split_output_channels(rw: Rewriter, m: Any) -> Any:
    """A Conv that gives many channels is two that give half of them each."""
    half = m.W.shape[0] // 2
    if not half:
        return decline("it gives one channel")
    biases = (None, None) if m.B is None else (m.B[:half], m.B[half:])
    weights = (m.W[:half], m.W[half:])
    parts = [rw.op.Conv(m.x, w, c, **m.conv.attrs) for w, c in zip(weights, biases, strict=True)]
    return rw.op.Concat(*parts, axis=1)


@rule(match=op.any_of("Conv", "ConvTranspose")(x, W, b.optional(), bind="op"))
def split_batch(rw: Rewriter, m: Any) -> Any:
    """A convolution of a large batch is two of half of it each."""
    batch = extents(m.x)[0]
    if batch < 2:
        return decline("it is of one sample")
    half = batch // 2
    parts = [piece(rw, m.x, 0, start, stop) for start, stop in ((0, half), (half, batch))]
    made = [rw.op[m.root.name](part, m.value("W"), m.b, **m.op.attrs) for part in parts]
    return along_batch(rw, made)


# --- steps, dilation, extents ---


@rule(match=op.Conv(x, W.ranked(4), B.optional(), bind="conv"), dearer=True)
def stride_to_channels(rw: Rewriter, m: Any) -> Any:
    """A Conv in steps is one without, of blocks of pixels moved into channels."""
    shape = extents(m.x)
    window = window_of(m.conv, m.W.shape[2:], shape)
    if max(window.strides) < 2 or max(window.dilations) > 1:
        return decline("it does not step, or is dilated")
    blocks = [-(-k // s) for k, s in zip(window.kernel, window.strides, strict=True)]
    value = m.x
    for axis, (step, count) in enumerate(zip(window.strides, blocks, strict=True)):
        length = (window.extent(axis, shape[axis + 2]) - 1 + count) * step
        value = _of_length(rw, value, axis + 2, window.begin[axis], length)
    kernel = np.pad(
        m.W,
        [(0, 0), (0, 0)]
        + [(0, n * s - k) for n, s, k in zip(blocks, window.strides, window.kernel, strict=True)],
    )
    steps = tuple(window.strides)
    moved = reshape(rw, *_blocked(rw, value, steps))
    weight = _blocked_array(kernel, steps)
    return rw.op.Conv(moved, rw.const(weight), m.B, group=m.conv.group)


def _of_length(rw: Rewriter, x: Value, axis: int, front: int, length: int) -> Value:
    """`x` with zeros in front, and cut or padded behind to a length."""
    size = x.tensor_type.static_shape[axis]
    kept = min(size, length - front)
    value = x if kept == size else piece(rw, x, axis, 0, kept)
    behind = length - front - kept
    if not front and not behind:
        return value
    pads = np.zeros(2 * len(x.tensor_type.static_shape), np.int64)
    pads[axis], pads[axis + len(pads) // 2] = front, behind
    made: Value = rw.op.Pad(value, rw.const(pads))
    return made


def _blocked(rw: Rewriter, x: Value, steps: tuple[int, ...]) -> tuple[Value, tuple[int, ...]]:
    n, c, h, w = x.tensor_type.static_shape
    high, wide = steps
    parts = reshape(rw, x, (n, c, h // high, high, w // wide, wide))
    return transpose(rw, parts, 0, 1, 3, 5, 2, 4), (n, c * high * wide, h // high, w // wide)


def _blocked_array(kernel: Any, steps: tuple[int, ...]) -> Any:
    n, c, h, w = kernel.shape
    high, wide = steps
    parts = kernel.reshape(n, c, h // high, high, w // wide, wide).transpose(0, 1, 3, 5, 2, 4)
    return parts.reshape(n, c * high * wide, h // high, w // wide)


@rule(match=conv, dearer=True)
def pad_for_dilation(rw: Rewriter, m: Any) -> Any:
    """The input of a dilated Conv is padded to multiples of the dilation, and the result cut."""
    shape, out = extents(m.x), extents(m.root.results[0])
    window = window_of(m.conv, m.W.shape[2:], shape)
    missing = [-n % d for n, d in zip(shape[2:], window.dilations, strict=True)]
    if not any(missing):
        return decline("the extents are multiples of the dilation")
    ends = [max(0, e - n) for e, n in zip(window.end, missing, strict=True)]
    pads = np.asarray([0] * (len(shape) + 2) + missing, np.int64)
    attrs = attrs_of(m.conv, window, pads=(*window.begin, *ends))
    value = rw.op.Conv(rw.op.Pad(m.x, pads), rw.const(m.W), m.B, **attrs)
    for axis in range(2, len(out)):
        if value.tensor_type.static_shape[axis] != out[axis]:
            value = piece(rw, value, axis, 0, out[axis])
    return value


@rule(match=op.any_of(*POOLS)(x, bind="pool", ceil_mode=1))
def pool_ceil_to_pads(rw: Rewriter, m: Any) -> Any:
    """A pooling that rounds its extents up is one that rounds down, with padding behind."""
    shape, out = extents(m.x), extents(m.root.results[0])
    window = window_of(m.pool, m.pool.kernel_shape, shape)
    if m.root.name == "AveragePool" and m.pool.count_include_pad:
        return decline("padding would be counted")
    ends = []
    for axis, size in enumerate(shape[2:]):
        reach = window.dilations[axis] * (window.kernel[axis] - 1) + 1
        needed = (out[axis + 2] - 1) * window.strides[axis] + reach - size - window.begin[axis]
        ends.append(max(0, needed))
    if any(e >= k for e, k in zip(ends, window.kernel, strict=True)):
        return decline("a window would see padding alone")
    attrs = attrs_of(m.pool, window, pads=(*window.begin, *ends), ceil_mode=0)
    made = rw.op[m.root.name](m.x, **attrs)
    return made if made.tensor_type.shape == out else decline("a window would be gained")


@rule(match=op.MaxPool(x, bind="pool", ceil_mode=0))
def split_large_max_pool(rw: Rewriter, m: Any) -> Any:
    """A MaxPool with a large window is one after another with windows of half its size, as in SPPF."""
    window = window_of(m.pool, m.pool.kernel_shape, extents(m.x))
    if max(window.kernel) < 3 or max(window.dilations) > 1:
        return decline("the window is small or dilated")
    first = [(k + 1) // 2 if k > 2 else k for k in window.kernel]
    last = [k - f + 1 for k, f in zip(window.kernel, first, strict=True)]
    if any(p >= f for f, *pads in zip(first, window.begin, window.end, strict=True) for p in pads):
        return decline("a window of the first one would see padding alone")
    value = rw.op.MaxPool(m.x, kernel_shape=first, pads=(*window.begin, *window.end))
    return rw.op.MaxPool(value, kernel_shape=last, strides=window.strides)


@rule(match=op.GlobalMaxPool(x))
def global_max_pool_to_reduce_max(rw: Rewriter, m: Any) -> Any:
    """A GlobalMaxPool is a maximum along the width and one along the height."""
    return reduce(rw, "ReduceMax", m.x, range(2, len(dims(m.x))))


@dataclass(frozen=True)
class LegalizeWindows(LegalizePass):
    """Lift convolutions and pools to images, cut them into smaller ones, mend steps and dilation."""

    name: ClassVar[str] = "legalize-windows"
    rules: ClassVar[Sequence[Rule]] = (
        lift_conv_1d,
        lift_conv_transpose_1d,
        lift_pool_1d,
        split_batch,
        stride_to_channels,
        split_large_kernel,
        split_input_channels,
        split_output_channels,
        pad_for_dilation,
        pool_ceil_to_pads,
        split_large_max_pool,
        global_max_pool_to_reduce_max,
    )
