"""Class scores as trained heads give them: most anchors far below, a handful above 0.25, hardly one certain.

What the last convolutions of random weights give is measured on generated images by onnxruntime, and then
moved: the logits of each branch are scaled so that their upper end falls off at one rate in every network,
and shifted so that the wanted number of anchors passes at the size that is asked for. What is read off is
rounded to a grid, so that another machine should yield the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from y10c.zoo import tail
from y10c.zoo.arrays import Array, Parameters
from y10c.zoo.blocks import backbone_and_neck, head
from y10c.zoo.graph import OnnxTape, Tensor, Writer
from y10c.zoo.images import noise_images
from y10c.zoo.variants import DETECTED, VARIANTS

BRANCHES: Mapping[str, str] = {"one2one": "one2one_", "one2many": ""}
"""Prefix of the names of each branch of the head."""

# All below: assumed, to resemble trained detectors; the tests state what follows from them.
LOWEST_SCORE = 0.25
DETECTIONS = 8  # anchors that pass the lowest score in an image
TAIL_SHARE = 0.02
MEAN_EXCESS = 0.8  # by how much the best logits of that share of the anchors exceed the others, on average
PIXELS = 2 * 640**2  # run for one measurement
MOST_IMAGES = 8
SPREAD_SIZE = 320  # pixels of the images on which the rate is measured

OPSET = 17


def evened(
    parameters: Mapping[str, Parameters], variant: str, *, seed: int, classes: int, reg_max: int
) -> dict[str, Parameters]:
    """The parameters with class logits whose upper end falls off at the wanted rate."""
    best = best_logits(parameters, variant, SPREAD_SIZE, seed=seed, classes=classes, reg_max=reg_max)
    changed = dict(parameters)
    for branch, values in best.items():
        level = float(np.quantile(values, 1 - TAIL_SHARE))
        excess = float((values[values > level] - level).mean())
        factor = np.float32(round(MEAN_EXCESS / excess * 256) / 256)
        for name in class_convs(branch):
            old = parameters[name]
            changed[name] = Parameters(old.weight * factor, old.bias * factor)
    return changed


def biased(
    parameters: Mapping[str, Parameters], variant: str, size: int, *, seed: int, classes: int, reg_max: int
) -> dict[str, Parameters]:
    """The parameters with class biases by which the wanted number of anchors scores high."""
    best = best_logits(parameters, variant, size, seed=seed, classes=classes, reg_max=reg_max)
    changed = dict(parameters)
    for branch, values in best.items():
        passing = np.sort(values)[-min(_images(size) * DETECTIONS, len(values))]
        wanted = np.log(LOWEST_SCORE / (1 - LOWEST_SCORE))
        offset = np.float32(round(float(wanted - passing) * 64) / 64)
        for name in class_convs(branch):
            changed[name] = replace(parameters[name], bias=parameters[name].bias + offset)
    return changed


def class_convs(branch: str) -> list[str]:
    """The names of the convolutions that give a branch's class logits."""
    return [f"{tail.DETECT}.{BRANCHES[branch]}cv3.{i}.2" for i in range(len(DETECTED))]


def best_logits(
    parameters: Mapping[str, Parameters], variant: str, size: int, *, seed: int, classes: int, reg_max: int
) -> dict[str, Array]:
    """The best class logit of every anchor of a few generated images, by branch."""
    import onnxruntime

    tape = OnnxTape(Writer(OPSET), parameters)
    image = Tensor("images", (1, 3, size, size))
    features = backbone_and_neck(tape, VARIANTS[variant], image)
    outputs = []
    for prefix in BRANCHES.values():
        logits = head(tape, features, branch=prefix, classes=classes, reg_max=reg_max)
        outputs += [cls for cls, _ in logits.values()]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    data = tape.writer.model(f"yolov10{variant}", image, outputs).SerializeToString()
    session: Any = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    images = noise_images(_images(size), size, seed=seed)
    runs = [session.run(None, {image.name: images[i : i + 1]}) for i in range(len(images))]
    best = [[x.max(axis=1).ravel() for x in run] for run in runs]
    scales = len(DETECTED)
    return {
        branch: np.concatenate([m for run in best for m in run[i * scales : (i + 1) * scales]])
        for i, branch in enumerate(BRANCHES)
    }


def _images(size: int) -> int:
    """How many images are run at a size."""
    return min(MOST_IMAGES, PIXELS // size**2) or 1
