"""What a folder of data becomes, and what is said about bad data."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from y10c.calib.dataset import open_dataset
from y10c.calib.preprocess import Preprocess
from y10c.errors import DataError, ModelError

SHAPE = (1, 3, 32, 48)


def save_image(path, size=(40, 30), seed=0, mode="RGB"):
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)


def save_tensor(path, array=None, seed=0):
    np.save(path, np.random.default_rng(seed).random(SHAPE, np.float32) if array is None else array)


def error_of(path, shape=SHAPE, **settings):
    with pytest.raises(DataError) as caught:
        list(open_dataset(path, input_shape=shape, **settings).samples())
    return caught.value


@pytest.mark.parametrize("suffix", ["jpg", "jpeg", "png", "bmp", "webp", "PNG"])
def test_images_of_any_size_become_letterboxed_tensors(tmp_path, suffix):
    save_image(tmp_path / f"a.{suffix}", (100, 20))
    (sample,) = open_dataset(tmp_path, input_shape=SHAPE).samples()
    assert (sample.name, sample.array.shape, sample.array.dtype) == (f"a.{suffix}", SHAPE, np.float32)
    assert np.all(sample.array[0, :, 0] == np.float32(114 / 255))
    assert sample.array.flags.c_contiguous


def test_pixels_are_divided_by_255_to_the_last_bit():
    assert np.array_equal(Preprocess().levels(1)[0], np.arange(256, dtype=np.float32) / 255)


def test_mean_scale_std_order_and_layout(tmp_path):
    Image.new("RGB", (4, 4), (10, 20, 30)).save(tmp_path / "a.png")
    chosen = Preprocess(mean=(1, 2, 3), scale=(0.5,), std=(2.0,), order="BGR", layout="NHWC", fit="resize")
    (sample,) = open_dataset(tmp_path, input_shape=(1, 4, 4, 3), preprocess=chosen).samples()
    assert sample.array[0, 0, 0].tolist() == [29 / 4, 18 / 4, 7 / 4]


def test_the_layout_follows_from_the_shape(tmp_path):
    save_image(tmp_path / "a.png")
    (sample,) = open_dataset(tmp_path, input_shape=("batch", 32, 48, 3)).samples()
    assert sample.array.shape == (1, 32, 48, 3)


def test_an_integer_input_takes_rounded_pixels(tmp_path):
    save_image(tmp_path / "a.png", (48, 32))
    chosen = Preprocess(scale=(1.0,))
    (sample,) = open_dataset(tmp_path, input_shape=SHAPE, dtype=np.uint8, preprocess=chosen).samples()
    assert np.array_equal(sample.array[0].transpose(1, 2, 0), np.asarray(Image.open(tmp_path / "a.png")))


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "LA"])
def test_other_colour_modes_are_converted(tmp_path, mode):
    save_image(tmp_path / "a.png", mode=mode)
    (sample,) = open_dataset(tmp_path, input_shape=SHAPE).samples()
    assert sample.array.shape == SHAPE


def test_files_are_sorted_by_name_and_a_limit_spreads_over_them(tmp_path):
    for index in (9, 1, 5, 3, 7):
        save_image(tmp_path / f"{index}.png", seed=index)
    assert open_dataset(tmp_path, input_shape=SHAPE).names == [f"{i}.png" for i in (1, 3, 5, 7, 9)]
    assert open_dataset(tmp_path, input_shape=SHAPE, limit=3).names == ["1.png", "5.png", "9.png"]


@pytest.mark.parametrize("shape", [SHAPE, SHAPE[1:], (4, *SHAPE[1:]), (4, *SHAPE)])
def test_npy_files_hold_one_sample_or_many(tmp_path, shape):
    array = np.random.default_rng(0).random(shape, np.float32)
    np.save(tmp_path / "a.npy", array)
    samples = list(open_dataset(tmp_path / "a.npy", input_shape=SHAPE).samples())
    assert len(samples) == max(1, array.size // int(np.prod(SHAPE)))
    assert np.array_equal(np.concatenate([s.array for s in samples]).reshape(shape), array)


def test_inputs_that_are_no_images_take_npy_tensors(tmp_path):
    np.save(tmp_path / "a.npy", np.random.default_rng(0).random((5, 7), np.float32))
    assert len(open_dataset(tmp_path, input_shape=("n", 7))) == 5


def test_data_that_is_not_there(tmp_path):
    assert "no such calibration data" in error_of(tmp_path / "none").message
    assert "is empty" in error_of(tmp_path).message
    (tmp_path / "a.txt").write_text("x")
    assert "no data file among its 1 entries" in error_of(tmp_path).message
    assert "one .npy file" in error_of(tmp_path / "a.txt").message


def test_an_image_that_does_not_decode_is_named_and_skipped(tmp_path):
    save_image(tmp_path / "good.png")
    save_image(tmp_path / "short.png", (200, 200))
    whole = (tmp_path / "short.png").read_bytes()
    (tmp_path / "short.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.jpg").write_text("this is not a picture")
    data = open_dataset(tmp_path, input_shape=SHAPE)
    assert [sample.name for sample in data.samples()] == ["good.png"]
    assert [(f.severity, f.file) for f in data.findings] == [
        ("warning", "short.png"),
        ("warning", "text.jpg"),
    ]
    assert "not an image" in data.findings[1].sentence


def test_a_folder_of_nothing_but_undecodable_images_is_an_error(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff")
    error = error_of(tmp_path)
    assert (error.code, error.where) == ("Y3101", "a.jpg")


def test_images_of_16_bits_are_refused_by_name(tmp_path):
    Image.fromarray(np.full((4, 4), 40_000, np.uint16)).save(tmp_path / "deep.png")
    assert "8 bits" in error_of(tmp_path).message


@pytest.mark.parametrize(("value", "text"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")])
def test_nan_and_inf_name_the_file_and_the_place(tmp_path, value, text):
    array = np.zeros((2, *SHAPE[1:]), np.float32)
    array[1, 2, 3, 4] = value
    save_tensor(tmp_path / "bad.npy", array)
    error = error_of(tmp_path)
    assert error.code == "Y3103"
    assert f"bad.npy[1] holds {text} at [0, 2, 3, 4]" in error.message
    assert error.where == str(tmp_path / "bad.npy")


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((1, 3, 8, 8), np.float32), "1x3x8x8, the input is 1x3x32x48"),
        (np.zeros(SHAPE, np.float64), "float64, the input is float32"),
        (np.zeros(SHAPE, np.uint8), "uint8, the input is float32"),
        (np.zeros((0, *SHAPE[1:]), np.float32), "0x3x32x48"),
        (np.float32(1), "a scalar"),
    ],
)
def test_tensors_that_do_not_fit_say_what_is_wanted(tmp_path, array, said):
    save_tensor(tmp_path / "a.npy", array)
    error = error_of(tmp_path)
    assert error.code == "Y3102"
    assert said in error.message


@pytest.mark.parametrize("content", [b"", b"text", b"\x93NUMPY\x01\x00"])
def test_files_that_are_no_npy_are_skipped(tmp_path, content):
    (tmp_path / "a.npy").write_bytes(content)
    assert error_of(tmp_path).code == "Y3101"


def test_pickled_objects_are_not_loaded(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object))
    assert "cannot be read" in error_of(tmp_path).message


def test_solid_images_and_duplicates_are_findings(tmp_path):
    Image.new("RGB", (20, 20), (0, 0, 0)).save(tmp_path / "black.png")
    save_image(tmp_path / "one.png")
    save_image(tmp_path / "two.png")
    data = open_dataset(tmp_path, input_shape=SHAPE)
    found = {(f.file, f.sentence) for f in data.check()}
    assert found == {
        ("black.png", "every pixel has the same value"),
        ("two.png", "the same content as one.png"),
    }


def test_constant_samples_alone_are_an_error(tmp_path):
    save_tensor(tmp_path / "a.npy", np.zeros(SHAPE, np.float32))
    found = open_dataset(tmp_path, input_shape=SHAPE).check()
    assert found[0].severity == "error"
    assert "every sample is constant" in found[0].sentence


def test_values_up_to_255_where_1_is_expected_are_an_error_finding(tmp_path):
    save_tensor(tmp_path / "a.npy", np.random.default_rng(0).uniform(0, 255, SHAPE).astype(np.float32))
    (found,) = open_dataset(tmp_path, input_shape=SHAPE).check()
    assert (found.severity, found.file) == ("error", "a.npy")
    assert "far larger than the expected 0 to 1" in found.sentence


def test_values_up_to_1_where_255_is_expected_are_a_warning(tmp_path):
    save_tensor(tmp_path / "a.npy")
    (found,) = open_dataset(tmp_path, input_shape=SHAPE, preprocess=Preprocess(scale=(1.0,))).check()
    assert found.severity == "warning"


def test_findings_do_not_depend_on_the_order_of_loading(tmp_path):
    for name in "abcd":
        save_image(tmp_path / f"{name}.png")
    forth, back = (open_dataset(tmp_path, input_shape=SHAPE) for _ in range(2))
    for index in range(4):
        forth.load(index)
        back.load(3 - index)
    assert forth.findings == back.findings
    assert len(forth.findings) == 3


def test_inputs_that_cannot_take_images_say_why(tmp_path):
    save_image(tmp_path / "a.png")
    assert "4 dimensions" in error_of(tmp_path, (1, 10)).message
    assert "has 7" in error_of(tmp_path, (1, 7, 8, 8)).message


def test_an_unknown_shape_asks_for_it(tmp_path):
    save_image(tmp_path / "a.png")
    with pytest.raises(ModelError, match="not known") as caught:
        open_dataset(tmp_path, input_shape=(1, 3, "height", None))
    assert caught.value.code == "Y3004"
