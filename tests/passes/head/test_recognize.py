"""What a head is, told from structure alone."""

from __future__ import annotations

import lzma
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper, parser

import y10c
from y10c.detect.head_info import METADATA_KEY, HeadInfo
from y10c.diagnostics import collect
from y10c.errors import UnknownNameError
from y10c.passes.head.fold import FoldHead, fold_head
from y10c.passes.head.recognize import Head, decode_tail, is_tail, recognize
from y10c.quant.plan import Tail
from y10c.rewrite.passes import PassContext

RAW_NAMES = ["cls8", "box8", "cls16", "box16", "cls32", "box32"]

SHARED = {
    "coco": ("e2e", "one2one"),
    "e2e": ("e2e", "one2one"),
    "e2e_raw": ("e2e", "one2one"),
    "dual": ("dual", "one2one"),
    "eval_both": ("eval", "one2one"),
    "one2many": ("one2many", "one2many"),
}


def summary(head: Head | None) -> tuple[Any, ...]:
    assert head is not None
    strides = tuple(s.stride for s in head.scales)
    return head.kind, head.branch, head.classes, head.reg_max, strides, head.input_size


@pytest.mark.parametrize("renamed", [False, True])
@pytest.mark.parametrize("name", SHARED)
def test_every_export_of_yolov10_is_recognised(
    shared: Path, scrambled: Any, name: str, renamed: bool
) -> None:
    import onnx

    model = onnx.load(shared / f"models/yolov10n_{name}.onnx")
    graph = y10c.load(scrambled(model) if renamed else model)
    assert summary(recognize(graph)) == (*SHARED[name], 80, 16, (8, 16, 32), (640, 640))


@pytest.mark.parametrize(
    "name", ["yolov5nu_640", "yolov8n_640", "yolov10n_640", "yolo11n_640", "yolo12s_640"]
)
def test_heads_cut_from_other_networks_are_recognised(shared: Path, name: str) -> None:
    data = lzma.decompress((shared / f"skeletons/{name}_headcut.onnx.xz").read_bytes())
    import onnx

    graph = y10c.load(onnx.load_from_string(data))
    expected = {n: graph.outputs[graph.output_names.index(n)].type for n in RAW_NAMES}
    head = recognize(graph)
    assert summary(head) == ("raw", "unknown", 80, 16, (8, 16, 32), (640, 640))
    fold_head(graph, "raw")
    assert graph.output_names == RAW_NAMES
    assert dict(zip(graph.output_names, (v.type for v in graph.outputs), strict=True)) == expected


@pytest.mark.parametrize("name", ["ppocr_cls", "ppocr_det"])
def test_other_networks_have_no_head_and_stay_as_they_are(shared: Path, name: str) -> None:
    graph = y10c.load(shared / f"models/{name}.onnx")
    before = str(graph)
    assert recognize(graph) is None
    assert not decode_tail(graph)
    assert not fold_head(graph, "raw").found
    assert str(graph) == before


@pytest.mark.parametrize(
    ("end", "kind", "branch"),
    [
        ("e2e", "e2e", "one2one"),
        ("center", "one2many", "one2many"),
        ("nms", "nms", "one2many"),
        ("joined", "raw", "unknown"),
        ("nchw", "raw", "unknown"),
    ],
)
@pytest.mark.parametrize("joined", [False, True, "scale"])
def test_every_end_gives_the_same_logits(
    make_head: Any, run: Any, end: str, kind: str, branch: str, joined: bool
) -> None:
    head = make_head(end=end, classes=3, reg_max=16, joined=joined, seed=3)
    graph = y10c.load(head.model)
    found = recognize(graph)
    assert found is not None
    assert (found.kind, found.branch) == (kind, branch)
    info = fold_head(graph, "raw")
    outputs = run(graph.to_onnx(), image := head.image(0, 2))
    assert list(outputs) == list(info.outputs) == RAW_NAMES
    for role in (0, 1):
        maps = [outputs[n] for n in RAW_NAMES[role::2]]
        ours = np.concatenate([m.reshape(-1, m.shape[3]) for m in maps])
        np.testing.assert_array_equal(ours, head.logits(image, role))


