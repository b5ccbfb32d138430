"""Every bad input gives one clear error with its exit code, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from PIL import Image

from y10c.cli.main import main

TINY = """<ir_version: 8, opset_import: ["" : 17]>
tiny (float[1,3,16,16] images) => (float[1,2,16,16] out)
<float[2,3,1,1] w = {1, 2, 3, 4, 5, 6}>
{ out = Conv(images, w) }"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.onnx"
    onnx.save(onnx.parser.parse_model(TINY), path)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (20, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "a.png")
    return folder


def fails(capsys: pytest.CaptureFixture[str], code: int, says: str, *arguments: str | Path) -> None:
    """The command ends with `code` and a message that matches `says`, and writes no output folder."""
    out = Path(os.fspath(arguments[0])).parent / "out"
    assert main(["compile", *map(str, arguments), "-o", str(out)]) == code
    told = capsys.readouterr().err
    assert re.search(says, told), told
    assert told.startswith(("error[Y", "warning[Y"))
    assert "Traceback" not in told
    assert not out.exists()


def test_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fails(capsys, 3, r"no such file[\s\S]*nowhere.onnx", tmp_path / "nowhere.onnx")


def test_text_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "notes.onnx"
    path.write_text("These are my notes about the model. " * 20)
    fails(capsys, 3, r"text file[\s\S]*notes.onnx", path)


def test_truncated_model(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model.write_bytes(model.read_bytes()[:-40])
    fails(capsys, 3, r"damaged|ends too early", model)


def test_directory_as_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    fails(capsys, 3, r"folder, not a model", folder)


def test_empty_calibration_folder(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    fails(capsys, 3, r"folder is empty", model, "--calibration", empty)


def test_missing_calibration_folder(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fails(capsys, 3, r"calibration[\s\S]*nowhere", model, "--calibration", tmp_path / "nowhere")


def test_an_image_that_does_not_decode_is_named_and_skipped(
    model: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "b.jpg").write_bytes(b"not a picture")
    assert main(["compile", str(model), "--calibration", str(photos), "-o", str(tmp_path / "build")]) == 0
    assert re.search(r"warning\[Y5003\][\s\S]*b.jpg", capsys.readouterr().err)


def test_only_images_that_do_not_decode(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "b.jpg").write_bytes(b"not a picture")
    fails(capsys, 3, r"none of the|can be read", model, "--calibration", bad)


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros((1, 3, 8, 8), np.float32), r"1x3x8x8, the input is 1x3x16x16"),
        (np.zeros((1, 3, 16, 16), np.uint8), r"uint8, the input is float32"),
        (np.full((1, 3, 16, 16), np.nan, np.float32), r"holds nan"),
        (np.full((1, 3, 16, 16), np.inf, np.float32), r"holds inf"),
    ],
    ids=["wrong shape", "wrong dtype", "NaN", "Inf"],
)
def test_bad_npy(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], array: np.ndarray, says: str
) -> None:
    np.save(tmp_path / "data.npy", array)
    fails(capsys, 3, rf"{says}[\s\S]*data.npy", model, "--calibration", tmp_path / "data.npy")


def test_dynamic_input_without_shape(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "dynamic.onnx"
    onnx.save(onnx.parser.parse_model(TINY.replace("float[1,3,16,16]", "float[N,3,H,W]")), path)
    fails(capsys, 3, r"open shape[\s\S]*--shape images=", path)


def test_dynamic_input_with_shape(tmp_path: Path) -> None:
    path = tmp_path / "dynamic.onnx"
    onnx.save(onnx.parser.parse_model(TINY.replace("float[1,3,16,16]", "float[N,3,H,W]")), path)
    arguments = ["compile", str(path), "--shape", "images=1x3x16x16", "-o", str(tmp_path / "build"), "-q"]
    assert main(arguments) == 0


@pytest.mark.parametrize("shape", ["images=1x3", "images=axb", "image=1x3x16x16", "images=1x4x16x16"])
def test_wrong_shape_option(model: Path, capsys: pytest.CaptureFixture[str], shape: str) -> None:
    fails(capsys, 2, r"shape|input", model, "--shape", shape)


def test_unknown_target(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fails(capsys, 2, r"did you mean 'ort'", model, "--target", "orrt")


def test_unknown_march(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fails(capsys, 2, r"did you mean 'nash-e'", model, "--march", "nash-ee")


def test_unwritable_output(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["compile", str(model), "-o", str(tmp_path / "file" / "out")]) == 2
    assert "error[Y2004]" in capsys.readouterr().err


def test_nothing_to_quantize_compiles_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "floor.onnx"
    onnx.save(
        onnx.parser.parse_model(
            '<ir_version: 8, opset_import: ["" : 17]> f (float[1,4] x) => (float[1,4] y) { y = Floor(x) }'
        ),
        path,
    )
    assert main(["compile", str(path), "-o", str(tmp_path / "build")]) == 0
    assert "warning[Y5002]" in capsys.readouterr().err


def _heed_interrupts() -> None:
    """A shell that runs the tests in the background lets its children ignore interrupts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
def test_interrupt_in_mid_calibration_leaves_nothing(tmp_path: Path) -> None:
    """Slow: a real process is started and interrupted."""
    folder = tmp_path / "out"
    code = (
        "from y10c.zoo import yolov10; import onnx;"
        f"onnx.save(yolov10('n', size=320, output='raw'), {str(tmp_path / 'n.onnx')!r})"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    command = [sys.executable, "-m", "y10c", "compile", str(tmp_path / "n.onnx"), "-o", str(folder), "-v"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=_heed_interrupts) as process:
        assert process.stderr is not None
        assert any("calibrate" in line for line in process.stderr), "calibration never began"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    assert not folder.exists()
