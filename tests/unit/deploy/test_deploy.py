"""The runtime form equals host preprocessing and the quantized model, for every way to feed it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from y10c.calib.color import nv12_to_rgb, rgb_to_nv12, rgb_to_yuv, to_pixels, yuv_to_rgb
from y10c.config.settings import InputConfig
from y10c.deploy.build import Deployed, deploy
from y10c.deploy.plan import DeployPlan
from y10c.errors import ModelError
from y10c.frontend.importer import load

H, W = 8, 12
RNG = np.random.default_rng(7)
PICTURE = RNG.integers(0, 256, (H, W, 3), dtype=np.uint8)


def initializer(name: str, array: Any) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(array), name)


def model_of(
    nodes: list[onnx.NodeProto],
    constants: dict[str, Any],
    shape: tuple[int, ...],
    outputs: list[str],
    kind: int = TensorProto.FLOAT,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("images", kind, shape)],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [initializer(name, array) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return onnx.shape_inference.infer_shapes(model)


def float_net(channels: int = 3, nhwc: bool = False, pads: int = 0) -> onnx.ModelProto:
    """A convolution, behind a Transpose where the input is NHWC."""
    weight = np.random.default_rng(1).normal(size=(4, channels, 3, 3)).astype(np.float32)
    bias = np.arange(4, dtype=np.float32)
    nodes = [helper.make_node("Transpose", ["images"], ["x"], perm=[0, 3, 1, 2])] if nhwc else []
    conv = helper.make_node("Conv", ["x" if nhwc else "images", "w", "b"], ["y"], "conv", pads=[pads] * 4)
    shape = (1, H, W, channels) if nhwc else (1, channels, H, W)
    return model_of([*nodes, conv], {"w": weight, "b": bias}, shape, ["y"])


def quantized_net(
    scale: float = 1 / 127, zero: int = 0, kind: type = np.int8, reach: int = 127, transpose: bool = True
) -> onnx.ModelProto:
    """Quantized input and weights, and a Transpose to NHWC behind."""
    rng = np.random.default_rng(2)
    weight = rng.integers(-reach, reach + 1, (5, 3, 3, 3)).astype(np.int8)
    factors = rng.uniform(0.001, 0.01, 5).astype(np.float32)
    nodes = [
        helper.make_node("QuantizeLinear", ["images", "s", "z"], ["q"], "quantize"),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["x"]),
        helper.make_node("DequantizeLinear", ["wq", "ws", "wz"], ["w"], axis=0),
        helper.make_node("DequantizeLinear", ["bq", "bs", "bz"], ["b"], axis=0),
        helper.make_node("Conv", ["x", "w", "b"], ["y"], "conv", pads=[1, 1, 1, 1]),
    ]
    nodes += [helper.make_node("Transpose", ["y"], ["t"], "move", perm=[0, 2, 3, 1])] if transpose else []
    constants = {
        "s": np.float32(scale),
        "z": np.array(zero, kind),
        "wq": weight,
        "ws": factors,
        "wz": np.zeros(5, np.int8),
        "bq": rng.integers(-20000, 20000, 5).astype(np.int32),
        "bs": factors * np.float32(scale),
        "bz": np.zeros(5, np.int32),
    }
    return model_of(nodes, constants, (1, 3, H, W), ["t" if transpose else "y"])


def run(model: onnx.ModelProto, feeds: dict[str, Any]) -> list[Any]:
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return list(session.run(None, feeds))


def deployed(model: onnx.ModelProto, **plan: Any) -> Deployed:
    return deploy(load(model), DeployPlan(**plan))


def image_input(**given: Any) -> dict[str, InputConfig]:
    said: dict[str, Any] = {"runtime": "nv12", "training": "rgb", "layout": "NCHW", **given}
    return {"images": InputConfig("images", **said)}


def fed(one: InputConfig) -> tuple[dict[str, Any], np.ndarray]:
    """What the application feeds of the picture, and the trained channels as the host sees them."""
    yuv = rgb_to_yuv(one.video)
    if one.runtime == "nv12":
        y, uv = rgb_to_nv12(PICTURE, one.video)
        feeds = {"images_y": y, "images_uv": uv}
        wide = np.concatenate([y[0], uv[0].repeat(2, 0).repeat(2, 1)], axis=-1).astype(np.float64)
        return feeds, _trained(one, wide, nv12_to_rgb(y, uv, one.video))
    if one.runtime == "yuv444":
        pixels = to_pixels(yuv(PICTURE))
        return {"images": pixels[None]}, _trained(one, pixels, np.clip(yuv_to_rgb(one.video)(pixels), 0, 255))
    if one.runtime == "gray":
        return {"images": PICTURE[None, None, :, :, 0]}, PICTURE[..., :1]
    pixels = PICTURE if one.runtime == "rgb" else PICTURE[..., ::-1].copy()
    return {"images": pixels[None]}, PICTURE if one.training == "rgb" else PICTURE[..., ::-1]


def _trained(one: InputConfig, yuv: np.ndarray, rgb: np.ndarray) -> np.ndarray:
    return {"yuv444": yuv, "rgb": rgb, "bgr": rgb[..., ::-1]}[one.training]


def on_host(model: onnx.ModelProto, one: InputConfig, pixels: np.ndarray) -> list[Any]:
    mean, scale, std = (
        np.asarray(v or [d], np.float64) for v, d in ((one.mean, 0), (one.scale, 1), (one.std, 1))
    )
    real = ((pixels.astype(np.float64) - mean) * scale / std).astype(np.float32)
    array = real[None] if one.layout == "NHWC" else real.transpose(2, 0, 1)[None]
    return run(model, {"images": np.ascontiguousarray(array)})


PAIRS = [
    ("nv12", "rgb"),
    ("nv12", "bgr"),
    ("nv12", "yuv444"),
    ("yuv444", "rgb"),
    ("yuv444", "bgr"),
    ("yuv444", "yuv444"),
    ("rgb", "rgb"),
    ("rgb", "bgr"),
    ("bgr", "rgb"),
    ("bgr", "bgr"),
    ("gray", "gray"),
]
NORMS: list[dict[str, tuple[float, ...]]] = [
    {},
    {"scale": (1 / 255,)},
    {"mean": (127.5,), "scale": (1 / 127.5,)},
    {"mean": (123.675, 116.28, 103.53), "std": (58.395, 57.12, 57.375)},
]


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("norm", NORMS, ids=["none", "scale", "uniform", "imagenet"])
@pytest.mark.parametrize(("runtime", "training"), PAIRS)
def test_every_pair_of_types_equals_the_host(
    runtime: str, training: str, norm: dict[str, tuple[float, ...]], layout: str
) -> None:
    if training == "gray":
        norm = {key: value[:1] for key, value in norm.items()}
    (one,) = image_input(runtime=runtime, training=training, layout=layout, **norm).values()
    model = float_net(1 if training == "gray" else 3, layout == "NHWC", pads=1)
    made = deployed(model, inputs={"images": one})
    feeds, pixels = fed(one)
    (found,), (wanted,) = run(made.graph.to_onnx(), feeds), on_host(model, one, pixels)
    np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-5 * np.abs(wanted).max())
    assert list(feeds) == [v.name for v in made.graph.inputs] == list(made.inputs[0].fed)


@pytest.mark.parametrize("norm", NORMS[:3], ids=["none", "scale", "uniform"])
def test_video_range_equals_the_host(norm: dict[str, tuple[float, ...]]) -> None:
    (one,) = image_input(video=True, **norm).values()
    model = float_net()
    feeds, pixels = fed(one)
    (found,) = run(deployed(model, inputs={"images": one}).graph.to_onnx(), feeds)
    np.testing.assert_allclose(found, on_host(model, one, pixels)[0], rtol=1e-4, atol=1e-3)


def kinds(made: Deployed) -> list[str]:
    return [op.name for op in made.graph.ops]


def test_the_subgraph_of_nv12_is_short() -> None:
    made = deployed(float_net(), inputs=image_input(scale=(1 / 255,)))
    in_front = ["Cast", "Transpose", "Resize", "Cast", "Transpose", "Concat", "Conv", "Clip"]
    assert sorted(kinds(made)) == sorted([*in_front, "Conv"])


def test_a_scale_is_folded_into_the_quantization_where_every_pixel_agrees() -> None:
    model = quantized_net()
    (one,) = image_input(runtime="rgb", scale=(1 / 255,)).values()
    made = deployed(model, inputs={"images": one})
    assert "all 256 pixel values agree" in made.inputs[0].notes[0]
    assert kinds(made).count("Conv") == 1
    feeds, pixels = fed(one)
    (found,) = run(made.graph.to_onnx(), feeds)
    np.testing.assert_allclose(found, on_host(model, one, pixels)[0], rtol=1e-5, atol=1e-5)


def test_a_scale_whose_ties_round_otherwise_is_not_folded() -> None:
    """Two pixel steps to an integer: odd pixels lie on halves, and float32 rounds some to the other side."""
    folded = []
    for factor, steps in zip(np.linspace(0.001, 0.02, 12), [1.7, 2] * 6, strict=True):
        scale = np.float32(factor * steps)
        (one,) = image_input(runtime="rgb", scale=(float(factor),)).values()
        made = deployed(quantized_net(scale=float(scale)), inputs={"images": one})
        pixels = np.arange(256)
        halves = np.rint((pixels * factor).astype(np.float32) / scale)
        agree = (halves == np.rint(pixels.astype(np.float32) / np.float32(scale / factor))).all()
        folded.append(kinds(made).count("Conv") == 1)
        assert folded[-1] == agree, factor
    assert len(set(folded)) == 2


def test_mean_and_scale_are_folded_into_a_float_convolution_without_padding() -> None:
    norm = NORMS[3]
    (one,) = image_input(runtime="rgb", **norm).values()
    for pads, convs in ((0, 1), (1, 2)):
        made = deployed(float_net(pads=pads), inputs={"images": one})
        assert kinds(made).count("Conv") == convs, pads
    (scaled,) = image_input(runtime="rgb", scale=(0.1, 0.2, 0.3)).values()
    assert kinds(deployed(float_net(pads=1), inputs={"images": scaled})).count("Conv") == 1


def integer_output(model: onnx.ModelProto, array: np.ndarray) -> np.ndarray:
    """The accumulators in 64-bit integers."""
    known = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    info = np.iinfo(known["z"].dtype)
    q = np.clip(np.rint(array / known["s"]) + int(known["z"]), info.min, info.max)
    data = np.pad((q - int(known["z"])).astype(np.int64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    kernel = known["wq"].astype(np.int64)
    total = np.zeros((1, 5, H, W), np.int64)
    for i in range(3):
        for j in range(3):
            total += np.einsum("oc,nchw->nohw", kernel[:, :, i, j], data[:, :, i : i + H, j : j + W])
    return total + known["bq"].reshape(1, -1, 1, 1)


@pytest.mark.parametrize("zero", [0, -37])
@pytest.mark.parametrize("kind", [np.int8, np.int16])
@pytest.mark.parametrize("asked", ["type", "node", "tensor"])
def test_without_dequantize_an_output_holds_the_accumulators(zero: int, kind: type, asked: str) -> None:
    scale = 1 / 127 if kind is np.int8 else 1 / 32767
    model = quantized_net(scale, zero, kind)
    plan: dict[str, Any] = {
        "type": {"remove_types": frozenset({"Dequantize"})},
        "node": {"remove_names": frozenset({"conv"})},
        "tensor": {"remove_names": frozenset({"y"})},
    }[asked]
    made = deployed(model, **plan)
    array = RNG.uniform(-1, 1, (1, 3, H, W)).astype(np.float32)
    (found,) = run(made.graph.to_onnx(), {"images": array})
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, integer_output(model, array).transpose(0, 2, 3, 1))
    (real,) = run(model, {"images": array})
    np.testing.assert_allclose(found * np.asarray(made.removed.scales["t"]), real, rtol=1e-4, atol=1e-3)
    assert made.removed.nodes == ["conv (Dequantize)"]


@pytest.mark.parametrize("kind", ["int8", "int16"])
def test_outputs_on_a_grid_and_without_their_dequantize(kind: str) -> None:
    model = quantized_net()
    array = RNG.uniform(-1, 1, (1, 3, H, W)).astype(np.float32)
    (wanted,) = run(model, {"images": array})
    reach = float(np.abs(wanted).max())
    step = reach / (127 if kind == "int8" else 32767)
    plan: dict[str, Any] = {"output_type": kind, "reach": {"t": reach}}
    (real,) = run(deployed(model, **plan).graph.to_onnx(), {"images": array})
    np.testing.assert_allclose(real, wanted, atol=0.51 * step)
    bare = deployed(model, **plan, remove_names=frozenset({"conv"}))
    (integers,) = run(bare.graph.to_onnx(), {"images": array})
    assert str(integers.dtype) == kind
    np.testing.assert_allclose(integers * np.float32(step), real, rtol=1e-5)
    assert bare.removed.scales["t"] == (pytest.approx(step),)


def test_a_transpose_goes_and_the_integers_stay() -> None:
    made = deployed(quantized_net(), remove_types=frozenset({"Transpose", "Dequantize"}))
    assert made.graph.outputs[0].tensor_type.shape == (1, 5, H, W)
    assert made.removed.nodes == ["move", "conv (Dequantize)"]
    assert made.graph.output_names == ["t"]


def test_a_quantize_goes_where_an_input_is_a_featuremap() -> None:
    model = quantized_net()
    (one,) = image_input(runtime="featuremap", training="featuremap", layout="").values()
    made = deployed(model, inputs={"images": one}, remove_types=frozenset({"Quantize"}))
    array = RNG.uniform(-1, 1, (1, 3, H, W)).astype(np.float32)
    integers = np.clip(np.rint(array * 127), -128, 127).astype(np.int8)
    (found,) = run(made.graph.to_onnx(), {"images": integers})
    np.testing.assert_allclose(found, run(model, {"images": array})[0], atol=1e-6)
    assert made.removed.scales["images"] == (pytest.approx(1 / 127),)


def test_softmax_cast_and_reshape_go_in_front_of_an_output() -> None:
    nodes = [
        helper.make_node("Relu", ["images"], ["r"], "relu"),
        helper.make_node("Softmax", ["r"], ["s"], "soft", axis=1),
        helper.make_node("Reshape", ["s", "shape"], ["f"], "flat"),
        helper.make_node("Cast", ["f"], ["c"], "cast", to=TensorProto.FLOAT16),
    ]
    model = model_of(nodes, {"shape": np.array([1, -1])}, (1, 3, H, W), ["c"])
    words = ["Cast", "Reshape", "Softmax"]
    for count in range(4):
        made = deployed(model, remove_types=frozenset(words[:count]))
        assert made.removed.nodes == ["cast", "flat", "soft"][:count]
    assert kinds(made) == ["Relu"]


def test_what_others_read_is_not_removed() -> None:
    nodes = [
        helper.make_node("Softmax", ["images"], ["s"], "soft", axis=1),
        helper.make_node("Neg", ["s"], ["n"], "neg"),
    ]
    model = model_of(nodes, {}, (1, 3, H, W), ["s", "n"])
    made = deployed(model, remove_types=frozenset({"Softmax"}))
    assert made.removed.nodes == []


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("runtime", ["nv12", "rgb"])
def test_a_batch_is_as_many_single_runs(runtime: str, separate: bool) -> None:
    (one,) = image_input(runtime=runtime, scale=(1 / 255,), separate=separate).values()
    model = quantized_net()
    single = deployed(model, inputs={"images": one}).graph.to_onnx()
    made = deployed(model, inputs={"images": one}, batch=3)
    feeds, _ = fed(one)
    several = [{name: np.roll(array, i, axis=1) for name, array in feeds.items()} for i in range(3)]
    if separate:
        batch = {n.replace("images", f"images_{i}"): a for i, f in enumerate(several) for n, a in f.items()}
    else:
        batch = {name: np.concatenate([f[name] for f in several]) for name in feeds}
    assert [v.name for v in made.graph.inputs] == list(batch)
    (found,) = run(made.graph.to_onnx(), batch)
    wanted = np.concatenate([run(single, each)[0] for each in several])
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_batch_follows_through_reshapes() -> None:
    nodes = [
        helper.make_node("Reshape", ["images", "flat"], ["f"], "flatten"),
        helper.make_node("Reshape", ["f", "back"], ["b"], "unflatten"),
    ]
    constants = {"flat": np.array([1, 3 * H * W]), "back": np.array([1, H, W, 3])}
    made = deployed(model_of(nodes, constants, (1, 3, H, W), ["b"]), batch=4)
    array = RNG.normal(size=(4, 3, H, W)).astype(np.float32)
    np.testing.assert_array_equal(run(made.graph.to_onnx(), {"images": array})[0], array.reshape(4, H, W, 3))


def test_a_batch_that_cannot_be_is_an_error() -> None:
    nodes = [helper.make_node("Reshape", ["images", "flat"], ["f"], "flatten")]
    model = model_of(nodes, {"flat": np.array([3 * H * W])}, (1, 3, H, W), ["f"])
    with pytest.raises(ModelError, match="takes only a batch of 1"):
        deployed(model, batch=2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"training": "gray", "runtime": "gray"}, "gray has 1 channels"),
        ({"layout": "NHWC"}, "rgb has 3 channels"),
    ],
)
def test_an_input_that_cannot_hold_the_pixels_is_an_error(given: dict[str, str], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        deployed(float_net(), inputs=image_input(**given))


def test_the_quantized_graph_stays_as_it_is() -> None:
    graph = load(quantized_net())
    before = str(graph)
    deploy(graph, DeployPlan(image_input(), frozenset({"Dequantize"}), batch=2))
    assert str(graph) == before
