"""What keys may say together. Each rule is a function whose docstring is the rule (published: S1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from y10c.config.inputs import SOURCES
from y10c.config.problems import choices

if TYPE_CHECKING:
    from y10c.config.settings import Config, InputConfig

Rule = Callable[["Config"], None]


class Declared(NamedTuple):
    """A rule and the keys that it reads; it is left out where one of them is wrong by itself."""

    check: Rule
    keys: tuple[str, ...]


RULES: list[Declared] = []

MODEL, INPUT = "model_parameters", "input_parameters"
CALIB, COMPILER = "calibration_parameters", "compiler_parameters"

CONVERSIONS: dict[str, tuple[str, ...]] = {
    "rgb": ("rgb", "bgr", "nv12", "yuv444"),
    "bgr": ("bgr", "rgb", "nv12", "yuv444"),
    "yuv444": ("yuv444", "nv12"),
    "gray": ("gray",),
    "featuremap": ("featuremap",),
}
"""Runtime types for each training type, without those that are not open (published: S1)."""

PER_INPUT = (
    "input_name",
    "input_type_rt",
    "input_type_train",
    "input_layout_train",
    "input_space_and_range",
    "input_shape",
    "mean_value",
    "scale_value",
    "std_value",
)
ONE_CORE = ("nash-b-lite", "nash-b", "nash-b-plus", "nash-e", "nash-m")
NO_SHARED_MEMORY = ONE_CORE


def together(*keys: str) -> Callable[[Rule], Rule]:
    """Register a rule that reads these keys."""

    def declare(check: Rule) -> Rule:
        RULES.append(Declared(check, keys))
        return check

    return declare


def check_together(config: Config, broken: frozenset[str]) -> None:
    """Apply every rule whose keys are all readable."""
    for rule in RULES:
        if not broken & set(rule.keys):
            rule.check(config)


def _wrong(config: Config, key: str, message: str, help: str | None = None) -> None:
    config.findings.wrong(config.place(key), key, message, help)


@together(f"{MODEL}.onnx_model", f"{MODEL}.caffe_model", f"{MODEL}.prototxt")
def one_model(config: Config) -> None:
    """Either onnx_model, or caffe_model with prototxt."""
    caffe = [key for key in ("caffe_model", "prototxt") if config.given(f"{MODEL}.{key}")]
    if config.given(f"{MODEL}.onnx_model"):
        for key in caffe:
            _wrong(config, f"{MODEL}.{key}", "onnx_model and a Caffe model exclude each other", "keep one")
    elif not caffe:
        _wrong(config, f"{MODEL}.onnx_model", "no model is given", "onnx_model: 'model.onnx'")
    elif len(caffe) == 1:
        other = "prototxt" if caffe == ["caffe_model"] else "caffe_model"
        _wrong(config, f"{MODEL}.{caffe[0]}", f"{other} is missing", "a Caffe model is a pair of files")


@together(f"{MODEL}.march")
def march_given(config: Config) -> None:
    """The march is required."""
    if not config.given(f"{MODEL}.march"):
        _wrong(
            config, f"{MODEL}.march", "the march is missing", "J6E and S100: nash-e; J6M and S100P: nash-m"
        )


@together(f"{INPUT}.input_type_rt", f"{INPUT}.input_type_train")
def types_given(config: Config) -> None:
    """Both types of every input are required."""
    for key in ("input_type_rt", "input_type_train"):
        if not config.given(f"{INPUT}.{key}"):
            _wrong(config, f"{INPUT}.{key}", "the type of the input is missing", _allowed_types(key))


def _allowed_types(key: str) -> str:
    from y10c.config.keys import RUNTIME_TYPES, TRAINING_TYPES

    return f"allowed: {', '.join(RUNTIME_TYPES if key == 'input_type_rt' else TRAINING_TYPES)}"


@together()
def equal_counts(config: Config) -> None:
    """Every list has one element an input."""
    given = {key: config[f"{INPUT}.{key}"] for key in PER_INPUT if config.given(f"{INPUT}.{key}")}
    counts = {key: len(values) for key, values in given.items()}
    first = next(iter(counts), None)
    if first is None:
        return
    wanted = counts[first]
    for key, count in counts.items():
        ends_blank = count == wanted + 1 and given[key][-1] is None  # a separator at the end
        if count != wanted and not ends_blank:
            _wrong(config, f"{INPUT}.{key}", f"{count} elements for {wanted} inputs ({first} says {wanted})")
    if wanted > 1 and "input_name" not in counts:
        message = "model has more than one input! It is necessary to explicitly specify all the input_name"
        _wrong(config, f"{INPUT}.{first}", message, "input_name: 'first;second'")


def _inputs(config: Config) -> Iterable[tuple[int, InputConfig]]:
    return enumerate(config.inputs)


def _at(config: Config, key: str, index: int, message: str, help: str | None = None) -> None:
    """A problem at one element of a list."""
    values = config[f"{INPUT}.{key}"]
    value = values[index] if isinstance(values, tuple) and index < len(values) else None
    place = getattr(value, "place", None) or config.place(f"{INPUT}.{key}")
    config.findings.wrong(place, f"{INPUT}.{key}", message, help)


@together(f"{INPUT}.input_type_rt", f"{INPUT}.input_type_train")
def legal_conversion(config: Config) -> None:
    """The runtime type can be converted to the training type."""
    for index, one in _inputs(config):
        legal = CONVERSIONS.get(one.training)
        if legal is not None and one.runtime and one.runtime not in legal:
            _at(
                config,
                "input_type_rt",
                index,
                f"{one.runtime} cannot be converted to {one.training}, on which the model was trained",
                f"for {one.training}: {', '.join(legal)}",
            )


@together(f"{INPUT}.input_type_rt", f"{INPUT}.input_layout_train")
def layout_given(config: Config) -> None:
    """The layout is required unless the input is a featuremap."""
    for index, one in _inputs(config):
        if one.training and one.is_image and not one.layout:
            help = f"input_layout_train: NCHW or NHWC, for {one.training} input"
            _at(config, "input_layout_train", index, "the layout of the input is missing", help)


@together(f"{INPUT}.scale_value", f"{INPUT}.std_value")
def one_scale(config: Config) -> None:
    """scale_value and std_value exclude each other."""
    if config.given(f"{INPUT}.scale_value") and config.given(f"{INPUT}.std_value"):
        help = "std divides, scale multiplies: scale = 1 / std"
        _wrong(config, f"{INPUT}.std_value", "only one of scale_value and std_value can be specified", help)


@together(f"{INPUT}.input_type_train")
def normalized_images_only(config: Config) -> None:
    """mean, scale and std need an image, with one number or one a channel."""
    for key in ("mean_value", "scale_value", "std_value"):
        for index, one in _inputs(config):
            numbers = getattr(one, key.removesuffix("_value"))
            channels = {"featuremap": 0, "gray": 1}.get(one.training, 3)
            if numbers and not channels:
                _at(config, key, index, "a featuremap takes no mean, scale or std", "leave its element empty")
            elif len(numbers) not in (0, 1, channels):
                _at(
                    config,
                    key,
                    index,
                    f"{len(numbers)} numbers for {channels} channels",
                    "give one, or one a channel",
                )


@together(f"{INPUT}.scale_value", f"{INPUT}.std_value")
def no_zero_scale(config: Config) -> None:
    """Neither scale nor std is zero."""
    for key in ("scale_value", "std_value"):
        for index, one in _inputs(config):
            if 0.0 in getattr(one, key.removesuffix("_value")):
                _at(config, key, index, "a channel's factor is 0, so that nothing of the image is left")


@together(f"{INPUT}.input_type_rt", f"{INPUT}.input_space_and_range")
def video_range(config: Config) -> None:
    """bt601_video needs nv12."""
    for index, one in _inputs(config):
        if one.video and one.runtime != "nv12":
            help = "regular, or input_type_rt: nv12"
            _at(config, "input_space_and_range", index, f"bt601_video needs nv12, not {one.runtime}", help)


@together(f"{INPUT}.input_shape", f"{INPUT}.input_type_rt", f"{INPUT}.input_layout_train")
def image_shapes(config: Config) -> None:
    """Images have four dimensions and their channels, nv12 even height and width."""
    for index, one in _inputs(config):
        if one.shape is not None and one.is_image and one.training:
            problem = shape_problem(one, one.shape)
            if problem:
                _at(config, "input_shape", index, problem)


def shape_problem(one: InputConfig, shape: tuple[int, ...]) -> str | None:
    """What is wrong with the extents of an image input; None for nothing."""
    shown = "x".join(map(str, shape))
    if len(shape) != 4:
        return f"{one.training} needs 4 dimensions, {shown} has {len(shape)}"
    nhwc = one.layout == "NHWC"
    channels, height, width = (shape[3], shape[1], shape[2]) if nhwc else (shape[1], shape[2], shape[3])
    wanted = 1 if one.training == "gray" else 3
    if channels != wanted:
        return f"{one.training} has {wanted} channels, {shown} as {one.layout or 'NCHW'} has {channels}"
    if one.runtime == "nv12" and (height % 2 or width % 2):
        return f"nv12 needs an even height and width, not {height}x{width}"
    return None


@together(f"{INPUT}.input_batch", f"{INPUT}.input_shape")
def batch_of_one(config: Config) -> None:
    """input_batch needs inputs whose first dimension is 1."""
    if not config.given(f"{INPUT}.input_batch"):
        return
    for index, one in _inputs(config):
        if one.shape is not None and one.shape[0] != 1:
            help = f"the shape has {one.shape[0]} already: leave input_batch out, or write 1"
            _at(config, "input_shape", index, "input_batch needs a first dimension of 1", help)


@together(f"{INPUT}.separate_batch", f"{INPUT}.separate_name")
def one_separation(config: Config) -> None:
    """separate_batch and separate_name exclude each other."""
    if config[f"{INPUT}.separate_batch"] and config.given(f"{INPUT}.separate_name"):
        _wrong(
            config,
            f"{INPUT}.separate_name",
            "separate_batch and separate_name exclude each other",
            "keep one",
        )


@together(f"{INPUT}.separate_name", f"{INPUT}.input_name")
def separate_names_known(config: Config) -> None:
    """separate_name names inputs."""
    if config.given(f"{INPUT}.input_name"):
        known = config.names(f"{INPUT}.input_name")
        for name in config.names(f"{INPUT}.separate_name"):
            if name not in known:
                key = f"{INPUT}.separate_name"
                config.findings.wrong(
                    name.place or config.place(key), key, f"no input is called {name!s}", choices(name, known)
                )


@together(f"{CALIB}.cal_data_dir", f"{CALIB}.calibration_type", f"{INPUT}.input_type_rt")
def calibration_data(config: Config) -> None:
    """One folder of calibration data an input; without any, calibration is skipped."""
    key = f"{CALIB}.cal_data_dir"
    skip = config[f"{CALIB}.calibration_type"] == "skip"
    count, wanted = len(config[key] or ()), len(config.inputs)
    if config.given(key) and not skip and wanted and count != wanted:
        _wrong(config, key, f"wrong cal_data_dir num received: {count} for {wanted} inputs", "one an input")
    if config.given(key) and skip:
        config.findings.remark(config.key_place(key), key, "not read, since calibration_type is skip")
    if not config.given(key) and not skip:
        place = config.key_place(f"{CALIB}.calibration_type")
        config.findings.remark(place, key, "no calibration data, so calibration is skipped")


@together(f"{CALIB}.calibration_type")
def deprecated_mix(config: Config) -> None:
    """calibration_type mix is deprecated."""
    if config[f"{CALIB}.calibration_type"] == "mix":
        key = f"{CALIB}.calibration_type"
        config.findings.remark(
            config.place(key), key, "mix is deprecated", "instead: default, which searches"
        )


@together(f"{CALIB}.calibration_type", f"{CALIB}.max_percentile")
def percentile_of_max(config: Config) -> None:
    """max_percentile is a share of at most 1, for calibration_type max."""
    key = f"{CALIB}.max_percentile"
    share = config[key]
    if share is None:
        return
    if not 0 < share <= 1:
        _wrong(config, key, f"{share:g} is no share above 0 and at most 1", "0.9999 covers 99.99 %")
    elif config[f"{CALIB}.calibration_type"] not in ("max", "default"):
        config.findings.remark(config.key_place(key), key, "no effect without calibration_type max")


@together(f"{CALIB}.run_on_cpu", f"{CALIB}.run_on_bpu")
def one_place(config: Config) -> None:
    """A node runs on the CPU or on the BPU."""
    cpu = config.names(f"{CALIB}.run_on_cpu")
    for name in config.names(f"{CALIB}.run_on_bpu"):
        if name in cpu:
            key = f"{CALIB}.run_on_bpu"
            config.findings.wrong(
                name.place or config.place(key), key, f"{name!s} is also in run_on_cpu", "keep one"
            )


@together(f"{MODEL}.node_info", f"{CALIB}.run_on_cpu", f"{CALIB}.run_on_bpu")
def node_info_wins(config: Config) -> None:
    """node_info is stronger than run_on_cpu and run_on_bpu."""
    places = {wish.name: wish for wish in config[f"{MODEL}.node_info"] or () if wish.on}
    for key, on in ((f"{CALIB}.run_on_cpu", "CPU"), (f"{CALIB}.run_on_bpu", "BPU")):
        for name in config.names(key):
            wish = places.get(name)
            if wish is not None and wish.on != on:
                place = name.place or config.place(key)
                config.findings.remark(place, key, f"node_info puts {name!s} on the {wish.on}, and wins")


@together(f"{COMPILER}.compile_mode", f"{COMPILER}.balance_factor")
def balance(config: Config) -> None:
    """compile_mode balance needs balance_factor, which means nothing otherwise."""
    balanced = config[f"{COMPILER}.compile_mode"] == "balance"
    given = config.given(f"{COMPILER}.balance_factor")
    if balanced and not given:
        message = "parameter compile_mode is set to balance, please set balance_factor to use this mode"
        _wrong(config, f"{COMPILER}.compile_mode", message, "balance_factor: 0 to 100")
    if given and not balanced:
        key = f"{COMPILER}.balance_factor"
        config.findings.remark(config.key_place(key), key, "no effect without compile_mode balance")


@together(f"{COMPILER}.cache_mode", f"{COMPILER}.cache_path")
def cache_folder(config: Config) -> None:
    """A cache needs a folder."""
    if config[f"{COMPILER}.cache_mode"] != "disable" and not config.given(f"{COMPILER}.cache_path"):
        _wrong(config, f"{COMPILER}.cache_mode", "cache_path is missing", "cache_path: './cache'")


@together(f"{COMPILER}.core_num", f"{MODEL}.march")
def cores_of_march(config: Config) -> None:
    """Only nash-h, nash-p and nash-starry-p have several cores."""
    march = config[f"{MODEL}.march"]
    if march in ONE_CORE and config[f"{COMPILER}.core_num"] > 1:
        _wrong(config, f"{COMPILER}.core_num", f"{march} has one core", "1; up to 4 on nash-h, -p, -starry-p")


@together(f"{COMPILER}.max_l2m_size", f"{MODEL}.march")
def shared_memory_of_march(config: Config) -> None:
    """nash-b, nash-e and nash-m have no L2M."""
    march = config[f"{MODEL}.march"]
    if march in NO_SHARED_MEMORY and config[f"{COMPILER}.max_l2m_size"] > 0:
        message = f"the specified march {march} does not support setting max_l2m_size"
        _wrong(config, f"{COMPILER}.max_l2m_size", message, "leave it out")


@together(f"{COMPILER}.input_source", f"{INPUT}.input_type_rt", f"{INPUT}.input_name")
def sources_of_inputs(config: Config) -> None:
    """Each input's source gives its type."""
    types = {one.name: one.runtime for one in config.inputs}
    for name, source in (config[f"{COMPILER}.input_source"] or {}).items():
        key = f"{COMPILER}.input_source"
        place = name.place or config.place(key)
        if name not in types and "" not in types:
            config.findings.wrong(place, key, f"no input is called {name!s}", choices(name, types))
        elif types.get(name) and types[name] not in SOURCES[source]:
            known = [one for one, kinds in SOURCES.items() if types[name] in kinds]
            message = f"{source!s} gives no {types[name]}"
            config.findings.wrong(
                source.place or place, key, message, f"for {types[name]}: {', '.join(known)}"
            )


@together("custom_op.op_register_files", "custom_op.custom_op_method")
def custom_operators(config: Config) -> None:
    """custom_op names the files that register the operators."""
    given = [key for key in ("custom_op_method", "custom_op_dir") if config.given(f"custom_op.{key}")]
    if given and not config.given("custom_op.op_register_files"):
        _wrong(config, f"custom_op.{given[0]}", "op_register_files is missing", "name the Python files")


@together(f"{CALIB}.transforms", f"{CALIB}.preprocess_script")
def one_preprocessing(config: Config) -> None:
    """Either transforms or preprocess_script."""
    if config.given(f"{CALIB}.transforms") and config.given(f"{CALIB}.preprocess_script"):
        key = f"{CALIB}.preprocess_script"
        _wrong(config, key, "transforms and preprocess_script exclude each other", "keep one")


@together(f"{MODEL}.output_model_file_prefix")
def plain_prefix(config: Config) -> None:
    """The prefix is a file name's beginning, not a path."""
    prefix = config[f"{MODEL}.output_model_file_prefix"]
    if "/" in prefix or "\\" in prefix:
        _wrong(
            config, f"{MODEL}.output_model_file_prefix", f"{prefix!r} is a path", "the folder is working_dir"
        )
