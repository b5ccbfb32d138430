"""A Pad in front of a window op is part of the op."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar

import numpy as np

from y10c.rewrite import Rewriter, Rule, any_of, const, decline, op, rule, var, variables
from y10c.rewrite.passes import RulePass

x, W, B = var("x").ranked(3, 4, 5), *variables("W B")
PADS = const("PADS")
ZEROS = op.Pad(x, PADS, mode="constant"), op.Pad(x, PADS, 0.0, mode="constant")


def pads_of(window: Any, spatial: int) -> list[int] | None:
    """Explicit pads `[begin..., end...]` of a Conv or pooling, or None where they follow from `auto_pad`."""
    if window.auto_pad == "VALID":
        return [0] * 2 * spatial
    if window.auto_pad != "NOTSET":
        return None
    return list(window.attrs.get("pads", [0] * 2 * spatial))


def with_pads(window: Any, pads: Any) -> dict[str, Any] | None:
    """The attributes of a window op that pads as a Pad before it did too, or None where it cannot.

    Args:
        window: The Conv or pooling.
        pads: Of the Pad, `[begin..., end...]` over all axes.
    """
    begin, end = pads.reshape(2, -1)
    own = pads_of(window, len(begin) - 2)
    if own is None or np.any(pads < 0) or np.any(begin[:2]) or np.any(end[:2]):
        return None
    more = [*begin[2:], *end[2:]]
    return {
        **window.attrs,
        "auto_pad": "NOTSET",
        "pads": [int(a + b) for a, b in zip(own, more, strict=True)],
    }


@rule(match=op.Conv(any_of(*ZEROS), W, B.optional(), bind="conv"))
def fold_pad_into_conv(rw: Rewriter, m: Any) -> Any:
    """A Pad with zeros is part of the Conv behind it."""
    attrs = with_pads(m.conv, m.PADS)
    if attrs is None:
        return decline("the Pad crops, or pads batch or channels, or the Conv pads by itself")
    return rw.op.Conv(m.x, rw.const(m.W), None if m.B is None else rw.const(m.B), **attrs)


@rule(match=op.AveragePool(any_of(*ZEROS), bind="pool", ceil_mode=0))
def fold_pad_into_average_pool(rw: Rewriter, m: Any) -> Any:
    """A Pad with zeros is part of the AveragePool behind it, which counts them."""
    attrs = pool_pads(m)
    if attrs is None:
        return decline("the Pad crops, or pads batch or channels, or as far as the pooling reaches")
    if not m.pool.count_include_pad and any(m.pool.attrs.get("pads", ())):
        return decline("the pooling pads too, and does not count its own pads")
    return rw.op.AveragePool(m.x, **{**attrs, "count_include_pad": 1})


@rule(
    match=op.MaxPool(
        any_of(
            op.Pad(x, PADS, -inf, mode="constant"),
            op.Pad(op.Relu(x), PADS, mode="constant"),
            op.Pad(op.Relu(x), PADS, 0.0, mode="constant"),
        ),
        bind="pool",
        ceil_mode=0,
    )
)
def fold_pad_into_max_pool(rw: Rewriter, m: Any) -> Any:
    """A Pad with the least number, or with zeros behind a Relu, is part of the MaxPool behind it."""
    attrs = pool_pads(m)
    if attrs is None:
        return decline("the Pad crops, or pads batch or channels, or as far as the pooling reaches")
    return rw.op.MaxPool(m.pool.op.operands[0].producer.operands[0], **attrs)


def pool_pads(m: Any) -> dict[str, Any] | None:
    """The attributes of a pooling with the pads of the Pad before it, or None where it cannot have them.

    A window may not lie in padding alone: onnxruntime refuses pads as large as the kernel.
    """
    attrs = with_pads(m.pool, m.PADS)
    spread = set(m.pool.attrs.get("dilations", ())) - {1}
    if attrs is None or spread:
        return None
    reach = [*m.pool.kernel_shape, *m.pool.kernel_shape]
    return attrs if all(pad < k for pad, k in zip(attrs["pads"], reach, strict=True)) else None


@dataclass(frozen=True)
class FoldPads(RulePass):
    """Take a Pad into the window op behind it."""

    name: ClassVar[str] = "fold-pads"
    rules: ClassVar[Sequence[Rule]] = (
        fold_pad_into_conv,
        fold_pad_into_average_pool,
        fold_pad_into_max_pool,
    )
