"""Heads to recognise and fold: small synthetic ones with exact logits, and runs in onnxruntime."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from y10c.testing import rename

Array = NDArray[Any]
Run = Callable[[onnx.ModelProto, Array], dict[str, Array]]


@pytest.fixture(scope="session")
def run() -> Run:
    """Runs a model of one input; optimizations off, since they reorder sums."""

    def call(model: onnx.ModelProto, x: Array) -> dict[str, Array]:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 2, 3
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        names = [o.name for o in session.get_outputs()]
        return dict(zip(names, session.run(names, {session.get_inputs()[0].name: x}), strict=True))

    return call


@pytest.fixture(scope="session")
def scrambled() -> Callable[[onnx.ModelProto], onnx.ModelProto]:
    """The same model with everything named at random."""
    return rename.scrambled


@dataclass(frozen=True)
class Synthetic:
    """A head whose logits are exact: the last convolutions read pixels of small integers.

    Args:
        model: `[1, 3, size, size]` to rows, decoded boxes or raw logits.
        weights: Class and box weights `[channels, 3]` of each stride.
    """

    model: onnx.ModelProto
    classes: int
    reg_max: int
    size: int
    weights: dict[int, tuple[Array, Array]]

    def logits(self, image: Array, role: int) -> Array:
        """Class (0) or box (1) logits of all anchors, `[anchors, channels]` float64."""
        maps = [
            np.einsum("oc,chw->hwo", weights[role].astype(np.float64), image[0, :, ::stride, ::stride])
            for stride, weights in self.weights.items()
        ]
        return np.concatenate([m.reshape(-1, m.shape[2]) for m in maps])

    def image(self, seed: int, levels: int) -> Array:
        """Pixels of few levels, so that many logits are equal."""
        rng = np.random.default_rng(seed)
        return rng.integers(-levels, levels + 1, (1, 3, self.size, self.size)).astype(np.float32)


Make = Callable[..., Synthetic]


@pytest.fixture(scope="session")
def make_head() -> Make:
    """Builds synthetic heads; see `build`."""
    return build


def build(
    *,
    classes: int = 3,
    reg_max: int = 4,
    strides: Sequence[int] = (8, 16, 32),
    size: int = 32,
    end: str = "e2e",
    distribution: bool = True,
    joined: bool | str = False,
    seed: int = 0,
    bins: Sequence[float] | None = None,
    offset: float = 0.5,
) -> Synthetic:
    """A model that is nothing but a head.

    Args:
        end: `e2e`, `center` (decoded for NMS), `corners` (decoded, no more), `nms` (with that op inside),
            `joined` (logits as the training graph gives them) or `nchw` (logits of each convolution).
        distribution: Whether box sides go through softmax.
        joined: Whether class and box logits are concatenated first and split later; `scale` does so, and
            decodes, at each scale on its own.
        bins: The distance of each bin, where it is not 0, 1, 2 …
        offset: Of the centers in their cells; YOLO has 0.5.
    """
    rng = np.random.default_rng(seed)
    tape = _Tape(offset, np.arange(reg_max) if bins is None else np.asarray(bins))
    weights, maps = {}, []
    for stride in strides:
        pair = (rng.integers(-2, 3, (classes, 3)) / 4, rng.integers(-2, 3, (4 * reg_max, 3)) / 4)
        weights[stride] = (pair[0].astype(np.float32), pair[1].astype(np.float32))
        maps.append(tuple(tape.conv("images", w, stride) for w in weights[stride]))
    outputs = _ENDS[end](tape, maps, classes, reg_max, strides, size, distribution, joined)
    return Synthetic(tape.model(size, outputs), classes, reg_max, size, weights)


class _Tape:
    def __init__(self, offset: float, bins: Array) -> None:
        self.offset, self.bins = offset, bins.astype(np.float32)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def __call__(self, op: str, *inputs: Any, results: int = 1, **attrs: Any) -> Any:
        names = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        made = [f"{op}_{len(self.nodes)}_{i}" for i in range(results)]
        self.nodes.append(helper.make_node(op, names, made, **attrs))
        return made[0] if results == 1 else made

    def constant(self, data: Any) -> str:
        array = np.asarray(data)
        array = array.astype(np.float32) if array.dtype == np.float64 else array
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def conv(self, x: str, weight: Array, stride: int) -> str:
        made: str = self("Conv", x, weight[:, :, None, None], strides=[stride, stride])
        return made

    def model(self, size: int, outputs: Sequence[str]) -> onnx.ModelProto:
        image = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, size, size])
        results = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs]
        integer = [n for n in outputs if n.startswith("NonMax")]
        for value in results:
            if value.name in integer:
                value.type.tensor_type.elem_type = TensorProto.INT64
        graph = helper.make_graph(self.nodes, "head", [image], results, self.constants)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        return onnx.shape_inference.infer_shapes(made)


def _decoded(
    tape: _Tape,
    maps: Any,
    classes: int,
    bins: int,
    strides: Sequence[int],
    size: int,
    distribution: bool,
    joined: bool | str,
    center: bool,
) -> tuple[str, str]:
    """Boxes `[1, 4, A]` in pixels and probabilities `[1, classes, A]`."""
    if joined == "scale":
        parts = [
            _decoded(tape, [pair], classes, bins, [stride], size, distribution, True, center)
            for pair, stride in zip(maps, strides, strict=True)
        ]
        boxes, scores = zip(*parts, strict=True)
        return tape("Concat", *boxes, axis=2), tape("Concat", *scores, axis=2)
    if joined:
        flat = [
            tape("Reshape", tape("Concat", box, cls, axis=1), np.array([1, classes + 4 * bins, -1]))
            for cls, box in maps
        ]
        both = tape("Concat", *flat, axis=2)
        sides, logits = tape("Split", both, np.array([4 * bins, classes]), axis=1, results=2)
    else:
        logits = tape("Concat", *(tape("Reshape", m[0], np.array([1, classes, -1])) for m in maps), axis=2)
        sides = tape("Concat", *(tape("Reshape", m[1], np.array([1, 4 * bins, -1])) for m in maps), axis=2)
    if distribution:
        shares = tape("Softmax", tape("Reshape", sides, np.array([1, 4, bins, -1])), axis=2)
        moved = tape("Transpose", shares, perm=[0, 2, 1, 3])
        mean = tape("Conv", moved, tape.bins.reshape(1, bins, 1, 1))
        sides = tape("Reshape", mean, np.array([1, 4, -1]))
    near, far = tape("Split", sides, np.array([2, 2]), axis=1, results=2)
    centers, steps = _grid(strides, size, tape.offset)
    low, high = tape("Sub", centers, near), tape("Add", centers, far)
    corners = [low, high]
    if center:
        corners = [tape("Div", tape("Add", low, high), np.float32(2)), tape("Sub", high, low)]
    return tape("Mul", tape("Concat", *corners, axis=1), steps), tape("Sigmoid", logits)


def _grid(strides: Sequence[int], size: int, offset: float) -> tuple[Array, Array]:
    cells = [(s, *divmod(i, size // s)) for s in strides for i in range((size // s) ** 2)]
    centers = np.array([[x + offset for _, _, x in cells], [y + offset for _, y, _ in cells]])
    return centers[None].astype(np.float32), np.array([[s for s, _, _ in cells]], np.float32)


def _e2e(tape: _Tape, maps: Any, classes: int, *rest: Any) -> list[str]:
    boxes, scores = _decoded(tape, maps, classes, *rest, center=False)
    strides, size = rest[1], rest[2]
    keep = min(300, sum((size // s) ** 2 for s in strides))
    rows = tape("Transpose", tape("Concat", boxes, scores, axis=1), perm=[0, 2, 1])
    boxes, scores = tape("Split", rows, np.array([4, classes]), axis=2, results=2)
    _, kept = _top(tape, tape("ReduceMax", scores, axes=[-1], keepdims=0), keep)
    table = tape("GatherElements", scores, _spread(tape, kept, classes), axis=1)
    best, flat = _top(tape, tape("Flatten", table, axis=1), keep)
    label = tape("Cast", tape("Mod", flat, np.int64(classes)), to=TensorProto.FLOAT)
    anchor = tape("GatherElements", kept, tape("Div", flat, np.int64(classes)), axis=1)
    chosen = tape("GatherElements", boxes, _spread(tape, anchor, 4), axis=1)
    columns = [tape("Unsqueeze", v, np.array([2])) for v in (best, label)]
    return [tape("Concat", chosen, *columns, axis=2)]


def _top(tape: _Tape, x: str, keep: int) -> Any:
    return tape("TopK", x, np.array([keep]), axis=1, results=2)


def _spread(tape: _Tape, index: str, width: int) -> str:
    made: str = tape("Tile", tape("Unsqueeze", index, np.array([2])), np.array([1, 1, width]))
    return made


def _center(tape: _Tape, *args: Any) -> list[str]:
    return [tape("Concat", *_decoded(tape, *args, center=True), axis=1)]


def _corners(tape: _Tape, *args: Any) -> list[str]:
    return [tape("Concat", *_decoded(tape, *args, center=False), axis=1)]


def _nms(tape: _Tape, *args: Any) -> list[str]:
    boxes, scores = _decoded(tape, *args, center=True)
    moved = tape("Transpose", boxes, perm=[0, 2, 1])
    chosen = tape(
        "NonMaxSuppression",
        moved,
        scores,
        np.array([100]),
        np.float32([0.7]),
        np.float32([0.25]),
        center_point_box=1,
    )
    return [chosen, moved, scores]


def _training(tape: _Tape, maps: Any, *_: Any) -> list[str]:
    return [tape("Concat", box, cls, axis=1) for cls, box in maps]


def _nchw(tape: _Tape, maps: Any, *_: Any) -> list[str]:
    return [m for pair in reversed(maps) for m in pair]


_ENDS: dict[str, Callable[..., list[str]]] = {
    "e2e": _e2e,
    "center": _center,
    "corners": _corners,
    "nms": _nms,
    "joined": _training,
    "nchw": _nchw,
}
