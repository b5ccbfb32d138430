"""Mixed precision: sensitivity without whole runs, a budget that holds, files and names understood."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

import y10c
from y10c.calib.feeds import open_feeds
from y10c.cost.precision import mac_shares
from y10c.errors import ConfigError, UnknownNameError
from y10c.frontend.importer import load
from y10c.ir.types import QuantParams
from y10c.passes.int8.output_error import SignalError
from y10c.passes.int8.sensitivity import Trial, fake_quantized, measure
from y10c.pipeline.result import Result
from y10c.quant.options import QuantOptions

Net = Callable[..., onnx.ModelProto]


def compiled(net: Net, photos: Path, **options: object) -> Result:
    quant = QuantOptions(**options)  # type: ignore[arg-type]
    return y10c.compile(net(), calibration=photos, head="keep", quant=quant)


def test_running_only_what_lies_behind_gives_what_a_whole_run_gives(net: Net, photos: Path) -> None:
    model = net()
    feeds = open_feeds({v.name: v.tensor_type for v in load(model).inputs}, photos)
    params = QuantParams((0.05,), (3,))
    found = measure(model, [Trial({"a1": (8, params)}, "a1")], feeds, SignalError(("out",)))
    whole = onnx.ModelProto.FromString(model.SerializeToString())
    for node in whole.graph.node:
        node.input[:] = ["a1q" if name == "a1" else name for name in node.input]
    pair = [
        onnx.helper.make_node("QuantizeLinear", ["a1", "scale", "zero"], ["a1i"]),
        onnx.helper.make_node("DequantizeLinear", ["a1i", "scale", "zero"], ["a1q"]),
    ]
    for node in reversed(pair):
        whole.graph.node.insert(3, node)
    whole.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(0.05), "scale"))
    whole.graph.initializer.append(onnx.numpy_helper.from_array(np.int8(3), "zero"))
    assert found["a1"] == pytest.approx(noise_share(model, whole, photos), rel=1e-4)
    assert found["a1"] > 1e-6


def test_a_tensor_on_fewer_samples_gives_what_a_measurement_on_those_alone_gives(
    net: Net, photos: Path
) -> None:
    model = net()
    feeds = open_feeds({v.name: v.tensor_type for v in load(model).inputs}, photos).limited(3)
    trials = [Trial({name: (8, QuantParams((0.05,), (3,)))}, name) for name in ("a1", "image")]
    error = SignalError(("out",))
    mixed = measure(model, trials, feeds, error, samples=[1, 3])
    assert mixed["a1"] == measure(model, trials[:1], feeds.limited(1), error)["a1"]
    assert mixed["image"] == measure(model, trials[1:], feeds, error)["image"]
    assert mixed["a1"] != measure(model, trials[:1], feeds, error)["a1"]


def noise_share(reference: onnx.ModelProto, other: onnx.ModelProto, photos: Path) -> float:
    import onnxruntime as ort

    feeds = open_feeds({v.name: v.tensor_type for v in load(reference).inputs}, photos)
    sessions = [ort.InferenceSession(m.SerializeToString()) for m in (reference, other)]
    shares = []
    for sample in feeds["image"].samples():
        a, b = (s.run(None, {"image": sample.array})[0].astype(float) for s in sessions)
        shares.append(np.square(a - b).sum() / np.square(a).sum())
    return float(np.mean(shares))


def test_fake_quantization_is_that_of_onnx() -> None:
    x = np.linspace(-9, 9, 1001).astype(np.float32)
    found = fake_quantized(x, 8, QuantParams((0.05,), (3,)))
    steps = np.clip(np.rint(x / np.float32(0.05)) + 3, -128, 127)
    np.testing.assert_allclose(found, (steps - 3) * np.float32(0.05), atol=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6, 1.0])
def test_the_budget_holds_and_the_report_says_what_the_model_has(
    net: Net, photos: Path, share: float
) -> None:
    result = compiled(net, photos, int16_macs=share)
    wide = sum(s for bits, s in mac_shares(load(result.model)).items() if 16 in bits)
    assert result.precision is not None
    assert wide == pytest.approx(result.precision.share)
    assert wide <= share + 1e-9
    assert (wide > 0) == (share > 0.1)


def test_more_bits_are_not_worse(net: Net, photos: Path) -> None:
    cosines = []
    for share in (0.0, 1.0):
        worst = compiled(net, photos, int16_macs=share, rounding=False).worst_output
        assert worst is not None
        cosines.append(worst.cosine)
    assert cosines[1] > cosines[0]


def test_a_written_choice_can_be_given_back(net: Net, photos: Path, tmp_path: Path) -> None:
    quant = QuantOptions(int16_macs=0.6)
    first = y10c.compile(net(), calibration=photos, head="keep", output=tmp_path / "a", quant=quant)
    assert json.loads(first.files["mixed"].read_text())["int16"]
    again = compiled(net, photos, mixed=first.files["mixed"])
    assert again.model.graph == first.model.graph


def test_nodes_and_tensors_can_be_named(net: Net, photos: Path) -> None:
    model = net()
    for node in model.graph.node:
        node.name = f"n_{node.output[0]}"
    types = {"n_c3": "int16", "a1": "int8", "n_deep": "float32"}
    quant = QuantOptions(mixed="off", node_types=types)
    result = y10c.compile(model, calibration=photos, head="keep", quant=quant)
    shares = mac_shares(load(result.model))
    assert any(bits[0] == 16 for bits in shares)
    assert any(bits == (32, 32) for bits in shares)


def test_names_that_nothing_has_are_refused(net: Net, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="nowhere"):
        compiled(net, photos, mixed="off", node_types={"nowhere": "int16"})
    file = tmp_path / "mixed.json"
    with pytest.raises(ConfigError, match="cannot be read"):
        compiled(net, photos, mixed=file)
    file.write_text('{"int8": []}')
    with pytest.raises(ConfigError, match="int16"):
        compiled(net, photos, mixed=file)


def test_a_bound_on_latency_needs_a_cost_model_and_holds(net: Net, photos: Path) -> None:
    free = compiled(net, photos, mixed="off").cost
    bound = compiled(net, photos, latency=0.0).cost
    assert free is not None
    assert bound is not None
    assert bound.result.summary.latency_ms <= free.result.summary.latency_ms * 1.001
