"""The zoo's YOLOv10: sizes and structure of the paper, and weights that behave like trained ones."""

from __future__ import annotations

import lzma
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from y10c.errors import UnknownNameError, UsageError
from y10c.zoo import VARIANTS, cost, noise_images, yolov10
from y10c.zoo.cost import convolutions
from y10c.zoo.graph import scope

SMALL = 128
LARGE = pytest.mark.slow(reason="tens of millions of weights are drawn and run")
EVERY = [pytest.param(name, marks=[] if name in "ns" else [LARGE]) for name in VARIANTS]


def run(model: onnx.ModelProto, images: np.ndarray) -> list[np.ndarray]:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 2
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [np.asarray(x) for x in session.run(None, {"images": images})]


def shapes(model: onnx.ModelProto) -> dict[str, list[int]]:
    return {o.name: [d.dim_value for d in o.type.tensor_type.shape.dim] for o in model.graph.output}


@pytest.mark.parametrize("variant", EVERY)
def test_parameters_and_gflops_are_those_of_the_paper(variant: str) -> None:
    counted = cost(yolov10(variant))
    assert counted.parameters / 1e6 == pytest.approx(VARIANTS[variant].parameters, rel=0.02)
    assert counted.flops / 1e9 == pytest.approx(VARIANTS[variant].gflops, rel=0.02)


@pytest.mark.parametrize("variant", ["n", pytest.param("m", marks=LARGE), pytest.param("l", marks=LARGE)])
def test_convolutions_equal_those_of_the_published_graph(variant: str, shared: Path) -> None:
    packed = shared / "skeletons" / f"yolov10{variant}_640_headcut.onnx.xz"
    skeleton = onnx.load_model_from_string(lzma.decompress(packed.read_bytes()))
    expected = convolutions(onnx.shape_inference.infer_shapes(skeleton))
    assert Counter(convolutions(yolov10(variant, output="raw"))) == Counter(expected)


def test_nodes_carry_the_names_that_exporters_give(shared: Path) -> None:
    exported = onnx.load(shared / "models" / "yolov10n_e2e.onnx")
    named = {n.name for n in exported.graph.node if n.op_type == "Conv"}
    assert {n.name for n in yolov10("n").graph.node if n.op_type == "Conv"} == named


def test_the_end_to_end_tail_has_the_operations_of_the_exported_one(shared: Path) -> None:
    exported = onnx.load(shared / "models" / "yolov10n_e2e.onnx")
    ours = yolov10("n")
    assert Counter(n.op_type for n in ours.graph.node) == Counter(n.op_type for n in exported.graph.node)


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("model.22.m.0.cv1.0.conv", "/model.22/m.0/cv1/cv1.0/conv"),
        ("model.10.ffn.0.act", "/model.10/ffn/ffn.0/act"),
        ("model.23.cv3.0.1.0.conv", "/model.23/cv3.0/cv3.0.1/cv3.0.1.0/conv"),
    ],
)
def test_scopes(module: str, expected: str) -> None:
    assert scope(module) == expected


@pytest.mark.parametrize(
    ("heads", "output"),
    [
        (heads, output)
        for heads in ("one2one", "one2many", "dual")
        for output in ("e2e", "decoded", "raw")
        if (heads, output) != ("one2many", "e2e")  # needs NMS, refused
    ],
)
def test_every_form_is_valid_and_runs(heads: Any, output: Any) -> None:
    model = yolov10("n", size=SMALL, heads=heads, output=output, batch=2)
    onnx.checker.check_model(model, full_check=True)
    results = run(model, noise_images(2, SMALL))
    assert [list(x.shape) for x in results] == list(shapes(model).values())
    assert all(np.isfinite(x).all() for x in results)


@pytest.mark.parametrize("variant", EVERY)
def test_every_variant_passes_the_full_check_and_runs(variant: str) -> None:
    model = yolov10(variant, size=64)
    onnx.checker.check_model(model, full_check=True)
    (found,) = run(model, noise_images(1, 64))
    assert found.shape == (1, 84, 6)


@pytest.mark.parametrize("opset", [13, 17, 18, 21, 22, 23])
def test_every_opset_gives_the_same_detections(opset: int) -> None:
    images = noise_images(1, SMALL)
    model = yolov10("n", size=SMALL, opset=opset)
    onnx.checker.check_model(model, full_check=True)
    expected = run(yolov10("n", size=SMALL), images)[0]
    np.testing.assert_allclose(run(model, images)[0], expected, rtol=1e-3, atol=1e-3)


