"""prepare: bad samples are left out with their reason, good ones written as the runtime feeds them."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from y10c.calib.dataset import open_dataset
from y10c.calib.preprocess import Preprocess
from y10c.cli.main import main
from y10c.config.load import parse_config
from y10c.errors import ConfigError, DataError, OutputError
from y10c.pipeline.preparation import request_of
from y10c.prepare.inspect import files, look
from y10c.prepare.run import prepare, refusals
from y10c.prepare.select import coverage, diverse
from y10c.zoo import yolov10


def _seeds():
    spec = importlib.util.spec_from_file_location("seeds", Path(__file__).with_name("seeds.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["seeds"] = module
    spec.loader.exec_module(module)
    return module


seeds = _seeds()
HEIGHT, WIDTH = seeds.SIZE
CONFIG = f"""
model_parameters: {{onnx_model: none.onnx, march: nash-e}}
input_parameters:
  input_type_rt: nv12
  input_type_train: rgb
  input_layout_train: NCHW
  input_shape: 1x3x{HEIGHT}x{WIDTH}
  scale_value: 0.00392156862745098
calibration_parameters:
  calibration_type: default
compiler_parameters: {{}}
"""


def with_lines(*lines: str) -> str:
    return CONFIG.replace("  calibration_type: default\n", "".join(f"  {line}\n" for line in lines))


def run(config: str, images: Path, output: Path, count: int = 20):
    _, request = request_of(parse_config(config, str(images / "config.yaml")), None, images, count)
    return prepare(request, output)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    seeds.good_folder(folder)
    return folder


def test_every_kind_of_bad_sample_is_refused_and_no_good_one(images: Path, tmp_path: Path) -> None:
    assert len(seeds.BAD) >= 12
    for kind, (make, _) in seeds.BAD.items():
        make(images / f"zz {kind}")
    result = run(CONFIG, images, tmp_path / "out", count=100)
    said = {Path(name).stem.removeprefix("zz "): why for name, why in result.refused.items()}
    assert set(said) == set(seeds.BAD)
    for kind, (_, sentence) in seeds.BAD.items():
        assert sentence in said[kind], (kind, said[kind])
    assert len(result.chosen) == 16


@pytest.mark.parametrize("kind", seeds.BAD)
def test_each_kind_is_refused_where_it_stands_alone(kind: str, tmp_path: Path) -> None:
    make, sentence = seeds.BAD[kind]
    seeds.good_folder(tmp_path, 3)
    make(tmp_path / "zz")
    shape, dtype = (1, 3, HEIGHT, WIDTH), np.dtype(np.float32)
    (why,) = refusals([look(p, p.name, shape, dtype) for p in files(tmp_path)], (0.0, 1.0)).values()
    assert sentence in why


def test_what_is_written_is_what_the_runtime_feeds(images: Path, tmp_path: Path) -> None:
    result = run(CONFIG, images, tmp_path / "out", count=12)
    assert len(list((tmp_path / "out").glob("*.npy"))) == 12
    shape = (1, 3, HEIGHT, WIDTH)
    for name, file in result.chosen.items():
        if name.endswith(".png"):
            with Image.open(images / name) as image:
                wanted = Preprocess().tensor(Preprocess().canvas(image, shape), shape, np.dtype(np.float32))
            np.testing.assert_allclose(np.load(tmp_path / "out" / file), wanted, atol=1e-7)
    manifest = json.loads((tmp_path / "out" / "prepare.json").read_text())
    assert manifest["chosen"] == result.chosen
    assert "Letterbox(size=(64, 96), fill=114)" in manifest["transforms"]


def test_compile_finds_nothing_to_complain_of(images: Path, tmp_path: Path) -> None:
    run(CONFIG, images, tmp_path / "out", count=32)
    data = open_dataset(tmp_path / "out", input_shape=(1, 3, HEIGHT, WIDTH), strict=True)
    assert data.check() == []
    data.require_sound()


def test_normalised_tensors_of_different_pictures_are_no_duplicates(images: Path, tmp_path: Path) -> None:
    """Negative values count too: most of a dark picture lies there."""
    for path in images.glob("*.npy"):
        path.unlink()
    keys = "mean_value: '123.675,116.28,103.53'\n  std_value: '58.395,57.12,57.375'"
    run(CONFIG.replace("scale_value: 0.00392156862745098", keys), images, tmp_path / "out", 14)
    assert open_dataset(tmp_path / "out", input_shape=(1, 3, HEIGHT, WIDTH)).check() == []


@pytest.mark.parametrize(
    ("training", "layout", "keys"),
    [
        ("bgr", "NHWC", "mean_value: '1,2,3'\n  scale_value: '0.1,0.2,0.3'"),
        ("rgb", "NCHW", "mean_value: '123.675,116.28,103.53'\n  std_value: '58.395,57.12,57.375'"),
    ],
)
def test_channels_scale_and_layout_follow_the_config(
    training: str, layout: str, keys: str, images: Path, tmp_path: Path
) -> None:
    config = CONFIG.replace("train: rgb", f"train: {training}").replace("NCHW", layout)
    if layout == "NHWC":
        config = config.replace(f"1x3x{HEIGHT}x{WIDTH}", f"1x{HEIGHT}x{WIDTH}x3")
    for path in images.glob("*.npy"):
        path.unlink()
    result = run(config.replace("scale_value: 0.00392156862745098", keys), images, tmp_path / "out", 3)
    name, file = next(iter(result.chosen.items()))
    found = np.load(tmp_path / "out" / file)
    found = found[0] if layout == "NHWC" else found[0].transpose(1, 2, 0)
    preprocess = Preprocess(
        order="BGR" if training == "bgr" else "RGB",
        mean=(1, 2, 3) if training == "bgr" else (123.675, 116.28, 103.53),
        scale=(0.1, 0.2, 0.3) if training == "bgr" else (1.0,),
        std=(1.0,) if training == "bgr" else (58.395, 57.12, 57.375),
    )
    shape = (1, 3, HEIGHT, WIDTH)
    with Image.open(images / name) as image:
        wanted = preprocess.tensor(preprocess.canvas(image, shape), shape, np.dtype(np.float32))
    np.testing.assert_allclose(found, wanted[0].transpose(1, 2, 0), rtol=1e-5, atol=1e-5)


def test_declared_transforms_are_taken(images: Path, tmp_path: Path) -> None:
    lines = with_lines(
        "transforms:",
        "  - short_side: {length: 100}",
        "  - crop",
        "  - order: {channels: BGR}",
        "  - normalize: {scale: 0.00392156862745098}",
        "  - layout",
    )
    result = run(lines, images, tmp_path / "out", 12)
    name = next(name for name in result.chosen if name.endswith(".png"))
    with Image.open(images / name) as image:
        sized = np.asarray(image.resize((133, 100), Image.Resampling.BILINEAR))
    top, left = (100 - HEIGHT) // 2, (133 - WIDTH) // 2
    wanted = sized[top : top + HEIGHT, left : left + WIDTH, ::-1].transpose(2, 0, 1) / 255
    np.testing.assert_allclose(np.load(tmp_path / "out" / result.chosen[name])[0], wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["transforms: [normalize: {scale: 0.004}, letterbox, layout]"], "letterbox cannot follow normalize"),
        (["transforms: [letterbox, layout, order: {channels: BGR}]"], "layout is the last"),
        (["transforms: [short_side, layout]"], "short_side lacks an option"),
        (["transforms: [letterbox, normalize: {scale: 0.00392}]"], "the transforms make float32"),
        (["transforms: [letterbox, layout]"], "the transforms make uint8"),
    ],
)
def test_chains_that_make_no_sense_are_refused(
    lines: list[str], message: str, images: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        run(with_lines(*lines), images, tmp_path / "out")
    assert message in caught.value.message
    assert not (tmp_path / "out").exists()


def test_a_chain_that_scales_otherwise_than_the_runtime_is_refused(images: Path, tmp_path: Path) -> None:
    lines = with_lines("transforms: [letterbox, normalize: {scale: 1}, layout]")
    with pytest.raises(DataError) as caught:
        run(lines, images, tmp_path / "out")
    assert "far larger than the expected 0 to 1" in caught.value.message


SCRIPT = """
import numpy as np

