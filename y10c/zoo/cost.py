"""Size and work of a model, counted as the paper counts them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Convolution:
    """A convolution of a graph: square kernel and stride, groups, channels, and output size in pixels."""

    kernel: int
    stride: int
    groups: int
    inputs: int
    outputs: int
    height: int
    width: int

    @property
    def parameters(self) -> int:
        """Weights, and one bias for each output channel."""
        return self.outputs * (self.inputs // self.groups * self.kernel**2 + 1)

    @property
    def macs(self) -> int:
        """Multiply-adds for one image; the bias is not counted."""
        return self.outputs * self.inputs // self.groups * self.kernel**2 * self.height * self.width


@dataclass(frozen=True)
class Cost:
    """What a model holds and does for one image.

    Attributes:
        parameters: Of all convolutions.
        flops: Two for each multiply-add of a convolution. The paper's figures (table 1) are met exactly
            so, without activations, attention's products, decoding and the fixed sum over box bins.
    """

    parameters: int
    flops: int


def convolutions(model: onnx.ModelProto) -> list[Convolution]:
    """The convolutions with a bias in the graph's order; needs the types that the zoo's graphs carry."""
    infos = [*model.graph.value_info, *model.graph.output, *model.graph.input]
    shapes = {info.name: [d.dim_value for d in info.type.tensor_type.shape.dim] for info in infos}
    weights = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    made = []
    for node in model.graph.node:
        if node.op_type != "Conv" or len(node.input) < 3:
            continue
        attributes = {a.name: a for a in node.attribute}
        outputs, inner, kernel, _ = weights[node.input[1]]
        groups, stride = attributes["group"].i, attributes["strides"].ints[0]
        height, width = shapes[node.output[0]][2:]
        made.append(Convolution(kernel, stride, groups, inner * groups, outputs, height, width))
    return made


def cost(model: onnx.ModelProto) -> Cost:
    """Parameters and floating-point operations of a model."""
    found = convolutions(model)
    return Cost(sum(c.parameters for c in found), 2 * sum(c.macs for c in found))
