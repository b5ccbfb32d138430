"""Loop nests of convolutions and matrix products, from operand shapes and attributes."""

from __future__ import annotations

from math import prod

from y10c.cost.view import OpView, TensorView
from y10c.cost.workload import Geometry


def geometry_of(op: OpView) -> Geometry | None:
    """The multiply-accumulate loop nest of a Conv, ConvTranspose, MatMul or Gemm; None for other ops."""
    if op.op == "Conv":
        return _convolution(op)
    if op.op == "ConvTranspose":
        return _transposed(op)
    if op.op in ("MatMul", "Gemm"):
        return _product(op)
    return None


def weight_elements_of(op: OpView, constants: list[TensorView]) -> int:
    """Elements of the constant operands that a layer streams in (biases included)."""
    if op.op in ("Conv", "ConvTranspose", "MatMul", "Gemm", "PRelu"):
        return sum(prod(t.shape) for t in constants if t.shape)
    return 0


def window_of(op: OpView) -> int:
    """Input elements that one output element of a pooling looks at; 1 elsewhere."""
    kernel = op.attrs.get("kernel_shape")
    return prod(kernel) if kernel is not None and op.op in ("MaxPool", "AveragePool") else 1


def _spatial(shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width; a 1-d signal is one row, a volume's depth counts as rows."""
    spatial = shape[2:]
    if len(spatial) == 1:
        return 1, spatial[0]
    return prod(spatial[:-1]), spatial[-1]


def _strides(op: OpView) -> tuple[int, int]:
    strides = tuple(op.attrs.get("strides", (1, 1)))
    return (1, strides[0]) if len(strides) == 1 else (strides[-2], strides[-1])


def _convolution(op: OpView) -> Geometry:
    source, weight = _shape(op.operands[0]), _shape(op.operands[1])
    groups = int(op.attrs.get("group", 1))
    (in_h, in_w), (out_h, out_w), (k_h, k_w) = map(_spatial, (source, _shape(op.results[0]), weight))
    stride_h, stride_w = _strides(op)
    return Geometry(
        batch=source[0],
        groups=groups,
        in_c=weight[1],
        in_h=in_h,
        in_w=in_w,
        out_c=weight[0] // groups,
        out_h=out_h,
        out_w=out_w,
        kernel_h=k_h,
        kernel_w=k_w,
        stride_h=stride_h,
        stride_w=stride_w,
    )


def _transposed(op: OpView) -> Geometry:
    """A transposed convolution as the convolution of each input pixel with every kernel tap."""
    source, weight = _shape(op.operands[0]), _shape(op.operands[1])
    groups = int(op.attrs.get("group", 1))
    (in_h, in_w), (k_h, k_w) = _spatial(source), _spatial(weight)
    taps = k_h * k_w
    return Geometry(source[0], groups, weight[0] // groups, in_h, in_w, weight[1] * taps, in_h, in_w)


def _product(op: OpView) -> Geometry:
    """`[…, M, K] x […, K, N]`; a Gemm may store its operands transposed."""
    left, right, out = _shape(op.operands[0]), _shape(op.operands[1]), _shape(op.results[0])
    inner = left[0] if op.op == "Gemm" and op.attrs.get("transA") else left[-1]
    rows = out[-2] if len(out) > 1 else 1
    columns = out[-1] if out else 1
    batch = prod(out[:-2])
    if len(right) == 2:
        rows, batch = rows * batch, 1
    return Geometry(batch, 1, inner, rows, 1, columns, rows, 1)


def _shape(tensor: TensorView | None) -> tuple[int, ...]:
    from y10c.errors import ModelError

    if tensor is None or tensor.shape is None or any(dim <= 0 for dim in tensor.shape):
        raise ModelError("a convolution or product has operands of unknown shape", code="Y3004")
    return tensor.shape
