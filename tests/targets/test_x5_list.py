"""The published operator list of the RDK X5: of each constraint a case at its border and one beyond."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest

from y10c.check.constraint import HOST
from y10c.ir.graph import Graph
from y10c.ir.types import DType, TensorType
from y10c.ir.value import Op
from y10c.rewrite.rewriter import Rewriter
from y10c.targets.x5.operators import ROWS
from y10c.targets.x5.target import X5

TABLE = X5.create().operators()

Shape = tuple[int | str, ...]


class Weight(NamedTuple):
    """A constant of zeros."""

    shape: tuple[int, ...]


def made(
    name: str,
    *operands: Any,
    dtype: DType = DType.f32,
    dtypes: Sequence[DType] = (),
    results: int | None = None,
    then: str = "",
    **attrs: Any,
) -> Op:
    """An op of computed operands (shapes), constants (arrays, weights) and left-out ones (None)."""
    graph = Graph("case")
    rewriter = Rewriter(graph)
    kinds = [*dtypes, *[dtype] * len(operands)]
    values = [_operand(rewriter, o, kinds[i], i) for i, o in enumerate(operands)]
    op = rewriter.op.make(name, *values, _results=results, _location="n", **attrs)
    rewriter.insert(op)
    outputs = list(op.results)
    if then:
        other = graph.add_input(op.results[0].type, "other")
        outputs = [rewriter.op[then](op.results[0], other)]
    graph.set_outputs(outputs, [f"y{i}" for i in range(len(outputs))])
    return op


def _operand(rewriter: Rewriter, given: Any, dtype: DType, index: int) -> Any:
    if given is None:
        return None
    if isinstance(given, Weight):
        return rewriter.const(np.zeros(given.shape, np.float32))
    if isinstance(given, tuple):
        return rewriter.graph.add_input(TensorType(dtype, given), f"x{index}")
    return rewriter.const(np.asarray(given))


def conv(x: Shape, w: tuple[int, ...], **attrs: Any) -> Callable[[], Op]:
    return lambda: made("Conv", x, Weight(w), **attrs)


def deconv(x: Shape, w: tuple[int, ...], **attrs: Any) -> Callable[[], Op]:
    return lambda: made("ConvTranspose", x, Weight(w), **attrs)


def op(name: str, *operands: Any, **attrs: Any) -> Callable[[], Op]:
    return lambda: made(name, *operands, **attrs)


def resize(x: Shape, *scales: float, **attrs: Any) -> Callable[[], Op]:
    return lambda: made("Resize", x, None, np.asarray(scales, np.float32), **{"mode": "nearest", **attrs})


ints = lambda *numbers: np.asarray(numbers, np.int64)  # noqa: E731
IMAGE = (1, 3, 512, 512)
SMALL = (1, 8, 4, 4)

CASES: dict[str, tuple[Callable[[], Op], Callable[[], Op]]] = {
    # every op
    "static-shape": (op("Relu", (1, 3, 4, 4)), op("Relu", (1, 3, "height", 4))),
    "element-type": (op("Add", SMALL, SMALL, dtype=DType.i32), op("Add", SMALL, SMALL, dtype=DType.i64)),
    "extents": (op("Relu", (1, 65536, 1, 1)), op("Relu", (1, 65537, 1, 1))),
    "batch": (op("Relu", (4096, 1, 1, 1)), op("Relu", (4097, 1, 1, 1))),
    "tensor-bytes": (op("Relu", (1, 16, 8192, 8192)), op("Relu", (1, 17, 8192, 8192))),
    # Conv
    "conv-kernel-size": (conv(IMAGE, (4, 3, 31, 31)), conv(IMAGE, (4, 3, 31, 32))),
    "conv-input-channels": (conv((1, 8192, 2, 2), (1, 8192, 1, 1)), conv((1, 8193, 2, 2), (1, 8193, 1, 1))),
    "conv-output-channels": (
        conv(SMALL, (8192, 8, 1, 1), then="Add"),
        conv(SMALL, (8193, 8, 1, 1), then="Add"),
    ),
    "conv-kernel-volume": (conv((1, 8191, 4, 4), (1, 8191, 2, 2)), conv((1, 8192, 4, 4), (1, 8192, 2, 2))),
    "conv-stride": (
        conv(IMAGE, (4, 3, 1, 1), strides=(256, 256)),
        conv(IMAGE, (4, 3, 1, 1), strides=(256, 257)),
    ),
    "conv-stride-before-add": (
        conv(IMAGE, (4, 3, 3, 3), strides=(2, 2), then="Add"),
        conv(IMAGE, (4, 3, 3, 3), strides=(3, 3), then="Add"),
    ),
    "conv-stride-dilated": (
        conv(IMAGE, (4, 3, 3, 3), dilations=(2, 2)),
        conv(IMAGE, (4, 3, 3, 3), dilations=(2, 2), strides=(2, 2)),
    ),
    "conv-dilation": (
        conv(IMAGE, (4, 3, 3, 3), dilations=(16, 16)),
        conv((1, 3, 17 * 8, 17 * 8), (4, 3, 3, 3), dilations=(17, 17)),
    ),
    "conv-dilated-extent": (
        conv((1, 3, 12, 12), (4, 3, 3, 3), dilations=(3, 3)),
        conv((1, 3, 13, 12), (4, 3, 3, 3), dilations=(3, 3)),
    ),
    "conv-pad": (
        conv(IMAGE, (4, 3, 3, 3), pads=(256, 0, 0, 256)),
        conv(IMAGE, (4, 3, 3, 3), pads=(257, 0, 0, 256)),
    ),
    # Conv of volumes
    "conv3d-batch": (conv((128, 2, 4, 4, 4), (1, 2, 1, 1, 1)), conv((129, 2, 4, 4, 4), (1, 2, 1, 1, 1))),
    "conv3d-kernel-size": (
        conv((1, 1, 4, 40, 40), (1, 1, 1, 31, 31)),
        conv((1, 1, 4, 40, 40), (1, 1, 1, 31, 32)),
    ),
    "conv3d-kernel-depth": (
        conv((1, 1, 9000, 2, 2), (1, 1, 8191, 1, 1)),
        conv((1, 1, 9000, 2, 2), (1, 1, 8192, 1, 1)),
    ),
    "conv3d-stride": (
        conv((1, 1, 4, 4, 4), (1, 1, 1, 1, 1), strides=(1, 2, 2)),
        conv((1, 1, 4, 4, 4), (1, 1, 1, 1, 1), strides=(1, 1, 2)),
    ),
    "conv3d-group": (
        conv((1, 2, 4, 4, 4), (2, 2, 1, 1, 1)),
        conv((1, 2, 4, 4, 4), (2, 1, 1, 1, 1), group=2),
    ),
    "conv3d-dilation": (
        conv((1, 1, 8, 8, 8), (1, 1, 2, 2, 2)),
        conv((1, 1, 8, 8, 8), (1, 1, 2, 2, 2), dilations=(1, 1, 2)),
    ),
    "conv3d-depth-volume": (
        conv((1, 4096, 4, 2, 2), (1, 4096, 2, 1, 1)),
        conv((1, 4097, 4, 2, 2), (1, 4097, 2, 1, 1)),
    ),
    # ConvTranspose
    "conv-transpose-batch": (
        deconv((128, 2, 4, 4), (2, 1, 2, 2), strides=(2, 2)),
        deconv((129, 2, 4, 4), (2, 1, 2, 2), strides=(2, 2)),
    ),
    "conv-transpose-channels": (
        deconv((1, 2048, 4, 4), (2048, 1, 2, 2), strides=(2, 2)),
        deconv((1, 2049, 4, 4), (2049, 1, 2, 2), strides=(2, 2)),
    ),
    "conv-transpose-kernel-size": (
        deconv(SMALL, (8, 1, 14, 14), strides=(2, 2)),
        deconv(SMALL, (8, 1, 14, 15), strides=(2, 2)),
    ),
    "conv-transpose-kernel-is-no-point": (
        deconv(SMALL, (8, 1, 1, 2), strides=(2, 2)),
        deconv(SMALL, (8, 1, 1, 1), strides=(2, 2)),
    ),
    "conv-transpose-volume": (
        deconv((1, 2047, 4, 4), (2047, 1, 4, 4), strides=(2, 2)),
        deconv((1, 2048, 4, 4), (2048, 1, 4, 4), strides=(2, 2)),
    ),
    "conv-transpose-stride": (
        deconv(SMALL, (8, 1, 2, 2), strides=(14, 14)),
        deconv(SMALL, (8, 1, 2, 2), strides=(14, 15)),
    ),
    "conv-transpose-steps": (
        deconv(SMALL, (8, 1, 2, 2), strides=(1, 2)),
        deconv(SMALL, (8, 1, 2, 2), strides=(1, 1)),
    ),
    "conv-transpose-dilation": (
        deconv(SMALL, (8, 1, 2, 2), strides=(2, 2)),
        deconv(SMALL, (8, 1, 2, 2), strides=(2, 2), dilations=(2, 2)),
    ),
    "conv-transpose-output-padding": (
        deconv(SMALL, (8, 1, 4, 4), strides=(4, 4), output_padding=(1, 1)),
        deconv(SMALL, (8, 1, 4, 4), strides=(4, 4), output_padding=(1, 2)),
    ),
    "conv-transpose-pad": (
        deconv(SMALL, (8, 1, 4, 4), strides=(2, 2), pads=(2, 2, 2, 2)),
        deconv(SMALL, (8, 1, 6, 6), strides=(3, 3), pads=(2, 2, 2, 2)),
    ),
    # pools
    "max-pool-kernel": (
        op("MaxPool", IMAGE, kernel_shape=(256, 256)),
        op("MaxPool", IMAGE, kernel_shape=(256, 257)),
    ),
    "max-pool-stride": (
        op("MaxPool", IMAGE, kernel_shape=(2, 2), strides=(256, 256)),
        op("MaxPool", IMAGE, kernel_shape=(2, 2), strides=(256, 257)),
    ),
    "max-pool-pad": (
        op("MaxPool", IMAGE, kernel_shape=(2, 2), pads=(256, 0, 0, 0)),
        op("MaxPool", IMAGE, kernel_shape=(2, 2), pads=(257, 0, 0, 0)),
    ),
    "max-pool-dilation": (
        op("MaxPool", IMAGE, kernel_shape=(2, 2)),
        op("MaxPool", IMAGE, kernel_shape=(2, 2), dilations=(1, 2)),
    ),
    "pool-ceil-mode": (
        op("MaxPool", IMAGE, kernel_shape=(2, 2)),
        op("MaxPool", IMAGE, kernel_shape=(2, 2), ceil_mode=1),
    ),
    "average-pool-kernel": (
        op("AveragePool", IMAGE, kernel_shape=(1, 256)),
        op("AveragePool", IMAGE, kernel_shape=(1, 257)),
    ),
    "average-pool-stride": (
        op("AveragePool", IMAGE, kernel_shape=(2, 2), strides=(256, 256)),
        op("AveragePool", IMAGE, kernel_shape=(2, 2), strides=(257, 256)),
    ),
    "average-pool-window": (
        op("AveragePool", IMAGE, kernel_shape=(64, 128)),
        op("AveragePool", IMAGE, kernel_shape=(64, 129)),
    ),
    "average-pool-pad": (
        op("AveragePool", IMAGE, kernel_shape=(2, 2), pads=(255, 0, 0, 0)),
        op("AveragePool", IMAGE, kernel_shape=(2, 2), pads=(256, 0, 0, 0)),
    ),
    "global-max-pool-extent": (op("GlobalMaxPool", (1, 3, 256, 256)), op("GlobalMaxPool", (1, 3, 256, 257))),
    # products
    "matmul-rank": (op("MatMul", (1, 1, 4, 8), (1, 1, 8, 4)), op("MatMul", (1, 1, 4, 8), (1, 8, 4))),
    "matmul-matrix": (
        op("MatMul", (1, 1, 4, 8192), (1, 1, 8192, 4)),
        op("MatMul", (1, 1, 4, 8193), (1, 1, 8193, 4)),
    ),
    "matmul-batch": (
        op("MatMul", (1, 4096, 2, 2), (1, 4096, 2, 2)),
        op("MatMul", (1, 4097, 2, 2), (1, 4097, 2, 2)),
    ),
    "matmul-broadcast": (op("MatMul", (1, 1, 2, 2), (4, 3, 2, 2)), op("MatMul", (1, 3, 2, 2), (4, 3, 2, 2))),
    "gemm-weight": (op("Gemm", (2, 3), Weight((3, 4))), op("Gemm", (2, 3), (3, 4))),
    "gemm-channels": (op("Gemm", (1, 8192), Weight((8192, 1))), op("Gemm", (1, 8193), Weight((8193, 1)))),
    "lstm-batch": (
        op("LSTM", (5, 1, 3), Weight((1, 8, 3)), Weight((1, 8, 2)), hidden_size=2, results=1),
        op("LSTM", (5, 2, 3), Weight((1, 8, 3)), Weight((1, 8, 2)), hidden_size=2, results=1),
    ),
    # elementwise
    "collapsible": (
        op("Mul", (2, 3, 2, 3, 2, 3), (2, 3, 1, 3, 1, 1)),
        op("Mul", (2, 3, 2, 3, 2, 3), (2, 1, 2, 1, 2, 1)),
    ),
    "one-constant": (op("Add", SMALL, Weight(SMALL)), op("Add", Weight(SMALL), Weight(SMALL))),
    "rank": (op("Sigmoid", (1,) * 10), op("Sigmoid", (1,) * 11)),
    "rank-4": (op("PRelu", SMALL, Weight((8, 1, 1))), op("PRelu", (1, 8, 4), Weight((8, 1)))),
    "constant-exponent": (op("Pow", SMALL, np.float32(2)), op("Pow", SMALL, SMALL)),
    # reductions
    "reduced-axes": (op("ReduceMean", SMALL, ints(2, 3)), op("ReduceSum", SMALL, ints(2, 3))),
    "reduction-keeps-axes": (op("ReduceSum", SMALL, ints(1)), op("ReduceSum", SMALL, ints(1), keepdims=0)),
    "reduced-extent": (op("ReduceMax", (1, 8192, 2, 2), ints(1)), op("ReduceMax", (1, 8193, 2, 2), ints(1))),
    "arg-axis": (op("ArgMax", SMALL, axis=1), op("ArgMax", SMALL, axis=2)),
    "arg-extent": (op("ArgMax", (1, 8191, 2, 2), axis=1), op("ArgMax", (1, 8192, 2, 2), axis=1)),
    "top-k-sorted": (
        op("TopK", SMALL, ints(2), results=2),
        op("TopK", SMALL, ints(2), results=2, sorted=0),
    ),
    # movement
    "concat-axis": (op("Concat", SMALL, SMALL, axis=1), op("Concat", SMALL, SMALL, axis=0)),
    "split-axis": (
        op("Split", SMALL, ints(4, 4), axis=1, results=2),
        op("Split", (2, 8, 4, 4), ints(1, 1), axis=0, results=2),
    ),
    "split-parts": (
        op("Split", SMALL, ints(4, 4), axis=1, results=2),
        op("Split", SMALL, ints(3, 5), axis=1, results=2),
    ),
    "slice-bounds": (
        op("Slice", SMALL, ints(0), ints(2), ints(1)),
        op(
            "Slice",
            SMALL,
            (1,),
            ints(2),
            ints(1),
            dtypes=(DType.f32, DType.i32),
            _types=(TensorType(DType.f32, SMALL),),
        ),
    ),
    "reshape-target": (
        op("Reshape", SMALL, ints(1, 4, 8, 4)),
        op("Reshape", SMALL, (2,), dtypes=(DType.f32, DType.i32), _types=(TensorType(DType.f32, (8, 16)),)),
    ),
    "resize-axes": (resize(SMALL, 1, 1, 2, 2), resize(SMALL, 1, 2, 2, 2)),
    "resize-mode": (resize(SMALL, 1, 1, 3, 3, mode="linear"), resize(SMALL, 1, 1, 2, 2, mode="cubic")),
    "resize-coordinates": (
        resize(SMALL, 1, 1, 2, 2, coordinate_transformation_mode="align_corners"),
        resize(SMALL, 1, 1, 2, 2, coordinate_transformation_mode="half_pixel_symmetric"),
    ),
    "resize-factor": (resize(SMALL, 1, 1, 4, 4), resize(SMALL, 1, 1, 2, 3)),
    "resize-factors": (resize(SMALL, 1, 1, 2, 4), resize(SMALL, 1, 1, 4, 2)),
    "block-size": (op("DepthToSpace", SMALL, blocksize=2), op("SpaceToDepth", SMALL, blocksize=4)),
    "pad-mode": (
        op("Pad", SMALL, ints(0, 0, 1, 1, 0, 0, 1, 1)),
        op("Pad", SMALL, ints(0, 0, 1, 1, 0, 0, 1, 1), mode="reflect"),
    ),
    "expanded-axes": (
        op("Expand", (1, 1, 4, 4), ints(1, 8, 4, 4)),
        op("Expand", (1, 1, 1, 4), ints(1, 8, 4, 4)),
    ),
    "gather-rank": (
        op("Gather", SMALL, ints(0, 1), axis=2),
        op("Gather", (1, 2, 3, 4, 5), ints(0, 1), axis=2),
    ),
    "gather-indices": (
        op("Gather", SMALL, (2,), axis=1, dtypes=(DType.f32, DType.i32)),
        op("Gather", SMALL, (2,), axis=1, dtypes=(DType.f32, DType.i64)),
    ),
    "gather-elements-extents": (
        op("GatherElements", (4, 4), (4, 4), dtypes=(DType.f32, DType.i64)),
        op("GatherElements", (4, 4), (5, 4), dtypes=(DType.f32, DType.i64)),
    ),
    "grid-sample-extent": (
        op("GridSample", (1, 1, 256, 1024), (1, 8, 8, 2)),
        op("GridSample", (1, 1, 256, 1025), (1, 8, 8, 2)),
    ),
    "grid-sample-area": (
        op("GridSample", (1, 1, 512, 512), (1, 8, 8, 2)),
        op("GridSample", (1, 1, 512, 513), (1, 8, 8, 2)),
    ),
    "grid-sample-mode": (
        op("GridSample", SMALL, (1, 8, 8, 2), mode="nearest"),
        op("GridSample", SMALL, (1, 8, 8, 2), mode="cubic"),
    ),
    "grid-sample-padding": (
        op("GridSample", SMALL, (1, 8, 8, 2), padding_mode="border"),
        op("GridSample", SMALL, (1, 8, 8, 2), padding_mode="reflection"),
    ),
}
"""By constraint: an op at the border, and one that this constraint is the first to refuse."""


@pytest.mark.parametrize("name", CASES)
def test_the_border_of_a_constraint(name: str) -> None:
    accepted, refused = CASES[name]
    inside, outside = TABLE.place(accepted()), TABLE.place(refused())
    assert inside.unit == "BPU", inside.reason
    assert (outside.unit, outside.rule) == (HOST, name)
    assert outside.remedy
    assert outside.source


def test_every_constraint_of_the_list_has_its_border_case() -> None:
    assert set(CASES) == {constraint.name for constraint in TABLE.constraints}


@pytest.mark.parametrize("row", [r for r in ROWS if r.on_host], ids=lambda row: row.name)
def test_what_the_list_leaves_to_the_cpu(row: Any) -> None:
    for name in row.ops:
        bare = Op(name, (), {}, [TensorType(DType.f32, (1,))], location="n")
        found = TABLE.place(bare)
        assert (found.unit, found.rule) == (HOST, row.name)
        assert found.remedy


def test_the_last_conv_may_give_65536_channels() -> None:
    assert TABLE.place(conv(SMALL, (65536, 1, 1, 1), group=8)()).on_chip
    assert TABLE.place(conv(SMALL, (65536, 8, 1, 1))()).on_chip
    assert not TABLE.place(conv(SMALL, (65537, 8, 1, 1))()).on_chip


def test_a_dilated_conv_says_that_its_result_is_int8() -> None:
    plain, dilated = (conv((1, 8, 8, 8), (4, 8, 3, 3), dilations=(d, d))() for d in (1, 2))
    assert TABLE.place(plain).rule == "conv"
    assert TABLE.place(dilated).rule == "conv-dilated"
    assert "int8" in TABLE.place(dilated).reason


@pytest.mark.parametrize(
    ("shape", "operands", "attrs", "rule"),
    [
        ((1, 2, 3, 3, 3), (None, None, ints(1, 2, 6, 6, 6)), {}, "rank-4"),
        ((1, 2, 3), (None, None, ints(1, 2, 6)), {}, "rank-4"),
        (SMALL, (None, np.float32([2])), {"axes": (3,)}, "resize"),
        (SMALL, (None, np.float32([2, 1])), {"axes": (3, 2)}, "resize"),
        (SMALL, (None, np.float32([2])), {"axes": (2,)}, "resize-factors"),
        (SMALL, (None, np.float32([2, 2])), {"axes": (1, 2)}, "resize-axes"),
    ],
)
def test_a_resize_of_any_rank_and_axes(
    shape: Shape, operands: tuple[Any, ...], attrs: dict[str, Any], rule: str
) -> None:
    made_op = made("Resize", shape, *operands, mode="nearest", **attrs)
    assert TABLE.place(made_op).rule == rule
    assert isinstance(TABLE.cures(made_op), set)


def test_every_row_of_the_chip_has_an_op_that_it_takes() -> None:
    taken = {TABLE.place(accepted()).rule for accepted, _ in CASES.values()}
    plain = {
        TABLE.place(op(name, SMALL)()).rule for name in ("Relu", "GlobalAveragePool", "Identity", "HardSwish")
    }
    more = {TABLE.place(op("Transpose", SMALL, perm=(0, 2, 3, 1))()).rule}
    rows = {row.name for row in ROWS if not row.on_host} - {"conv-1d"}  # which only names what is lifted
    assert rows <= taken | plain | more