def test_raw_outputs_are_nhwc_class_first() -> None:
    assert shapes(yolov10("n", output="raw")) == {
        "cls8": [1, 80, 80, 80],
        "box8": [1, 80, 80, 64],
        "cls16": [1, 40, 40, 80],
        "box16": [1, 40, 40, 64],
        "cls32": [1, 20, 20, 80],
        "box32": [1, 20, 20, 64],
    }


def test_detections_are_the_best_of_the_decoded_anchors() -> None:
    images = noise_images(1, SMALL)
    (found,) = run(yolov10("n", size=SMALL), images)
    (decoded,) = run(yolov10("n", size=SMALL, output="decoded"), images)
    best = np.sort(decoded[0, 4:].ravel())[::-1][: found.shape[1]]
    np.testing.assert_allclose(found[0, :, 4], best, rtol=1e-5, atol=1e-7)
    anchor = int(np.argmax(decoded[0, 4:].max(axis=0)))
    np.testing.assert_allclose(found[0, 0, :4], decoded[0, :4, anchor], rtol=1e-4, atol=1e-3)


def test_the_same_arguments_give_the_same_bytes() -> None:
    from y10c.zoo.weights import trained_like

    first = yolov10("n", size=SMALL).SerializeToString(deterministic=True)
    trained_like.cache_clear()
    assert yolov10("n", size=SMALL).SerializeToString(deterministic=True) == first
    assert yolov10("n", size=SMALL, seed=1).SerializeToString(deterministic=True) != first


def test_a_layer_keeps_its_weights_whatever_the_heads_and_the_size() -> None:
    def weights(model: onnx.ModelProto) -> dict[str, bytes]:
        return {t.name: t.raw_data for t in model.graph.initializer if t.name.endswith(".weight")}

    one, both = weights(yolov10("n")), weights(yolov10("n", size=SMALL, heads="dual"))
    assert one.items() <= both.items()


HANDFUL = [*((v, s, []) for v in "ns" for s in (320, 640)), *((v, 320, [LARGE]) for v in "mblx")]


@pytest.mark.parametrize(("variant", "size"), [pytest.param(v, s, marks=m) for v, s, m in HANDFUL])
def test_a_handful_of_anchors_scores_high_and_none_is_certain(variant: str, size: int) -> None:
    model = yolov10(variant, size=size, output="decoded")
    best = [run(model, noise_images(1, size, seed=seed))[0][0, 4:].max(axis=0) for seed in (97, 98, 99)]
    counts = [int((scores > 0.25).sum()) for scores in best]
    assert 3 <= np.median(counts) <= 20, counts
    assert 0.25 < np.median([scores.max() for scores in best]) < 0.95


@pytest.mark.parametrize("variant", EVERY)
def test_activations_stay_in_range_at_every_depth(variant: str) -> None:
    model = yolov10(variant, size=SMALL, output="raw")
    inner = [v for v in model.graph.value_info if v.name.endswith("/conv/Conv_output_0")]
    model.graph.output.extend(inner)
    for value, name in zip(run(model, noise_images(1, SMALL, seed=9)), shapes(model), strict=True):
        if name in {v.name for v in inner}:
            assert 0.1 < value.std() < 2, name
            assert np.abs(value).max() < 25, name


@pytest.mark.parametrize("variant", EVERY)
def test_rounding_of_the_input_does_not_grow_with_depth(variant: str) -> None:
    model = yolov10(variant, size=SMALL, output="raw")
    images = noise_images(1, SMALL, seed=9)
    noise = np.random.default_rng(0).standard_normal(images.shape)
    moved = (images * (1 + 1e-6 * noise)).astype(np.float32)
    for a, b in zip(run(model, images), run(model, moved), strict=True):
        assert np.abs(a - b).max() < 1e-4 * np.abs(a).max()


@pytest.mark.parametrize(
    "wrong",
    [{"size": 100}, {"opset": 9}, {"heads": "one2many"}, {"batch": 0}, {"classes": 0}, {"reg_max": 1}],
)
def test_arguments_out_of_range_are_refused(wrong: Any) -> None:
    with pytest.raises(UsageError):
        yolov10("n", **wrong)


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="yolo"):
        yolov10("yolo")