def test_as_many_classes_as_box_channels_are_told_apart_by_what_follows(make_head: Any) -> None:
    for joined in (False, True, "scale"):
        head = make_head(classes=64, reg_max=16, joined=joined)
        found = recognize(y10c.load(head.model))
        assert found is not None
        for scale in found.scales:
            np.testing.assert_array_equal(
                scale.cls.operands[1].numpy()[:, :, 0, 0], head.weights[scale.stride][0]
            )


@pytest.mark.parametrize("end", ["center", "nms"])
def test_one_to_many_has_no_e2e_and_says_so(make_head: Any, end: str) -> None:
    graph = y10c.load(make_head(end=end, reg_max=16).model)
    info = fold_head(graph, "e2e")
    assert info.mode == "raw"
    assert info.needs_nms is True
    assert "NMS" in info.notes[0]
    assert all(op.name != "NonMaxSuppression" for op in graph.ops)


def test_description_survives_json_and_export(make_head: Any) -> None:
    graph = y10c.load(make_head(end="center").model)
    info = fold_head(graph, "raw")
    assert HeadInfo.from_json(info.to_json()) == HeadInfo.from_json(
        y10c.load(graph.to_onnx()).info.metadata[METADATA_KEY]
    )
    assert (info.classes, info.reg_max, info.strides) == (3, 4, (8, 16, 32))


def test_branch_is_remembered_where_the_graph_no_longer_shows_it(make_head: Any) -> None:
    graph = y10c.load(make_head(end="e2e").model)
    fold_head(graph, "raw")
    again = y10c.load(graph.to_onnx())
    assert fold_head(again, "raw").needs_nms is False


def test_unknown_mode_is_an_error_of_usage(make_head: Any) -> None:
    with pytest.raises(UnknownNameError, match="e2d"):
        fold_head(y10c.load(make_head().model), "e2d")


def test_pass_leaves_tail_and_description(make_head: Any) -> None:
    graph, context = y10c.load(make_head().model), PassContext()
    FoldHead("e2e").run(graph, context)
    assert context.tables[HeadInfo].mode == "e2e"
    assert context.tables[Tail] == decode_tail(graph)
    assert str(FoldHead("e2e")) == "fold-head{mode=e2e}"
    assert is_tail(graph.outputs[0].producer)


def test_pass_warns_where_it_cannot_do_as_asked(make_head: Any) -> None:
    with collect() as warnings:
        FoldHead("e2e").run(y10c.load(make_head(end="center").model), PassContext())
    assert [w.code for w in warnings] == ["Y5006"]
    assert all("one-to-one" in (w.help or "") for w in warnings)


def test_other_networks_are_warned_of_only_where_a_head_was_asked_for() -> None:
    text = '<ir_version: 8, opset_import: ["" : 17]> g (float[1,3] x) => (float[1,3] y) { y = Softmax(x) }'
    for mode, expected in (("auto", []), ("keep", []), ("raw", ["Y5006"]), ("e2e", ["Y5006"])):
        with collect() as warnings:
            FoldHead(mode).run(y10c.load(parser.parse_model(text)), PassContext())
        assert [w.code for w in warnings] == expected


def test_a_detector_that_decodes_otherwise_is_warned_of_unasked(make_head: Any) -> None:
    with collect() as warnings:
        FoldHead("auto").run(y10c.load(make_head(offset=0.0).model), PassContext())
    assert [w.code for w in warnings] == ["Y5006"]


