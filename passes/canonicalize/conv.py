"""Convolutions that take in each other, or their parallel branches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from y10c.passes.canonicalize.batchnorm import STATISTICS, one_type, scale_and_shift
from y10c.passes.canonicalize.extents import extents
from y10c.passes.canonicalize.pads import pads_of
from y10c.rewrite import Rewriter, Rule, const, decline, op, rule, variables
from y10c.rewrite.passes import RulePass

x, W, B = variables("x W B")
W2, B2 = const("W2"), const("B2")


def pointwise(conv: Any, weight: Any) -> bool:
    """True for a 1x1 Conv of stride 1 without pads; automatic ones are zero there."""
    plain = not any(conv.attrs.get("pads", ())) and all(s == 1 for s in conv.attrs.get("strides", ()))
    return plain and all(k == 1 for k in weight.shape[2:])


@rule(
    match=op.Conv(
        op.Conv(x, W, B.optional(0), bind="first", single_use=True, group=1),
        W2,
        B2.optional(0),
        bind="last",
        group=1,
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
        return decline("channels (and with them groups), strides or dilations differ")
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
    """True where two Convs have equal strides and dilations."""
    ones = (1,) * spatial
    return all(tuple(a.attrs.get(n, ones)) == tuple(b.attrs.get(n, ones)) for n in ("strides", "dilations"))


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


@rule(match=op.Add(op.Conv(x, W, B.optional(0), bind="conv", single_use=True), x))
def merge_conv_and_shortcut(rw: Rewriter, m: Any) -> Any:
    """A Conv and its own input, added, are one Conv (RepVGG, arXiv 2101.03697)."""
    kernel = identity_kernel(m)
    if kernel is None:
        return decline("no kernel of that size passes the image on")
    return rw.op.Conv(m.x, rw.const(m.W + kernel), rw.const(bias_of(m.B, m.W)), **m.conv.attrs)


@rule(
    match=op.Add(
        op.Conv(x, W, B.optional(0), bind="conv", single_use=True),
        op.BatchNormalization(x, *STATISTICS, bind="bn", training_mode=0),
    )
)
def merge_conv_and_batchnorm(rw: Rewriter, m: Any) -> Any:
    """A Conv and a BatchNormalization of one input, added, are one Conv (RepVGG, arXiv 2101.03697)."""
    kernel = identity_kernel(m)
    if kernel is None or not one_type(m):
        return decline("no kernel of that size passes the image on, or it is of another type")
    scale, shift = scale_and_shift(m)
    weight = m.W + kernel * scale.reshape(-1, *[1] * (m.W.ndim - 1))
    return rw.op.Conv(m.x, rw.const(weight), rw.const(bias_of(m.B, m.W) + shift), **m.conv.attrs)


def identity_kernel(m: Any) -> Any:
    """Weights like `m.W` with which `m.conv` passes its input `m.x` on, or None where there are none."""
    spatial = m.W.ndim - 2
    ones = (1,) * spatial
    pads = pads_of(m.conv, spatial)
    strided = any(s != 1 for s in m.conv.attrs.get("strides", ones))
    if pads is None or strided or extents(m.x) != extents(m.conv.result):
        return None
    taps = [divmod(p, d) for p, d in zip(pads, m.conv.attrs.get("dilations", ones), strict=False)]
    if any(rest for _, rest in taps):
        return None
    kernel = np.zeros(m.W.shape, m.W.dtype)
    channels = np.arange(m.W.shape[0])
    kernel[(channels, channels % m.W.shape[1], *(tap for tap, _ in taps))] = 1
    return kernel


@dataclass(frozen=True)
class MergeConvs(RulePass):
    """Merge convolutions with each other and with parallel branches."""

    name: ClassVar[str] = "merge-convs"
    rules: ClassVar[Sequence[Rule]] = (
        merge_pointwise_convs,
        merge_parallel_convs,
        merge_conv_and_shortcut,
        merge_conv_and_batchnorm,
    )
