"""Convolutions that take in a Pad, each other, or their parallel branches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from y10c.rewrite import Rewriter, Rule, const, decline, op, rule, variables
from y10c.rewrite.passes import RulePass

x, W, B, V = variables("x W B V")
W2, B2, PADS = const("W2"), const("B2"), const("PADS")


def pads_of(conv: Any, spatial: int) -> list[int] | None:
    """Explicit pads `[begin..., end...]` of a Conv, or None where they follow from `auto_pad`."""
    if conv.auto_pad == "VALID":
        return [0] * 2 * spatial
    if conv.auto_pad != "NOTSET":
        return None
    return list(conv.attrs.get("pads", [0] * 2 * spatial))


@rule(
    match=op.Conv(
        op.Pad(x, PADS, V.optional(0), mode="constant", single_use=True), W, B.optional(), bind="conv"
    )
)
def fold_pad_into_conv(rw: Rewriter, m: Any) -> Any:
    """A Pad with zeros is part of the Conv behind it."""
    spatial = m.W.ndim - 2
    own, begin, end = pads_of(m.conv, spatial), m.PADS[: spatial + 2], m.PADS[spatial + 2 :]
    if own is None or len(m.PADS) != 2 * (spatial + 2):
        return decline("the pads of the Conv or of the Pad are not explicit")
    if np.any(m.V) or np.any(m.PADS < 0) or begin[:2].any() or end[:2].any():
        return decline("the Pad crops, is not of zeros, or pads batch or channels")
    pads = [int(a + b) for a, b in zip(own, [*begin[2:], *end[2:]], strict=True)]
    attrs = {**m.conv.attrs, "pads": pads, "auto_pad": "NOTSET"}
    return rw.op.Conv(m.x, rw.const(m.W), None if m.B is None else rw.const(m.B), **attrs)


def pointwise(conv: Any, weight: Any) -> bool:
    """True for a 1x1 Conv of stride 1 without pads or groups."""
    pads = pads_of(conv, weight.ndim - 2)
    return (
        all(k == 1 for k in weight.shape[2:])
        and conv.group == 1
        and pads is not None
        and not any(pads)
        and all(s == 1 for s in conv.attrs.get("strides", ()))
    )


@rule(
    match=op.Conv(
        op.Conv(x, W, B.optional(0), bind="first", single_use=True), W2, B2.optional(0), bind="last"
    )
)
def merge_pointwise_convs(rw: Rewriter, m: Any) -> Any:
    """Two 1x1 Convs in a row are one, where that is not more work."""
    if not (pointwise(m.first, m.W) and pointwise(m.last, m.W2)):
        return decline("one of them is not a plain 1x1 Conv")
    inner, outer = m.W.reshape(m.W.shape[:2]), m.W2.reshape(m.W2.shape[:2])
    if outer.shape[0] * inner.shape[1] > outer.size + inner.size:
        return decline("the merged Conv would be more work: the channels between are a bottleneck")
    bias = outer @ bias_of(m.B, m.W) + bias_of(m.B2, m.W2)
    return rw.op.Conv(
        m.x, rw.const((outer @ inner).reshape(*outer.shape[:1], *m.W.shape[1:])), rw.const(bias)
    )


@rule(
    match=op.Add(
        op.Conv(x, W, B.optional(0), bind="left", single_use=True),
        op.Conv(x, W2, B2.optional(0), bind="right", single_use=True),
    )
)
def merge_parallel_convs(rw: Rewriter, m: Any) -> Any:
    """Two Convs of one input, added, are one Conv (RepVGG, arXiv 2101.03697)."""
    if m.W.shape[:2] != m.W2.shape[:2] or not same_steps(m.left, m.right, m.W.ndim - 2):
        return decline("channels, groups, strides or dilations differ")
    large, small = ("W", "W2") if m.W.size >= m.W2.size else ("W2", "W")
    big, little = (m.left, m.right) if large == "W" else (m.right, m.left)
    kernel = embed(getattr(m, small), getattr(m, large).shape, little, big)
    if kernel is None:
        return decline("the smaller kernel does not lie inside the larger one")
    return rw.op.Conv(
        m.x,
        rw.const(getattr(m, large) + kernel),
        rw.const(bias_of(m.B, m.W) + bias_of(m.B2, m.W2)),
        **big.attrs,
    )


def bias_of(bias: Any, weight: Any) -> Any:
    """The bias as `[M]` in the weight's type, zeros where there is none."""
    return np.broadcast_to(np.asarray(bias, weight.dtype), weight.shape[:1])


def same_steps(a: Any, b: Any, spatial: int) -> bool:
    """True where two Convs have equal groups, strides and dilations."""
    ones = (1,) * spatial
    return a.group == b.group and all(
        tuple(a.attrs.get(n, ones)) == tuple(b.attrs.get(n, ones)) for n in ("strides", "dilations")
    )


def embed(kernel: Any, shape: tuple[int, ...], little: Any, big: Any) -> Any:
    """The kernel at its place in zeros of `shape`, or None where the two read the image at other places."""
    spatial = len(shape) - 2
    inner, outer = pads_of(little, spatial), pads_of(big, spatial)
    if inner is None or outer is None:
        return None
    dilations = big.attrs.get("dilations", (1,) * spatial)
    shifts = [(o - i, d) for o, i, d in zip(outer, inner, (*dilations, *dilations), strict=True)]
    if any(shift < 0 or shift % d for shift, d in shifts):
        return None
    before = [s // d for s, d in shifts[:spatial]]
    after = [s // d for s, d in shifts[spatial:]]
    fits = all(b + k + a == n for b, k, a, n in zip(before, kernel.shape[2:], after, shape[2:], strict=True))
    return np.pad(kernel, [(0, 0), (0, 0), *zip(before, after, strict=True)]) if fits else None


@dataclass(frozen=True)
class MergeConvs(RulePass):
    """Merge convolutions with pads, with each other and with parallel branches."""

    name: ClassVar[str] = "merge-convs"
    rules: ClassVar[Sequence[Rule]] = (fold_pad_into_conv, merge_pointwise_convs, merge_parallel_convs)
