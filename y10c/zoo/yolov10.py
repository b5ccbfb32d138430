"""The public builder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import onnx

from y10c.errors import UnknownNameError, UsageError
from y10c.zoo import tail
from y10c.zoo.blocks import backbone_and_neck, head
from y10c.zoo.graph import OnnxTape, Tensor, Writer
from y10c.zoo.scores import BRANCHES
from y10c.zoo.variants import VARIANTS
from y10c.zoo.weights import sized

Heads = Literal["one2one", "one2many", "dual"]
Output = Literal["e2e", "decoded", "raw"]
OPSETS = range(13, 24)
"""Opsets that models can be written in."""


def yolov10(
    variant: str = "n",
    *,
    size: int = 640,
    heads: Heads = "one2one",
    output: Output = "e2e",
    seed: int = 0,
    classes: int = 80,
    reg_max: int = 16,
    opset: int = 17,
    batch: int = 1,
) -> onnx.ModelProto:
    """YOLOv10 with seeded weights that behave like trained ones, BatchNorm folded (arXiv 2405.14458).

    The input `images` is `[batch, 3, size, size]` float32, RGB in 0..1. The outputs, all float32:

    ========= ==============================================================================================
    `raw`     `cls8, box8, cls16, box16, cls32, box32`: logits `[batch, size/s, size/s, classes | 4*reg_max]`
    `decoded` `output0` `[batch, 4 + classes, anchors]`: box in pixels, then probabilities
    `e2e`     `output0` `[batch, 300, 6]`: x1, y1, x2, y2 in pixels, score, class; best first, no NMS needed
    ========= ==============================================================================================

    Decoded boxes are corners (x1, y1, x2, y2) in the one-to-one head and center and size in the one-to-many
    head, each as that head is deployed. `dual` adds the one-to-many head's outputs: `one2many_cls8` and so on
    before the others with `raw`, as training graphs return them, else `output1`, decoded.

    Weights depend on the variant, the seed, the classes and the bins only; just the bias of the class
    logits also follows the number of anchors, so that a handful score above 0.25 at every size.

    Args:
        variant: One of n, s, m, b, l, x.
        size: Height and width of the input in pixels, a multiple of 32.
        heads: Which branches of the detection head to keep.
        output: How far the graph goes past the logits.
        seed: Seed of the weights.
        classes: Number of classes.
        reg_max: Bins of a box side's distance distribution.
        opset: ONNX opset, see `OPSETS`.
        batch: Images at once.

    Raises:
        UnknownNameError: No such variant, heads or output.
        UsageError: A number out of range, or `e2e` of the one-to-many head, which needs NMS.
    """
    _check(variant, heads, output, size, opset)
    _check_positive(seed=seed + 1, classes=classes, reg_max=reg_max - 1, batch=batch)
    tape = OnnxTape(Writer(opset), sized(variant, size, seed=seed, classes=classes, reg_max=reg_max))
    image = Tensor("images", (batch, 3, size, size))
    features = backbone_and_neck(tape, VARIANTS[variant], image)
    outputs: list[Tensor] = []
    for branch in ("one2one", "one2many") if heads == "dual" else (heads,):
        logits = head(tape, features, branch=BRANCHES[branch], classes=classes, reg_max=reg_max)
        made = _finish(tape, logits, branch, output, first=not outputs)
        outputs = [*made, *outputs] if output == "raw" else [*outputs, *made]
    return tape.writer.model(f"yolov10{variant}", image, outputs)


def _check(variant: str, heads: str, output: str, size: int, opset: int) -> None:
    choices = [("model", variant, list(VARIANTS)), ("heads", heads, [*get_args(Heads)])]
    for kind, name, known in [*choices, ("output", output, [*get_args(Output)])]:
        if name not in known:
            raise UnknownNameError(kind, name, known)
    if heads == "one2many" and output == "e2e":
        raise UsageError(
            "the one-to-many head has no e2e output",
            help="it needs NMS: take output='decoded' or heads='one2one'",
        )
    if size < 32 or size % 32:
        raise UsageError(f"an input of {size} pixels does not suit YOLOv10", help="take a multiple of 32")
    if opset not in OPSETS:
        raise UsageError(f"opset {opset} is not supported", help=f"{OPSETS[0]} to {OPSETS[-1]} are")


def _check_positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise UsageError(f"{name} is too small", help="see the documentation of y10c.zoo.yolov10")


def _finish(
    tape: OnnxTape, logits: tail.Logits, branch: str, output: Output, *, first: bool
) -> Sequence[Tensor]:
    """The outputs of one branch of the head."""
    if output == "raw":
        return tail.raw(tape, logits, "" if first else f"{branch}_")
    one_to_one = branch == "one2one"
    made = tail.decoded(tape, logits, corners=one_to_one)
    if output == "e2e" and one_to_one:
        made = tail.detections(tape, made)
    return [tape.writer.rename(made, "output0" if first else "output1")]
