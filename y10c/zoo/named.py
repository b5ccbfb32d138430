"""Zoo models by name, for commands that look at the structure of a model and not at its numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

import numpy as np
import onnx

from y10c.zoo import tail
from y10c.zoo.arrays import Parameters
from y10c.zoo.blocks import Role, backbone_and_neck, head
from y10c.zoo.graph import OnnxTape, Tensor, Writer
from y10c.zoo.scores import BRANCHES
from y10c.zoo.variants import VARIANTS

NAMES = tuple(f"yolov10{variant}" for variant in VARIANTS)
"""What can be given instead of a file."""

SIZE, CLASSES, REG_MAX, OPSET = 640, 80, 16, 17


def file_or_named(name: str) -> Path | onnx.ModelProto:
    """The file of that name, or where there is none, the zoo model as `structure` gives it."""
    path = Path(name)
    return path if path.exists() or name not in NAMES else structure(name.removeprefix("yolov10"))


def structure(variant: str) -> onnx.ModelProto:
    """A zoo model, end to end at 640x640, whose weights are noise.

    `y10c.zoo.yolov10` runs images to give weights that behave like trained ones; where nothing is computed,
    that is time for nothing.
    """
    tape = NoiseTape(Writer(OPSET), {})
    image = Tensor("images", (1, 3, SIZE, SIZE))
    features = backbone_and_neck(tape, VARIANTS[variant], image)
    logits = head(tape, features, branch=BRANCHES["one2one"], classes=CLASSES, reg_max=REG_MAX)
    made = tail.detections(tape, tail.decoded(tape, logits, corners=True))
    return tape.writer.model(f"yolov10{variant}", image, [tape.writer.rename(made, "output0")])


@dataclass
class NoiseTape(OnnxTape):
    """Writes nodes as `OnnxTape` does, and draws the weights that they ask for."""

    parameters: dict[str, Parameters] = field(default_factory=dict)

    def conv(
        self,
        name: str,
        x: Tensor,
        out: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        *,
        role: Role = Role.ACTIVATED,
    ) -> Tensor:
        """See `Tape`."""
        rng = np.random.default_rng(crc32(name.encode()))
        shape = (out, x.shape[1] // groups, kernel, kernel)
        weight, bias = rng.random(shape, np.float32), rng.random(out, np.float32)
        self.parameters[name] = Parameters(weight, bias)
        return super().conv(name, x, out, kernel, stride, groups, role=role)
