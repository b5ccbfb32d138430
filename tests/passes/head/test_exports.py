"""Full exports of YOLOv5u, v8, v10, 11, 12 and 26: real networks, ended as their exporters end them."""

from __future__ import annotations

import lzma
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import y10c
from y10c.detect.decode import decode_raw
from y10c.detect.head_info import HeadInfo
from y10c.diagnostics import collect
from y10c.errors import ModelError
from y10c.passes.head.fold import CALLERS_NMS, fold_head
from y10c.passes.head.recognize import recognize

NETWORKS = ("yolov5nu", "yolov8n", "yolov10n", "yolo11n", "yolo12s", "yolo26n")
CLASSES, STRIDES, ANCHORS = 80, (8, 16, 32), 8400
RAW = [f"{role}{stride}" for stride in STRIDES for role in ("cls", "box")]


class Export:
    """A network cut at its last convolutions, to which a tail is written.

    Attributes:
        maps: Class and box logits of each stride, NCHW.
        bins: Bins of a box side.
    """

    def __init__(self, folder: Path, network: str) -> None:
        skeleton = "yolo11n" if network == "yolo26n" else network
        data = lzma.decompress((folder / f"{skeleton}_640_headcut.onnx.xz").read_bytes())
        self.model = onnx.load_from_string(data)
        self.bins = 16
        graph = self.model.graph
        heads = {n.output[0]: n.input[0] for n in graph.node if n.output[0] in RAW}
        self.maps = [(heads[f"cls{s}"], heads[f"box{s}"]) for s in STRIDES]
        kept = [n for n in graph.node if n.output[0] not in RAW]
        del graph.node[:], graph.output[:]
        graph.node.extend(kept)
        if network == "yolo26n":
            self._without_distributions()
        _fill_with_weights(graph)

    def _without_distributions(self) -> None:
        """The boxes of YOLO26 are distances themselves: four channels."""
        self.bins = 1
        boxes = {box for _, box in self.maps}
        names = {name for n in self.model.graph.node if n.output[0] in boxes for name in n.input[1:]}
        for tensor in self.model.graph.initializer:
            if tensor.name in names:
                narrow = numpy_helper.to_array(tensor)[:4]
                tensor.CopyFrom(numpy_helper.from_array(narrow, tensor.name))

    def __call__(self, op: str, *inputs: Any, results: int = 1, domain: str = "", **attrs: Any) -> Any:
        graph = self.model.graph
        names = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        made = [f"/head/{op}_{len(graph.node)}_{i}" for i in range(results)]
        graph.node.append(
            helper.make_node(op, names, made, name=f"/head/{op}_{len(graph.node)}", domain=domain)
        )
        for key, value in attrs.items():
            graph.node[-1].attribute.append(helper.make_attribute(key, value))
        return made[0] if results == 1 else made

    def constant(self, data: Any) -> str:
        array = np.asarray(data)
        array = array.astype(np.float32) if array.dtype == np.float64 else array
        name = f"/head/constant_{len(self.model.graph.initializer)}"
        self.model.graph.initializer.append(numpy_helper.from_array(array, name))
        return name

    def ended(self, *outputs: tuple[str, Any, list[Any]]) -> onnx.ModelProto:
        for name, dtype, shape in outputs:
            self.model.graph.output.append(helper.make_tensor_value_info(name, dtype, shape))
        del self.model.graph.value_info[:]
        return onnx.shape_inference.infer_shapes(self.model)

    # --- parts of the exporters' tails ---

    def joined(self) -> tuple[str, str]:
        """Box and class logits of all anchors, from maps that are concatenated before they are flattened."""
        width = 4 * self.bins + CLASSES
        both = [self("Concat", box, cls, axis=1) for cls, box in self.maps]
        flat = self("Concat", *(self("Reshape", x, np.array([1, width, -1])) for x in both), axis=2)
        sides, logits = self("Split", flat, np.array([4 * self.bins, CLASSES]), axis=1, results=2)
        return sides, logits

    def apart(self) -> tuple[str, str]:
        """The same from maps that are flattened each: so does YOLO26."""
        boxes = [self("Reshape", box, np.array([1, 4 * self.bins, -1])) for _, box in self.maps]
        scores = [self("Reshape", cls, np.array([1, CLASSES, -1])) for cls, _ in self.maps]
        return self("Concat", *boxes, axis=-1), self("Concat", *scores, axis=-1)

    def distances(self, sides: str) -> str:
        if self.bins == 1:
            return sides
        shares = self("Transpose", self("Reshape", sides, np.array([1, 4, 16, -1])), perm=[0, 2, 1, 3])
        weight = np.arange(16, dtype=np.float32).reshape(1, 16, 1, 1)
        mean = self("Conv", self("Softmax", shares, axis=1), weight, kernel_shape=[1, 1])
        made: str = self("Reshape", mean, np.array([1, 4, -1]))
        return made

    def boxes(self, sides: str, *, corners: bool, offset: float = 0.5) -> str:
        """Boxes in pixels `[1, 4, anchors]`."""
        distances = self.distances(sides)
        near = self("Slice", distances, np.array([0]), np.array([2]), np.array([1]))
        far = self("Slice", distances, np.array([2]), np.array([4]), np.array([1]))
        cells = [(s, *divmod(i, 640 // s)) for s in STRIDES for i in range((640 // s) ** 2)]
        centers = np.array([[x + offset for _, _, x in cells], [y + offset for _, y, _ in cells]])[None]
        low, high = self("Sub", centers, near), self("Add", centers, far)
        pair = [low, high]
        if not corners:
            pair = [self("Div", self("Add", low, high), np.float32(2)), self("Sub", high, low)]
        steps = np.array([[s for s, _, _ in cells]], np.float32)
        made: str = self("Mul", self("Concat", *pair, axis=1), steps)
        return made


def _fill_with_weights(graph: onnx.GraphProto) -> None:
    """Seeded weights in place of zeros, of a size that keeps activations where they are."""
    rng = np.random.default_rng(0)
    for tensor in graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.ndim == 4 and not array.any():
            fan_in = float(np.prod(array.shape[1:]))
            filled = rng.normal(0, np.sqrt(2 / fan_in), array.shape).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(filled, tensor.name))


# --- the ends ---


def one_to_many(export: Export, offset: float = 0.5) -> onnx.ModelProto:
    """`[1, 84, 8400]`: what ultralytics exports by default for all networks before YOLO26."""
    sides, logits = export.joined()
    boxes = export.boxes(sides, corners=False, offset=offset)
    out = export("Concat", boxes, export("Sigmoid", logits), axis=1)
    return export.ended((out, TensorProto.FLOAT, [1, 4 + CLASSES, ANCHORS]))


def with_suppression(export: Export) -> onnx.ModelProto:
    """NonMaxSuppression on corners and scores, then the rows that it chose: `[n, 6]`."""
    sides, logits = export.joined()
    boxes = export("Transpose", export.boxes(sides, corners=False), perm=[0, 2, 1])
    scores = export("Sigmoid", logits)
    limits = np.array([300]), np.array([0.7], np.float32), np.array([0.25], np.float32)
    chosen = export("NonMaxSuppression", boxes, scores, *limits, center_point_box=1)
    batch, label, anchor = export("Split", chosen, np.array([1, 1, 1]), axis=1, results=3)
    picked = export("GatherND", boxes, export("Concat", batch, anchor, axis=1))
    score = export("GatherND", scores, export("Concat", batch, label, anchor, axis=1))
    columns = export("Unsqueeze", score, np.array([1])), export("Cast", label, to=TensorProto.FLOAT)
    return export.ended((export("Concat", picked, *columns, axis=1), TensorProto.FLOAT, ["n", 6]))


def with_plugin(export: Export) -> onnx.ModelProto:
    """TensorRT's plugin, as end-to-end exports for that runtime have it."""
    sides, logits = export.joined()
    boxes = export("Transpose", export.boxes(sides, corners=False), perm=[0, 2, 1])
    scores = export("Transpose", export("Sigmoid", logits), perm=[0, 2, 1])
    found = export(
        "EfficientNMS_TRT", boxes, scores, results=4, domain="TRT", max_output_boxes=100, box_coding=1
    )
    export.model.opset_import.append(helper.make_opsetid("TRT", 1))
    kinds = [(TensorProto.INT32, [1, 1]), (TensorProto.FLOAT, [1, 100, 4])]
    kinds += [(TensorProto.FLOAT, [1, 100]), (TensorProto.INT32, [1, 100])]
    return export.ended(*((n, dtype, shape) for n, (dtype, shape) in zip(found, kinds, strict=True)))


def end_to_end(export: Export) -> onnx.ModelProto:
    """`[1, 300, 6]`: ranks without suppression, as YOLOv10 and YOLO26 are deployed."""
    sides, logits = export.apart()
    boxes = export.boxes(sides, corners=True)
    both = export("Concat", boxes, export("Sigmoid", logits), axis=1)
    rows = export("Transpose", both, perm=[0, 2, 1])
    corners, scores = export("Split", rows, np.array([4, CLASSES]), axis=-1, results=2)
    best = export("ReduceMax", scores, axes=[-1], keepdims=0)
    _, kept = export("TopK", best, np.array([300]), axis=-1, results=2)
    index = export("Unsqueeze", kept, np.array([-1]))
    table = export("GatherElements", scores, export("Tile", index, np.array([1, 1, CLASSES])), axis=1)
    score, flat = export("TopK", export("Flatten", table), np.array([300]), axis=-1, results=2)
    rank = export("Div", flat, np.array(CLASSES))
    pairs = export(
        "Concat", np.zeros((1, 300, 1), np.int64), export("Unsqueeze", rank, np.array([-1])), axis=2
    )
    anchor = export("GatherND", index, pairs)
    label = export("Cast", export("Mod", flat, np.array(CLASSES)), to=TensorProto.FLOAT)
    chosen = export("GatherElements", corners, export("Tile", anchor, np.array([1, 1, 4])), axis=1)
    columns = [export("Unsqueeze", v, np.array([-1])) for v in (score, label)]
    out = export("Concat", chosen, *columns, axis=-1)
    return export.ended((out, TensorProto.FLOAT, [1, 300, 6]))


def scores_apart(export: Export) -> onnx.ModelProto:
    """Six maps, those of the classes through the sigmoid, as runtimes without one want them."""
    outputs = []
    for stride, (cls, box) in zip(STRIDES, export.maps, strict=True):
        side = 640 // stride
        outputs.append((box, TensorProto.FLOAT, [1, 4 * export.bins, side, side]))
        outputs.append((export("Sigmoid", cls), TensorProto.FLOAT, [1, CLASSES, side, side]))
    return export.ended(*outputs)


ENDS: dict[str, tuple[Callable[[Export], onnx.ModelProto], str, str]] = {
    "one-to-many": (one_to_many, "one2many", "one2many"),
    "NMS": (with_suppression, "nms", "one2many"),
    "plugin": (with_plugin, "nms", "one2many"),
    "end to end": (end_to_end, "e2e", "one2one"),
    "scores apart": (scores_apart, "raw", "unknown"),
}


@cache
def exported(folder: Path, network: str, end: str) -> onnx.ModelProto:
    return ENDS[end][0](Export(folder, network))


ALSO = pytest.mark.slow(reason="loads whole networks, twenty of each")
EVERY = [pytest.param(n, marks=[] if n in ("yolov8n", "yolo26n") else [ALSO]) for n in NETWORKS]


@pytest.mark.parametrize("renamed", [False, True])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("network", EVERY)
def test_every_network_folds_to_raw_whatever_its_end(
    shared: Path, scrambled: Any, network: str, end: str, renamed: bool
) -> None:
    model = exported(shared / "skeletons", network, end)
    graph = y10c.load(scrambled(model) if renamed else model)
    head = recognize(graph)
    assert head is not None
    bins = 1 if network == "yolo26n" else 16
    assert (head.kind, head.branch) == ENDS[end][1:]
    assert (head.classes, head.reg_max, head.distribution) == (CLASSES, bins, bins > 1)
    info = fold_head(graph, "raw")
    assert info.mode == "raw"
    assert list(info.outputs) == graph.output_names == RAW
    shapes = [(1, 640 // s, 640 // s, w) for s in STRIDES for w in (CLASSES, 4 * bins)]
    assert [v.shape for v in graph.outputs] == shapes
    assert (CALLERS_NMS in info.notes) is (ENDS[end][2] == "one2many")
    assert info.needs_nms is {"one2many": True, "one2one": False}.get(ENDS[end][2])
    left = {op.kind for op in graph.ops}
    assert left.isdisjoint({"NonMaxSuppression", "EfficientNMS_TRT", "TopK", "GatherND", "Mod"})


@pytest.mark.parametrize("network", ["yolov8n", "yolo26n"])
def test_one_to_many_and_nms_have_no_e2e(shared: Path, network: str) -> None:
    for end in ("one-to-many", "NMS", "plugin"):
        info = fold_head(y10c.load(exported(shared / "skeletons", network, end)), "e2e")
        assert info.mode == "raw"
        assert "NMS" in info.notes[0]


@pytest.mark.slow  # runs whole networks
@pytest.mark.parametrize("network", NETWORKS)
def test_values_are_those_of_the_network(shared: Path, run: Any, network: str) -> None:
    folder = shared / "skeletons"
    x = np.random.default_rng(1).random((1, 3, 640, 640), np.float32)
    (decoded,) = run(exported(folder, network, "one-to-many"), x).values()
    maps: dict[str, Any] = {}
    for end in ENDS:
        graph = y10c.load(exported(folder, network, end))
        info = fold_head(graph, "raw")
        found = run(graph.to_onnx(), x)
        maps = maps or found
        for name, value in found.items():
            np.testing.assert_array_equal(value, maps[name])
    _same_as_decoded(list(maps.values()), info, decoded[0])


def _same_as_decoded(maps: list[Any], info: HeadInfo, decoded: Any) -> None:
    """Our decoding of the raw maps against the exporter's, by the best scores."""
    ours = decode_raw(maps, info, score=0.0)
    best = np.sort(decoded[4:].ravel())[::-1][: len(ours)]
    np.testing.assert_allclose(ours.scores, best, atol=1e-5)
    centers = (ours.boxes[:, :2] + ours.boxes[:, 2:]) / 2
    for center, score, label in zip(centers, ours.scores, ours.classes, strict=True):
        near = np.abs(decoded[:2].T - center).max(axis=1) < 0.05
        assert np.abs(decoded[4 + label][near] - score).min() < 1e-5


@pytest.mark.slow  # runs whole networks
@pytest.mark.parametrize("network", ["yolov10n", "yolo26n"])
def test_the_slim_tail_gives_the_rows_of_the_export(shared: Path, run: Any, network: str) -> None:
    model = exported(shared / "skeletons", network, "end to end")
    graph = y10c.load(model)
    info = fold_head(graph, "e2e")
    assert (info.mode, info.notes) == ("e2e", ())
    x = np.random.default_rng(2).random((1, 3, 640, 640), np.float32)
    ours, theirs = (next(iter(run(m, x).values()))[0] for m in (graph.to_onnx(), model))
    assert np.abs(ours[:, 4] - theirs[:, 4]).max() <= 1e-5
    for row in ours:
        near = (theirs[:, 5] == row[5]) & (np.abs(theirs[:, 4] - row[4]) <= 1e-4)
        assert (np.abs(theirs[near][:, :4] - row[:4]).max(axis=1) <= 0.05).any()


def test_a_network_that_decodes_otherwise_is_left_as_it_is(shared: Path) -> None:
    model = one_to_many(Export(shared / "skeletons", "yolov8n"), offset=0.0)
    info = fold_head(y10c.load(model), "raw")
    assert not info.found
    assert "otherwise" in info.notes[0]


# --- two branches that only their order tells apart ---


def training(export: Export, order: list[int]) -> onnx.ModelProto:
    """Box and class maps of two branches; the second branch is the first with other last convolutions."""
    nodes = {n.output[0]: n for n in export.model.graph.node}
    second = []
    for pair in export.maps:
        copies = []
        for name in pair:
            copy = onnx.NodeProto()
            copy.CopyFrom(nodes[name])
            copy.name, copy.output[0] = f"{copy.name}/one2one", f"{name}/one2one"
            export.model.graph.node.append(copy)
            copies.append(copy.output[0])
        second.append(tuple(copies))
    outputs = []
    for maps in (export.maps, second):
        for stride, (cls, box) in zip(STRIDES, maps, strict=True):
            joined = export("Concat", box, cls, axis=1)
            side = 640 // stride
            outputs.append((joined, TensorProto.FLOAT, [1, 4 * export.bins + CLASSES, side, side]))
    return export.ended(*(outputs[i] for i in order))


def test_the_later_branch_of_a_training_graph_is_kept_and_that_is_said(shared: Path) -> None:
    model = training(Export(shared / "skeletons", "yolov10n"), [0, 1, 2, 3, 4, 5])
    graph = y10c.load(model)
    info = fold_head(graph, "raw")
    assert (info.kind, info.branch, info.needs_nms) == ("dual", "one2one", False)
    assert "later outputs" in info.notes[0]
    kept = {op.location for op in graph.ops if op.name == "Conv"}
    assert sum(name.endswith("/one2one") for name in kept) == 6
    assert not {name.removesuffix("/one2one") for name in kept if name.endswith("/one2one")} & kept


@pytest.mark.parametrize("order", [[0, 3, 1, 4, 2, 5], [0, 1, 3, 2, 4, 5]])
def test_mixed_outputs_of_two_branches_are_an_error(shared: Path, order: list[int]) -> None:
    graph = y10c.load(training(Export(shared / "skeletons", "yolov10n"), order))
    with pytest.raises(ModelError, match="two branches"):
        fold_head(graph, "raw")
    with collect() as warnings:
        assert not fold_head(graph, "keep").found
    assert not list(warnings)


# --- half floats ---


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network in float16, as exporters for other chips write it."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    scales = {n.input[2] for n in graph.node if n.op_type == "Resize"}
    for tensor in graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32 and tensor.name not in scales:
            tensor.CopyFrom(numpy_helper.from_array(array.astype(np.float16), tensor.name))
    for entry in (*graph.input, *graph.output, *graph.value_info):
        if entry.type.tensor_type.elem_type == TensorProto.FLOAT:
            entry.type.tensor_type.elem_type = TensorProto.FLOAT16
    for attribute in (a for n in graph.node if n.op_type == "Cast" for a in n.attribute):
        attribute.i = TensorProto.FLOAT16 if attribute.i == TensorProto.FLOAT else attribute.i
    return made


@pytest.mark.parametrize("mode", ["raw", "e2e"])
@pytest.mark.parametrize(
    ("network", "end"),
    [("yolov8n", "one-to-many"), ("yolo26n", "end to end"), ("yolov8n", "scores apart")],
)
def test_half_networks_fold(shared: Path, network: str, end: str, mode: str) -> None:
    graph = y10c.load(halved(exported(shared / "skeletons", network, end)))
    info = fold_head(graph, mode)
    assert info.mode == ("raw" if end == "one-to-many" else mode)
    made = graph.to_onnx()
    onnx.checker.check_model(made, full_check=True)
    kinds = {o.type.tensor_type.elem_type for o in made.graph.output}
    kept = info.mode == "raw" or end == "end to end"  # rows that no output had before are float32
    assert kinds == {TensorProto.FLOAT16 if kept else TensorProto.FLOAT}


def test_a_half_network_that_decodes_otherwise_is_left_as_it_is(shared: Path) -> None:
    model = halved(one_to_many(Export(shared / "skeletons", "yolov8n"), offset=0.0))
    assert not fold_head(y10c.load(model), "raw").found


@pytest.mark.slow  # runs whole networks
def test_the_slim_tail_of_a_half_network_ranks_as_the_export(shared: Path, run: Any) -> None:
    model = halved(exported(shared / "skeletons", "yolo26n", "end to end"))
    graph = y10c.load(model)
    fold_head(graph, "e2e")
    x = np.random.default_rng(3).random((1, 3, 640, 640)).astype(np.float16)
    ours, theirs = (next(iter(run(m, x).values()))[0].astype(np.float32) for m in (graph.to_onnx(), model))
    assert np.abs(ours[:, 4] - theirs[:, 4]).max() <= 2e-3
    for row in ours[:100]:
        near = (theirs[:, 5] == row[5]) & (np.abs(theirs[:, :4] - row[:4]).max(axis=1) <= 4)
        assert near.any()


# --- graphs as training leaves them ---


def unmerged(model: onnx.ModelProto) -> onnx.ModelProto:
    """BatchNormalization behind all convolutions but the last; depthwise ones are sums of two (RepVGG)."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    weights = {t.name: list(t.dims) for t in graph.initializer}
    activated = {n.input[0] for n in graph.node if n.op_type in ("Sigmoid", "Mul")}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type != "Conv" or node.output[0] not in activated:
            nodes.append(node)
            continue
        out, channels = node.output[0], weights[node.input[1]][0]
        node.output[0] = f"{out}/conv"
        nodes.append(node)
        last = node.output[0]
        if weights[node.input[1]][1] == 1:
            shortcut = numpy_helper.from_array(np.ones((channels, 1, 1, 1), np.float32), f"{out}/one")
            graph.initializer.append(shortcut)
            strides = next((list(a.ints) for a in node.attribute if a.name == "strides"), [1, 1])
            beside = [node.input[0], shortcut.name]
            nodes.append(helper.make_node("Conv", beside, [f"{out}/b"], group=channels, strides=strides))
            nodes.append(helper.make_node("Add", [last, f"{out}/b"], [f"{out}/sum"]))
            last = f"{out}/sum"
        ones = [f"{out}/{n}" for n in ("scale", "shift", "mean", "variance")]
        graph.initializer.extend(numpy_helper.from_array(np.ones(channels, np.float32), n) for n in ones)
        nodes.append(helper.make_node("BatchNormalization", [last, *ones], [out]))
    copies = [onnx.NodeProto.FromString(n.SerializeToString()) for n in nodes]
    del graph.node[:], graph.value_info[:]
    graph.node.extend(copies)
    return onnx.shape_inference.infer_shapes(made)


@pytest.mark.parametrize("end", ["end to end", "training"])
def test_heads_with_batchnorm_and_unmerged_branches_fold(shared: Path, end: str) -> None:
    export = Export(shared / "skeletons", "yolov10n")
    model = unmerged(training(export, [0, 1, 2, 3, 4, 5]) if end == "training" else end_to_end(export))
    assert sum(n.op_type == "BatchNormalization" for n in model.graph.node) > 50
    graph = y10c.load(model)
    info = fold_head(graph, "raw")
    assert (info.branch, info.classes, info.reg_max) == ("one2one", CLASSES, 16)
    assert graph.output_names == RAW
    assert [v.shape for v in graph.outputs][:2] == [(1, 80, 80, CLASSES), (1, 80, 80, 64)]
