"""Height and width of feature maps, followed from the input where ONNX's shape inference gives up.

Exporters compute slice bounds from `Shape`; what comes behind them then has symbolic dims, although
convolutions and poolings leave no doubt.
"""

from __future__ import annotations

from y10c.ir.graph import Graph
from y10c.ir.value import Op, Value

Extent = tuple[int, int]
ASSUMED: Extent = (640, 640)
"""Stands for an input of open extents, so that strides can be told all the same."""

_SAME = frozenset(
    (
        *("Add", "Mul", "Sub", "Div", "Max", "Min", "Pow", "Concat", "Split", "Slice", "BatchNormalization"),
        *("Sigmoid", "Relu", "LeakyRelu", "Clip", "HardSwish", "HardSigmoid", "Tanh", "Softplus", "Mish"),
        *("Identity", "Cast", "QuantizeLinear", "DequantizeLinear", "y10c.SiLU"),
    )
)
"""Ops that keep the extents of a 4-D operand (`Slice` and `Split` cut channels inside a network)."""


class Extents:
    """Extents of values of one graph, remembered."""

    def __init__(self, graph: Graph) -> None:
        self._known: dict[Value, Extent | None] = {}
        for op in graph.ops:
            for result in op.results:
                self._known[result] = self._declared(result) or self._followed(op)

    def of(self, value: Value | None) -> Extent | None:
        """Height and width of an NCHW value; None where it is not known to be one."""
        if value is None or value.is_constant:
            return None
        if value.producer is None:
            return input_extent(value)
        return self._known.get(value)

    @staticmethod
    def _declared(value: Value) -> Extent | None:
        shape = value.shape
        if shape is None or len(shape) != 4:
            return None
        height, width = shape[2:]
        return (height, width) if isinstance(height, int) and isinstance(width, int) else None

    def _followed(self, op: Op) -> Extent | None:
        if op.name in ("Conv", "MaxPool", "AveragePool"):
            extent = self.of(op.operand(0))
            return None if extent is None else _windowed(op, extent)
        if op.name == "Resize":
            return self._resized(op)
        if op.name in _SAME:
            return next((e for v in op.operands if (e := self.of(v)) is not None), None)
        return None

    def _resized(self, op: Op) -> Extent | None:
        extent, scales, sizes = self.of(op.operand(0)), op.operand(2), op.operand(3)
        if sizes is not None and sizes.is_constant and sizes.numpy().size == 4:
            height, width = (int(n) for n in sizes.numpy()[2:])
            return height, width
        if extent is None or scales is None or not scales.is_constant or scales.numpy().size != 4:
            return None
        return tuple(int(n * s) for n, s in zip(extent, scales.numpy()[2:], strict=True))  # type: ignore[return-value]


def input_extent(value: Value) -> Extent | None:
    """Height and width of a graph input, assumed where open; NHWC where only that has few channels."""
    shape = value.shape
    if shape is None or len(shape) != 4:
        return None
    channels_last = shape[1] not in _CHANNELS and shape[3] in _CHANNELS
    sides = shape[1:3] if channels_last else shape[2:]
    height, width = (d if isinstance(d, int) and d > 0 else a for d, a in zip(sides, ASSUMED, strict=True))
    return height, width


_CHANNELS = (1, 3)
"""Channels of pictures."""


def _windowed(op: Op, extent: Extent) -> Extent | None:
    kernel = _kernel(op)
    if len(kernel) != 2:
        return None
    strides, dilations = op.attr("strides") or (1, 1), op.attr("dilations") or (1, 1)
    if op.attr("auto_pad", "NOTSET") in ("SAME_UPPER", "SAME_LOWER"):
        return -(-extent[0] // strides[0]), -(-extent[1] // strides[1])
    pads = op.attr("pads") or (0, 0, 0, 0)
    height, width = (
        (extent[i] + pads[i] + pads[i + 2] - dilations[i] * (kernel[i] - 1) - 1) // strides[i] + 1
        for i in range(2)
    )
    return height, width


def _kernel(op: Op) -> tuple[int, ...]:
    given = op.attr("kernel_shape")
    if given is not None:
        return tuple(given)
    weight = op.operand(1)
    shape = weight.shape if weight is not None else None
    return tuple(d for d in (shape or ())[2:] if isinstance(d, int))