@pytest.mark.parametrize("classes", [64, 4])
def test_where_only_the_order_tells_the_logits_apart_that_is_said(make_head: Any, classes: int) -> None:
    model = make_head(end="nchw", classes=classes, reg_max=classes // 4).model
    info = fold_head(y10c.load(model), "raw")
    assert any("nothing tells" in note for note in info.notes)
    assert not fold_head(
        y10c.load(make_head(end="joined", classes=classes, reg_max=classes // 4).model)
    ).notes


def test_corners_that_are_not_ranked_may_need_suppression(make_head: Any) -> None:
    """Only ranking without suppression shows a one-to-one head."""
    info = fold_head(y10c.load(make_head(end="corners", reg_max=16).model), "raw")
    assert (info.kind, info.branch, info.needs_nms) == ("eval", "unknown", None)


def test_a_head_of_two_classes_is_not_taken_for_one_with_centers(make_head: Any) -> None:
    """Its row indices are divided by two."""
    head = recognize(y10c.load(make_head(classes=2).model))
    assert head is not None
    assert (head.kind, head.branch) == ("e2e", "one2one")


@pytest.mark.parametrize("mode", ["raw", "e2e"])
def test_the_picture_need_not_be_the_first_input(make_head: Any, mode: str) -> None:
    model = make_head().model
    scale = helper.make_tensor_value_info("scale", 1, [2, 2])
    inputs = [scale, *model.graph.input]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    graph = y10c.load(model)
    assert fold_head(graph, mode).mode == mode
    assert [v.name for v in graph.inputs] == ["scale", "images"]
    assert all(v.shape is not None and v.shape[0] == 1 for v in graph.outputs)


def test_an_input_with_channels_last_is_measured(make_head: Any) -> None:
    model = make_head(end="nchw", reg_max=16).model
    shape = model.graph.input[0].type.tensor_type.shape
    for dim, extent in zip(shape.dim, (1, 32, 32, 3), strict=True):
        dim.dim_value = extent
    model.graph.input[0].name = "pixels"
    moved = helper.make_node("Transpose", ["pixels"], ["images"], perm=[0, 3, 1, 2])
    model.graph.node.insert(0, moved)
    head = recognize(y10c.load(model))
    assert head is not None
    assert head.input_size == (32, 32)
    assert [s.stride for s in head.scales] == [8, 16, 32]


def test_a_tail_that_decodes_otherwise_is_left_alone(make_head: Any) -> None:
    graph = y10c.load(make_head(offset=0.0).model)
    before = str(graph)
    info = fold_head(graph, "e2e")
    assert not info.found
    assert "otherwise" in info.notes[0]
    assert str(graph) == before


@pytest.mark.parametrize("mode", ["raw", "e2e"])
def test_bins_that_are_not_whole_are_kept(make_head: Any, mode: str) -> None:
    bins = (0.0, 0.9375, 2.0625, 3.0)
    graph = y10c.load(make_head(bins=bins).model)
    assert fold_head(graph, mode).bins == bins
    if mode == "e2e":
        again = recognize(y10c.load(graph.to_onnx()))
        assert again is not None
        assert again.bins == bins


def test_suppression_inside_a_nested_graph_is_seen(make_head: Any) -> None:
    from onnx import TensorProto, helper

    model = make_head(end="nms", reg_max=16).model
    (node,) = [n for n in model.graph.node if n.op_type == "NonMaxSuppression"]
    inner = helper.make_tensor_value_info("chosen", TensorProto.INT64, None)
    nested = type(node)()
    nested.CopyFrom(node)
    nested.output[0] = "chosen"
    branch = helper.make_graph([nested], "suppress", [], [inner])
    condition = helper.make_node("Constant", [], ["yes"], value=helper.make_tensor("v", 9, [], [True]))
    chosen = helper.make_node("If", ["yes"], list(node.output), then_branch=branch, else_branch=branch)
    model.graph.node.remove(node)
    model.graph.node.extend([condition, chosen])
    head = recognize(y10c.load(model))
    assert head is not None
    assert head.kind == "nms"
