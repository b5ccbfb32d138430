"""`raw`: the logits themselves, NHWC, class then box by ascending stride."""

from __future__ import annotations

from y10c.ir.types import Dim
from y10c.ir.value import Value
from y10c.passes.head.recognize import Head, Scale, channels
from y10c.rewrite.rewriter import Rewriter

NCHW_TO_NHWC = (0, 2, 3, 1)


def fold_raw(rewriter: Rewriter, head: Head) -> None:
    """Let the logits leave the graph; everything that is read no more goes."""
    declare_shapes(rewriter, head)
    maps = {
        f"{role}{scale.stride}": value
        for scale in head.scales
        for role, value in (("cls", scale.cls.result), ("box", scale.box.result))
    }
    outputs = [_nhwc(rewriter, value) for value in maps.values()]
    rewriter.set_outputs(outputs, list(maps))
    for value, name in zip(outputs, maps, strict=True):
        value.name = name
    rewriter.erase_dead()


def declare_shapes(rewriter: Rewriter, head: Head) -> None:
    """Say the shapes of the logits where shape inference did not find them."""
    if not head.static:
        return
    for scale in head.scales:
        _declare(rewriter, scale, head.batch)


def _declare(rewriter: Rewriter, scale: Scale, batch: Dim) -> None:
    for op in (scale.cls, scale.box):
        shape = (batch, channels(op), *scale.extent)
        rewriter.set_type(op.result, op.result.tensor_type.with_(shape=shape))


def _nhwc(rewriter: Rewriter, value: Value) -> Value:
    with rewriter.before(rewriter.graph.terminator):
        moved: Value = rewriter.op.Transpose(value, perm=NCHW_TO_NHWC)
    return moved
