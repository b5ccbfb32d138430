"""What a config means for a compilation: its model, data, inputs, precision."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx

from y10c.calib.collect import run_outputs
from y10c.calib.dataset import open_dataset
from y10c.calib.feeds import Feeds, generated_feeds
from y10c.calib.preprocess import Preprocess
from y10c.config.against import ModelNames, check_against
from y10c.config.kinds import Name
from y10c.config.load import read_config
from y10c.config.problems import Findings
from y10c.config.quant import QuantConfig
from y10c.config.settings import Config, InputConfig
from y10c.deploy.plan import DeployPlan
from y10c.diagnostics import warn
from y10c.errors import UsageError
from y10c.ir.graph import Graph
from y10c.ir.types import DType, TensorType
from y10c.quant.options import QuantOptions

CONFIG_TARGET = "j6"
"""The target whose toolchain the config belongs to."""

QUANT_CONFIG = "calibration_parameters.quant_config"
CAL_DATA = "calibration_parameters.cal_data_dir"
EARLY = 4
"""Samples that are looked at before the work begins: values of a wrong range show in the first."""

OUTPUT_SAMPLES = 16
"""Samples that the range of quantized outputs is taken from."""

METHODS = {"kl": "kl", "max": "min-max", "min-max": "min-max", "percentile": "percentile"}
"""Methods of calibration by the names of the config; everything else searches."""


def model_names(path: Path) -> ModelNames:
    """What a config can name in an ONNX file; its weights are not read.

    Raises:
        ModelError: The file cannot be read.
    """
    from y10c.frontend.read import read_model

    proto, _ = read_model(path)
    constants = {one.name for one in proto.graph.initializer}
    inputs = {
        one.name: tuple(_extent(d) for d in one.type.tensor_type.shape.dim)
        for one in proto.graph.input
        if one.name not in constants
    }
    nodes = frozenset(node.name for node in proto.graph.node if node.name)
    return ModelNames(inputs, nodes, frozenset(name for node in proto.graph.node for name in node.output))


def _extent(dim: onnx.TensorShapeProto.Dimension) -> int | str | None:
    """A fixed extent, the name of an open one, or None; some exporters write -1 for open."""
    return dim.dim_value if dim.dim_value > 0 else dim.dim_param or None


def starting_values(path: Path) -> dict[str, Any]:
    """Values for a new config of a model: its path, its inputs, their layout."""
    inputs = model_names(path).inputs
    images = {name: _is_image(shape) for name, shape in inputs.items()}
    values: dict[str, Any] = {
        "onnx_model": str(path),
        "input_name": ";".join(inputs),
        "input_type_rt": ";".join("nv12" if kind else "featuremap" for kind in images.values()),
        "input_type_train": ";".join("rgb" if kind else "featuremap" for kind in images.values()),
        "input_layout_train": ";".join(kind or "" for kind in images.values()),
        "scale_value": ";".join("0.00392156862745098" if kind else "" for kind in images.values()),
        "cal_data_dir": ";".join(f"./calibration/{_plain(name)}" for name in inputs),
    }
    if any(not isinstance(d, int) for shape in inputs.values() for d in shape):
        values["input_shape"] = ";".join(_asked(shape) for shape in inputs.values())
    return {key: value for key, value in values.items() if value.strip(";")}


def _is_image(shape: tuple[int | str | None, ...]) -> str | None:
    """The layout of an input that takes a picture of three channels and even extents; else None."""
    if len(shape) != 4:
        return None
    for layout, channels, extents in (("NCHW", shape[1], shape[2:]), ("NHWC", shape[3], shape[1:3])):
        if channels == 3 and all(not isinstance(d, int) or d % 2 == 0 for d in extents):
            return layout
    return None


def _asked(shape: tuple[int | str | None, ...]) -> str:
    likely = (1, 3, 640, 640) if len(shape) == 4 else (1,) * len(shape)
    return "x".join(str(d if isinstance(d, int) else like) for d, like in zip(shape, likely, strict=True))


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in name)


def check_files(config: Config) -> None:
    """Whether the files that a config names are there and fit it.

    Raises:
        ConfigProblems: Files, inputs or nodes are missing; every problem is told.
        ModelError: The model cannot be read.
        UsageError: The model is a Caffe model.
    """
    found = Findings()
    for key in ("model_parameters.onnx_model", "calibration_parameters.preprocess_script"):
        path = config.file(key)
        if path is not None and not path.is_file():
            found.wrong(config.place(key), key, f"there is no file {path}")
    if not config.skips_calibration:
        for folder in config.folders:
            if not folder.exists():
                found.wrong(
                    config.place(CAL_DATA), CAL_DATA, f"there is no folder {folder}", "y10c prepare makes one"
                )
    found.raise_problems()
    check_against(config, model_names(model_of(config)))


def model_of(config: Config) -> Path:
    """The path of the config's ONNX model.

    Raises:
        UsageError: It names a Caffe model.
    """
    path = config.file("model_parameters.onnx_model")
    if path is None:
        raise UsageError(
            "y10c compiles ONNX models only",
            where=str(config.place("model_parameters.caffe_model")),
            help="convert the Caffe model to ONNX",
        )
    return path


def preprocess_of(one: InputConfig) -> Preprocess:
    """How pixels become this input; without mean, scale and std they stay 0 to 255."""
    layout: Literal["NCHW", "NHWC"] | None = {"NCHW": "NCHW", "NHWC": "NHWC"}.get(one.layout)  # type: ignore[assignment]
    return Preprocess(
        mean=one.mean or (0.0,),
        scale=one.scale or (1.0,),
        std=one.std or (1.0,),
        order="BGR" if one.training == "bgr" else "RGB",
        layout=layout,
    )


def named_inputs(config: Config, names: list[str]) -> dict[str, InputConfig]:
    """What the config says of each of the model's inputs.

    Args:
        config: It may leave the name of an only input open.
        names: The model's inputs.
    """
    return {one.name or names[0]: one for one in config.inputs}


def open_config_feeds(config: Config, inputs: Mapping[str, TensorType]) -> Feeds:
    """The calibration data of every input, or generated data where the config skips calibration.

    Raises:
        DataError: See `open_dataset`; or the data is not in the declared range.
        UsageError: The config gives an input no data.
    """
    said = named_inputs(config, list(inputs))
    if config.skips_calibration:
        warn(
            "Y5001",
            "calibrated on generated images: the accuracy of this model is unknown",
            help="give cal_data_dir; y10c prepare makes the data",
        )
        return generated_feeds(inputs)
    feeds = Feeds()
    for name, kind in inputs.items():
        one = said.get(name)
        if one is None or one.data is None:
            raise UsageError(
                f"the config gives no calibration data for input {name!r}",
                where=str(config.place(CAL_DATA)),
                help="input_name and cal_data_dir name every input in the same order",
            )
        feeds[name] = open_dataset(
            one.data,
            input_shape=kind.static_shape,
            dtype=kind.dtype.numpy,
            preprocess=preprocess_of(one) if one.is_image else None,
            strict=one.is_image,
        )
        if not one.is_image:
            feeds[name].expected = None
        first = feeds[name].limited(EARLY)
        first.check()
        first.require_sound()
    return feeds


def quant_options(config: Config, base: QuantOptions | None = None) -> QuantOptions:
    """What the config says about quantization as a whole; single nodes are `wishes.node_types`.

    Args:
        config: The config.
        base: What holds where the config says nothing.
    """
    base = base or QuantOptions()
    calibration = "calibration_parameters"
    method = METHODS.get(config[f"{calibration}.calibration_type"], base.method)
    share = config[f"{calibration}.max_percentile"]
    if share is not None and config[f"{calibration}.calibration_type"] in ("max", "default"):
        base, method = replace(base, percentile=100 * share), "percentile"
    quant: QuantConfig | None = config[QUANT_CONFIG]
    return _with_model_config(replace(base, method=method), quant.model if quant else {})


def _with_model_config(options: QuantOptions, model: Mapping[str, Any]) -> QuantOptions:
    activation = model.get("activation", {})
    methods = activation.get("calibration_type", ())
    if len(methods) == 1:
        options = replace(
            options,
            method=METHODS.get(methods[0], options.method),
            equalize=options.equalize or methods == ("equalization",),
        )
    shares = activation.get("max_percentile", ())
    if len(shares) == 1 and methods in ((), ("max",), ("percentile",)):
        options = replace(options, method="percentile", percentile=100 * shares[0])
    if activation.get("asymmetric") == (False,):
        options = replace(options, scheme="symmetric")
    return replace(
        options, bias_correction=options.bias_correction or "bias_correction" in model.get("weight", {})
    )


def input_shapes(config: Config | None, model: object) -> dict[str, tuple[int, ...]]:
    """The extents that a config gives, by the model's names for its inputs.

    Args:
        config: None gives none.
        model: Path of the model, whose only input the config may leave unnamed.
    """
    if config is None or not isinstance(model, str | Path):
        return {}
    if not any(one.shape for one in config.inputs):
        return {}
    said = named_inputs(config, list(model_names(Path(model)).inputs))
    return {name: one.shape for name, one in said.items() if one.shape is not None}


def deploy_plan(config: Config | None, graph: Graph) -> DeployPlan:
    """The runtime form that a config asks for; without one, nv12 wherever an input can hold it.

    As calibration on pictures does, that takes RGB from 0 to 1 for granted.
    """
    if config is not None:
        return DeployPlan.of(config, named_inputs(config, [value.name for value in graph.inputs]))
    layouts = {
        value.name: _is_image(value.tensor_type.shape or ())
        for value in graph.inputs
        if value.tensor_type.dtype is DType.f32
    }
    return DeployPlan(
        {
            name: InputConfig(name, "nv12", "rgb", layout, scale=(1 / 255,))
            for name, layout in layouts.items()
            if layout is not None
        }
    )


def reach_of_outputs(model: onnx.ModelProto, feeds: Feeds) -> dict[str, float]:
    """The greatest magnitude of each output over a few calibration samples."""
    names = [one.name for one in model.graph.output]
    reach = dict.fromkeys(names, 0.0)
    for _, outputs in run_outputs(model, feeds.limited(OUTPUT_SAMPLES), names):
        for name, array in outputs.items():
            reach[name] = max(reach[name], float(np.abs(array).max()))
    return reach


FLAGS = {
    "model": "model_parameters.onnx_model",
    "march": "model_parameters.march",
    "output": "model_parameters.working_dir",
    "prefix": "model_parameters.output_model_file_prefix",
    "calibration": CAL_DATA,
}
"""The keys that options of `y10c compile` are stronger than."""


def open_config(path: Path, flags: Mapping[str, object]) -> Config:
    """Read a config for a compilation, with what the command line says over it.

    Args:
        path: The YAML.
        flags: Options by name, of those in `FLAGS`; None says nothing.

    Raises:
        ConfigError: The config, or a file that it names, is wrong.
        ModelError: The model cannot be read.
    """
    overrides: dict[str, tuple[Any, str]] = {}
    for name, key in FLAGS.items():
        if flags.get(name) is not None:
            text = Name(str(flags[name]))
            option = "the command line" if name == "model" else f"--{name}"
            overrides[key] = ((text,) if name == "calibration" else text, option)
    config = read_config(path, overrides)
    check_files(config)
    return config


def stronger_flags(config: Config, flags: QuantOptions, given: Collection[str]) -> QuantOptions:
    """The config's quantization, but what the command line says wins.

    Args:
        config: The config.
        flags: The options of the command line, defaults included.
        given: Those that are no defaults, by name.
    """
    said = {field.name: getattr(flags, field.name) for field in fields(flags) if field.name in given}
    return replace(quant_options(config, flags), **said)
