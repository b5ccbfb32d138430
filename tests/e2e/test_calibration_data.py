"""Bad calibration data gives a result or a clear error; good data gives the same bytes again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper
from PIL import Image

import y10c
from y10c.errors import DataError, ModelError
from y10c.pipeline.result import Result
from y10c.quant.options import QuantOptions
from y10c.zoo import yolov10

SMALL = """<ir_version: 8, opset_import: ["" : 17]>
small (float[1,3,12,12] image) => (float[1,2,12,12] out)
{
    conv = Conv<pads=[1,1,1,1]>(image, w1, b1)
    gate = Sigmoid(conv)
    act = Mul(conv, gate)
    out = Conv(act, w2)
}"""


def small(w1: NDArray[np.float32] | None = None) -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    model = onnx.parser.parse_model(SMALL)
    arrays = {"w1": (4, 3, 3, 3), "b1": (4,), "w2": (2, 4, 1, 1)}
    weights = {n: rng.normal(0, 0.3, shape).astype(np.float32) for n, shape in arrays.items()}
    weights |= {} if w1 is None else {"w1": w1}
    model.graph.initializer.extend(numpy_helper.from_array(a, n) for n, a in weights.items())
    return model


def tensors(folder: Path, *arrays: NDArray[np.float32]) -> Path:
    folder.mkdir()
    for k, array in enumerate(arrays):
        np.save(folder / f"{k}.npy", array)
    return folder


def noise(count: int = 3) -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(1)
    return [rng.random((1, 3, 12, 12)).astype(np.float32) for _ in range(count)]


def compiled(model: onnx.ModelProto, data: Path, **options: object) -> Result:
    return y10c.compile(model, calibration=data, head="keep", quant=QuantOptions(**options))  # type: ignore[arg-type]


def scales(model: onnx.ModelProto) -> list[float]:
    used = {n.input[1] for n in model.graph.node if n.op_type == "DequantizeLinear"}
    stored = [numpy_helper.to_array(i) for i in model.graph.initializer if i.name in used]
    return [float(v) for array in stored for v in array.reshape(-1)]


def healthy(result: Result) -> bool:
    """Every scale is a usable number and the model runs to finite outputs."""
    import onnxruntime as ort

    session = ort.InferenceSession(result.model.SerializeToString())
    (out,) = session.run(None, {"image": noise(1)[0]})
    return bool(np.isfinite(out).all()) and all(0 < s < np.inf for s in scales(result.model))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_name_the_sample(tmp_path: Path, bad: float) -> None:
    arrays = noise()
    arrays[1][0, 0, 3, 4] = bad
    with pytest.raises(DataError) as caught:
        compiled(small(), tensors(tmp_path / "data", *arrays))
    assert "1.npy" in caught.value.render()


def test_a_network_that_overflows_names_the_tensor(tmp_path: Path) -> None:
    huge = np.full((4, 3, 3, 3), 3e38, np.float32)
    with pytest.raises(DataError, match="NaN or Inf"):
        compiled(small(huge), tensors(tmp_path / "data", *noise()))


def test_weights_that_are_no_numbers_are_named(tmp_path: Path) -> None:
    broken = np.full((4, 3, 3, 3), 0.1, np.float32)
    broken[2, 1, 0, 0] = np.nan
    with pytest.raises((ModelError, DataError), match=r"w1|NaN"):
        compiled(small(broken), tensors(tmp_path / "data", *noise()))


@pytest.mark.parametrize("scheme", ["target", "symmetric"])
@pytest.mark.parametrize("value", [0.0, 0.5])
def test_constant_samples_give_a_model_that_runs(tmp_path: Path, value: float, scheme: str) -> None:
    data = tensors(tmp_path / "data", np.full((1, 3, 12, 12), value, np.float32))
    assert healthy(compiled(small(), data, scheme=scheme))


@pytest.mark.parametrize("scheme", ["target", "symmetric"])
def test_dead_channels_stay_dead(tmp_path: Path, scheme: str) -> None:
    dead = np.random.default_rng(2).normal(0, 0.3, (4, 3, 3, 3)).astype(np.float32)
    dead[1] = 0
    result = compiled(small(dead), tensors(tmp_path / "data", *noise()), scheme=scheme)
    assert healthy(result)
    weights = [
        numpy_helper.to_array(i) for i in result.model.graph.initializer if list(i.dims) == [4, 3, 3, 3]
    ]
    assert len(weights) == 1
    assert not weights[0][1].any()


def test_a_network_of_zeros_compiles(tmp_path: Path) -> None:
    result = compiled(small(np.zeros((4, 3, 3, 3), np.float32)), tensors(tmp_path / "data", *noise()))
    assert healthy(result)


def test_one_image_of_another_size_is_enough(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (31, 57, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "one.png")
    result = compiled(small(), folder)
    assert result.samples == 1
    assert healthy(result)


def test_tensors_of_another_size_are_refused(tmp_path: Path) -> None:
    data = tensors(tmp_path / "data", np.zeros((1, 3, 9, 12), np.float32))
    with pytest.raises(DataError, match="9"):
        compiled(small(), data)


def photographs(folder: Path, size: int) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(4)
    for k in range(5):
        ramp = np.linspace(0, 220, size * size * 3).reshape(size, size, 3)
        pixels = np.clip(np.roll(ramp, 37 * k) + rng.normal(0, 25, ramp.shape), 0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{k}.png")
    return folder


def test_two_runs_and_two_workers_give_the_same_bytes(tmp_path: Path) -> None:
    data = photographs(tmp_path / "photos", 12)
    first, second, third = (
        compiled(small(), data, int16_macs=0.5, workers=w).model.SerializeToString(deterministic=True)
        for w in (0, 0, 2)
    )
    assert first == second == third


@pytest.mark.slow  # a detector is compiled three times, with four processes once
def test_a_detector_compiles_to_the_same_bytes_with_any_number_of_workers(tmp_path: Path) -> None:
    data = photographs(tmp_path / "photos", 160)
    model = yolov10("n", size=160)
    found = [
        y10c.compile(model, calibration=data, head="e2e", quant=QuantOptions(workers=w)).model
        for w in (1, 1, 4)
    ]
    texts = [m.SerializeToString(deterministic=True) for m in found]
    assert texts[0] == texts[1] == texts[2]
