"""The head as raw maps for a chip, or as a tail that decodes the survivors only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

from y10c.detect.head_info import METADATA_KEY, HeadInfo
from y10c.diagnostics import warn
from y10c.errors import ModelError, UnknownNameError
from y10c.ir.graph import Graph
from y10c.passes.head.e2e import fold_e2e
from y10c.passes.head.raw import fold_raw
from y10c.passes.head.recognize import Head, decode_tail, find_head, recognize
from y10c.passes.head.trial import decodes_like_yolo
from y10c.quant.plan import Tail
from y10c.rewrite.passes import Pass, PassContext
from y10c.rewrite.rewriter import Rewriter

NAME = "fold-head"
MODES = ("auto", "raw", "e2e", "keep")

NO_HEAD = "no detection head was recognised, so the outputs stay as they are"
OTHER_DECODING = "what looks like a YOLO head decodes its logits otherwise, so the outputs stay as they are"
CALLERS_NMS = "suppressing overlapping boxes (NMS) is now the caller's task"
NO_ONE2ONE = "the one-to-many head needs NMS, so there is no e2e form; it was folded to raw"
ONE2ONE_OR_NMS = "export the one-to-one head, if the network has one, or suppress boxes after decoding (NMS)"
ASSUMED_ONE2ONE = "nothing in the graph says that the head needs no NMS; e2e takes that for granted"


def fold_head(graph: Graph, mode: str = "raw", rewriter: Rewriter | None = None) -> HeadInfo:
    """Rewrite the detection head of a graph.

    `raw` gives class and box logits of each scale, NHWC, as outputs `cls8, box8, cls16 …`. `e2e` keeps
    `[batch, 300, 6]` (x1, y1, x2, y2 in pixels, score, class), but ranks logits first and decodes only what
    survives. `keep` changes nothing; `auto` is `raw` where there is a head, and quiet where there is none.
    The branch that is not kept is dropped with all that only feeds it.
    The description is also left in the graph's metadata.

    Args:
        graph: The graph, changed in place; left as it is where no head is recognised.
        mode: `auto`, `raw`, `e2e` or `keep`.
        rewriter: Through which to change it.

    Raises:
        UnknownNameError: There is no such mode.
        ModelError: `e2e` for an input of open extents; a head whose parts cannot be told apart.
    """
    if mode not in MODES:
        raise UnknownNameError("head", mode, list(MODES))
    mode = "raw" if mode == "auto" else mode
    head = recognize(graph) if mode == "keep" else find_head(graph)
    if head is None:
        return HeadInfo("none", notes=(NO_HEAD,))
    done, notes = _agreed(head, mode)
    if done != "keep" and decodes_like_yolo(graph, head, describe(graph, head)) is False:
        return HeadInfo("none", notes=(OTHER_DECODING,))
    if done != "keep":
        rewriter = rewriter or Rewriter(graph, by=NAME)
        with rewriter.transaction():
            _FOLDS[done](rewriter, head)
    info = replace(describe(graph, head, done), notes=notes)
    graph.info.metadata[METADATA_KEY] = info.to_json()
    return info


_FOLDS: dict[str, Callable[[Rewriter, Head], None]] = {"raw": fold_raw, "e2e": fold_e2e}


def _agreed(head: Head, mode: str) -> tuple[str, tuple[str, ...]]:
    """What is done for a wish, and what to say about it."""
    if mode == "e2e" and head.branch == "one2many":
        return "raw", (NO_ONE2ONE, CALLERS_NMS, *head.assumed)
    if mode == "e2e" and not head.static:
        raise ModelError(
            "the anchors of an input of open extents are not known",
            code="Y3004",
            help="give its extents, as in --shape images=1x3x640x640, or fold to raw",
        )
    if mode == "e2e" and head.branch == "unknown":
        return mode, (ASSUMED_ONE2ONE, *head.assumed)
    if mode == "raw" and head.branch == "one2many":
        return mode, (CALLERS_NMS, *head.assumed)
    return mode, head.assumed


def describe(graph: Graph, head: Head, mode: str = "keep") -> HeadInfo:
    """How to decode the outputs that a graph has now.

    Args:
        graph: The graph after folding.
        head: What was recognised in it before.
        mode: What was done.
    """
    told = graph.info.metadata.get(METADATA_KEY)
    known = HeadInfo.from_json(told) if told else None
    branch = known.branch if known is not None and head.branch == "unknown" else head.branch
    needs_nms = {"one2one": False, "one2many": mode == "raw" or head.kind != "nms"}.get(branch)
    return HeadInfo(
        kind=head.kind,
        mode=mode,
        branch=branch,
        classes=head.classes,
        reg_max=head.reg_max,
        distribution=head.distribution,
        bins=head.bins,
        strides=tuple(s.stride for s in head.scales),
        extents=tuple(s.extent for s in head.scales),
        input_size=head.input_size,
        outputs=tuple(graph.output_names),
        needs_nms=False if mode == "e2e" else needs_nms,
        detections=_rows(graph) if mode != "raw" else 0,
    )


def _rows(graph: Graph) -> int:
    shape = graph.outputs[0].shape or ()
    return shape[1] if len(shape) == 3 and shape[2] == 6 and isinstance(shape[1], int) else 0


@dataclass(frozen=True)
class FoldHead(Pass):
    """Fold a YOLO detection head: to logits (`raw`), to ranking before decoding (`e2e`), or not (`keep`).

    `auto` is `raw` for detectors, and has nothing to say to other networks.
    """

    name: ClassVar[str] = NAME
    keeps_interface: ClassVar[bool] = False

    mode: str = "raw"

    def run(self, graph: Graph, context: PassContext) -> None:
        """Leave `HeadInfo`, and `Tail` for quantization, in the context; warn of what is not as asked."""
        info = fold_head(graph, self.mode, Rewriter(graph, context.listeners, by=self.name))
        context.tables[HeadInfo] = info
        context.tables[Tail] = Tail(decode_tail(graph))
        if info.found and info.mode == ("raw" if self.mode == "auto" else self.mode):
            context.applied[self.name] += 1
        elif self.mode != "keep" and (self.mode, info.notes) != ("auto", (NO_HEAD,)):
            where = None if graph.info.path is None else str(graph.info.path)
            help = ONE2ONE_OR_NMS if info.found else "y10c info MODEL shows what is recognised"
            warn("Y5006", info.notes[0], where=where, help=help)