def shrink(picture):
    assert picture.dtype == np.uint8 and picture.shape[2] == 3
    return picture[:64, :96]

class Scale:
    def __call__(self, picture):
        return (picture / {divisor}).astype(np.float32).transpose(2, 0, 1)

def calibration_transformers():
    return [shrink, Scale()]
"""


def test_the_users_script_is_taken(images: Path, tmp_path: Path) -> None:
    (tmp_path / "preprocess.py").write_text(SCRIPT.format(divisor="255"))
    lines = with_lines(f"preprocess_script: {tmp_path / 'preprocess.py'}")
    result = run(lines, images, tmp_path / "out")
    name = next(name for name in result.chosen if name.endswith(".png"))
    with Image.open(images / name) as image:
        wanted = np.asarray(image)[:64, :96].transpose(2, 0, 1) / 255
    np.testing.assert_allclose(np.load(tmp_path / "out" / result.chosen[name])[0], wanted, atol=1e-6)


def test_a_script_that_forgets_to_scale_is_refused(images: Path, tmp_path: Path) -> None:
    (tmp_path / "preprocess.py").write_text(SCRIPT.format(divisor="1"))
    with pytest.raises(DataError) as caught:
        run(with_lines(f"preprocess_script: {tmp_path / 'preprocess.py'}"), images, tmp_path / "out")
    assert "far larger" in caught.value.message


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("def f(:\n", "SyntaxError", 1),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3", 2),
        ("import nothing_of_this_name\n", "ModuleNotFoundError", 1),
        ("x = 1\n", "has no function calibration_transformers()", None),
        ("def calibration_transformers():\n    return 3\n", "gave int, not a list of callables", None),
        ("def calibration_transformers():\n    return []\n", "not a list of callables", None),
        (
            "def bad(x):\n    return x.nothing\n\ndef calibration_transformers():\n    return [bad]\n",
            "AttributeError",
            2,
        ),
    ],
)
def test_a_broken_script_is_named_with_its_line(
    text: str, message: str, line: int | None, images: Path, tmp_path: Path
) -> None:
    script = tmp_path / "preprocess.py"
    script.write_text(text)
    with pytest.raises(ConfigError) as caught:
        run(with_lines(f"preprocess_script: {script}"), images, tmp_path / "out")
    assert message in caught.value.message
    assert caught.value.where == (f"{script}:{line}" if line else str(script))


def test_too_few_samples_are_an_error_and_fewer_than_asked_a_warning(
    images: Path, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    from y10c import diagnostics

    with diagnostics.collect() as warnings:
        run(CONFIG, images, tmp_path / "out", count=50)
    assert ["16 samples are fit" in w.message for w in warnings] == [True]
    for path in list(images.iterdir())[9:]:
        path.unlink()
    with pytest.raises(DataError) as caught:
        run(CONFIG, images, tmp_path / "again")
    assert "only 9 samples are fit" in caught.value.message


def test_a_diverse_subset_covers_more_than_a_random_one() -> None:
    rng = np.random.default_rng(0)
    clusters = np.concatenate([rng.normal(c, 0.1, (n, 8)) for c, n in ((0, 500), (5, 10), (-5, 3))])
    chosen = diverse(clusters, 6)
    assert len(set(chosen)) == 6
    random = [coverage(clusters, list(rng.choice(513, 6, replace=False))) for _ in range(20)]
    assert coverage(clusters, chosen) < min(random)


def test_the_command_lists_what_it_refused(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import onnx

    onnx.save(yolov10("n", size=64), tmp_path / "n.onnx")
    seeds.BAD["solid colour"][0](images / "flat")
    for path in images.glob("*.npy"):
        path.unlink()
    config = tmp_path / "config.yaml"
    text = CONFIG.replace("none.onnx", str(tmp_path / "n.onnx"))
    config.write_text(text.replace(f"  input_shape: 1x3x{HEIGHT}x{WIDTH}\n", ""))
    arguments = ["prepare", str(images), "-c", str(config), "-o", str(tmp_path / "out"), "-n", "12"]
    assert main([*arguments, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["refused"] == {"flat.png": "every pixel has the same value"}
    assert len(said["chosen"]) == 12
    assert np.load(next((tmp_path / "out").glob("*.npy"))).shape == (1, 3, 64, 64)
    assert main(arguments) == 0
    assert "flat.png" in capsys.readouterr().out


def test_samples_are_never_taken_for_pictures(tmp_path: Path) -> None:
    """Neither those of an earlier run below the pictures, nor those that would stand among them."""
    photos = tmp_path / "photos"
    photos.mkdir()
    seeds.good_folder(photos)
    first = run(CONFIG, photos, photos / "samples")
    assert run(CONFIG, photos, photos / "samples") == first
    before = sorted(photos.rglob("*"))
    with pytest.raises(OutputError, match="taken for pictures"):
        run(CONFIG, photos, photos)
    assert sorted(photos.rglob("*")) == before
