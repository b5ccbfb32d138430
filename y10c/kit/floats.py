"""The float model of a kit: the quantized one without its Q/DQ pairs, so that it carries our weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx

from y10c.backend.exporter import export_model
from y10c.calib.color import Array
from y10c.errors import InternalError
from y10c.frontend.importer import load
from y10c.ir.graph import Graph
from y10c.ir.tensor import Tensor
from y10c.ir.types import DType
from y10c.ir.value import Op, Value
from y10c.rewrite.rewriter import Rewriter

PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


@dataclass(frozen=True)
class WeightGrid:
    """How far the vendor's own quantizer inherits the integers of a weight.

    Its step is the greatest magnitude of a channel over 127 (published: S3), which is ours exactly where the
    channel's greatest integer is 127.

    Args:
        node: Whose weight.
        channels: Output channels.
        inherited: Those whose integers come out the same.
    """

    node: str
    channels: int
    inherited: int


def float_model(quantized: onnx.ModelProto, optimized: onnx.ModelProto) -> onnx.ModelProto:
    """A stage model without quantization, under the names and in the opset of the optimized float model.

    Args:
        quantized: The calibrated or the quantized stage.
        optimized: The optimized float stage.

    Raises:
        InternalError: The two do not hold the same nodes.
    """
    graph = load(quantized)
    strip(graph)
    _take_names(graph, load(optimized))
    opset = next(one.version for one in optimized.opset_import if one.domain in ("", "ai.onnx"))
    model = export_model(graph, opset=opset)
    ours = [(node.name, node.op_type) for node in model.graph.node]
    theirs = [(node.name, node.op_type) for node in optimized.graph.node]
    if sorted(ours) != sorted(theirs):
        raise InternalError("the kit's float model and the optimized one do not hold the same nodes")
    return model


def strip(graph: Graph) -> None:
    """Take out every Q/DQ pair; dequantized constants become float constants."""
    rewriter = Rewriter(graph, by="kit")
    for op in list(graph.ops):
        if op.name != "DequantizeLinear":
            continue
        source = op.operands[0]
        assert source is not None
        if source.is_constant:
            rewriter.replace(op, graph.constant(Tensor.of(dequantized(op))))
        elif source.producer is not None and source.producer.name == "QuantizeLinear":
            rewriter.replace(op, _unquantized(source.producer))
    rewriter.erase_dead()


def _unquantized(op: Op) -> Value:
    value = op.operands[0]
    assert value is not None
    return value


def dequantized(op: Op) -> Array:
    """The float32 array that a DequantizeLinear of constants gives."""
    integers, scale = (_numbers(op, index) for index in (0, 1))
    zero = _numbers(op, 2) if op.operand(2) is not None else np.zeros_like(scale)
    axis = int(op.attr("axis", 1))
    shape = [1] * integers.ndim
    if scale.ndim == 1:
        shape[axis] = scale.size
    wide = integers.astype(np.float64) - zero.astype(np.float64).reshape(shape if zero.ndim else ())
    made: Array = (wide * scale.astype(np.float64).reshape(shape if scale.ndim else ())).astype(np.float32)
    return made


def _numbers(op: Op, index: int) -> Array:
    value = op.operands[index]
    assert value is not None
    return value.numpy()


def _take_names(graph: Graph, named: Graph) -> None:
    """Constants of an op get the names that they have in the other graph."""
    known = {op.location: op for op in named.ops if op.location}
    rewriter = Rewriter(graph, by="kit")
    for op in list(graph.ops):
        other = known.get(op.location)
        for index, value in enumerate(op.operands):
            twin = other.operand(index) if other is not None else None
            if value is None or not value.is_constant or twin is None or not twin.is_constant:
                continue
            if twin.name and value.name != twin.name and value.tensor is not None:
                rewriter.set_operand(op, index, graph.named_constant(value.tensor, twin.name))


def weight_grids(quantized: onnx.ModelProto) -> Iterator[WeightGrid]:
    """How far each weight's integers are inherited."""
    for op in load(quantized).ops:
        weight = op.operand(1) if op.name in PRODUCTS else None
        source = weight.producer if weight is not None else None
        if source is None or source.name != "DequantizeLinear" or not _is_constant(source.operands[0]):
            continue
        integers = np.abs(_numbers(source, 0).astype(np.int64))
        axis = int(source.attr("axis", 1)) if _numbers(source, 1).ndim else None
        rest = tuple(i for i in range(integers.ndim) if i != axis)
        largest = np.atleast_1d(integers.max(axis=rest if axis is not None else None))
        yield WeightGrid(op.location, largest.size, int(((largest == 127) | (largest == 0)).sum()))


def _is_constant(value: Value | None) -> bool:
    return value is not None and value.is_constant


@dataclass(frozen=True)
class Activations:
    """What the quantized model says of activations.

    Args:
        wide: Per node, the keys of `node_info` that give it our 16-bit tensors.
        tensors: Quantized activations.
        shifted: Those with a zero point other than 0.
    """

    wide: dict[str, dict[str, str]]
    tensors: int
    shifted: int


def activations(quantized: onnx.ModelProto) -> Activations:
    """Which nodes run in 16 bits, as `node_info` says it, and what it cannot say."""
    wide: dict[str, dict[str, str]] = {}
    tensors = shifted = 0
    for op in load(quantized).ops:
        if op.name != "QuantizeLinear":
            continue
        tensors += 1
        shifted += int(op.operand(2) is not None and bool((_numbers(op, 2) != 0).any()))
        if op.result.tensor_type.dtype is DType.i16:
            for node, key in _sixteen_bit_keys(op):
                wide.setdefault(node, {})[key] = "int16"
    return Activations(wide, tensors, shifted)


def _sixteen_bit_keys(op: Op) -> Iterator[tuple[str, str]]:
    """Node and key for the op that makes a 16-bit tensor, and for the products that read it."""
    source = op.operands[0]
    assert source is not None
    if source.producer is not None and source.producer.location:
        yield source.producer.location, "OutputType"
    for dequantize in op.result.users:
        for use in dequantize.results[0].uses if dequantize.results else ():
            if use.op.name in PRODUCTS and use.op.location:
                yield use.op.location, f"InputType{use.index}"
