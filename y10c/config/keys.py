"""Every key of the users' YAML, declared once: reader, schema, template and reference come from it.

Keys, defaults and allowed values are those of `hb_compile` (published: S1) unless a key says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from y10c.config.inputs import InputSource, Transforms
from y10c.config.kinds import (
    AnyScalar,
    Anything,
    Flag,
    Kind,
    Listed,
    Mapping,
    Numbers,
    Real,
    Shape,
    Text,
    Whole,
)
from y10c.config.nodes import NodeInfo
from y10c.config.quant import QuantConfigKind

MARCHES = (
    "nash-b-lite",
    "nash-b",
    "nash-b-plus",
    "nash-e",
    "nash-m",
    "nash-h",
    "nash-p",
    "nash-starry-p",
)
MARCH_ALIASES = (
    ("j6e", "nash-e"),
    ("s100", "nash-e"),
    ("j6m", "nash-m"),
    ("s100p", "nash-m"),
    ("j6h", "nash-h"),
    ("j6p", "nash-p"),
    ("s600", "nash-p"),
)
RUNTIME_TYPES = ("nv12", "yuv444", "rgb", "bgr", "gray", "featuremap")
TRAINING_TYPES = ("rgb", "bgr", "featuremap", "gray", "yuv444")
LAYOUTS = ("NCHW", "NHWC")
REMOVABLE = ("Quantize", "Transpose", "Dequantize", "Cast", "Reshape", "Softmax")
OPTIMIZATIONS = (
    "set_model_output_int8",
    "set_model_output_int16",
    "set_all_nodes_int16",
    "set_Softmax_input_int8",
    "set_Softmax_output_int8",
    "run_fast",
)

COMPILE, DEPLOY, PREPARE, ESTIMATE = "compile", "deploy", "prepare", "estimate"
NOTHING, DEPRECATED = "nothing", "deprecated"
"""What a key changes: compiled model, runtime form, calibration data, estimate; nothing here, or at all."""


@dataclass(frozen=True)
class Key:
    """One key.

    Args:
        name: As in the file.
        kind: What it may hold.
        doc: What it means, one sentence or two.
        default: What holds where it is not given.
        required: When it must be given, as a phrase; empty where never.
        effect: What it changes here.
        instead: What to do in its place, for deprecated ones.
        source: Where the key comes from.
    """

    name: str
    kind: Kind
    doc: str
    default: Any = None
    required: str = ""
    effect: str = COMPILE
    instead: str = ""
    source: str = "published: S1"


@dataclass(frozen=True)
class Group:
    """One group of keys.

    Args:
        name: As in the file.
        doc: What its keys are about.
        keys: In the order of the template.
        required: Whether the file must have it.
        open: Whether unknown keys are remarked on and not refused.
    """

    name: str
    doc: str
    keys: tuple[Key, ...]
    required: bool = True
    open: bool = False

    def key(self, name: str) -> Key | None:
        """The key of a name."""
        return next((key for key in self.keys if key.name == name), None)


def _names(what: str, choices: tuple[str, ...] = ()) -> Listed:
    return Listed(Text(choices, what=what), what="" if choices else f"{what}s with ';' between", unique=True)


def _each(kind: Kind, blank: bool = False) -> Listed:
    return Listed(kind, blank=blank)


def _gone(name: str, instead: str) -> Key:
    return Key(name, Anything(), "No longer read.", effect=DEPRECATED, instead=instead)


MODEL = Group(
    "model_parameters",
    "The model, the chip, the files, and single nodes.",
    (
        Key(
            "onnx_model",
            Text(what="the path of an .onnx file", ending=".onnx"),
            "The float model.",
            required="unless caffe_model and prototxt are",
        ),
        Key(
            "caffe_model",
            Text(what="the path of a .caffemodel file", ending=".caffemodel"),
            "A Caffe model; y10c compiles ONNX only.",
        ),
        Key(
            "prototxt",
            Text(what="the path of a .prototxt file", ending=".prototxt"),
            "The structure of the Caffe model.",
        ),
        Key(
            "march",
            Text(MARCHES, aliases=MARCH_ALIASES),
            "The BPU: nash-e is J6E and S100.",
            required="always",
        ),
        _gone("log_level", "leave it out: the console shows warnings, the log file all"),
        Key("layer_out_dump", AnyScalar(), "Dump the result of every layer.", False, effect=NOTHING),
        Key("working_dir", Text(what="a folder"), "Where the files go.", "./model_output"),
        Key("output_model_file_prefix", Text(what="a file name's beginning"), "Of every file.", "model"),
        Key("output_nodes", _names("node name"), "The model ends at the results of these nodes."),
        Key(
            "remove_node_type",
            _names("node type", REMOVABLE),
            "Nodes of these types are removed where they touch an input or output.",
            effect=DEPLOY,
        ),
        Key(
            "remove_node_name",
            _names("node name"),
            "These nodes are removed where they touch an input or output. The name of a Conv means the "
            "Dequantize behind it: its output stays int32.",
            effect=DEPLOY,
        ),
        Key(
            "node_info",
            NodeInfo(),
            "Types and place of single nodes; stronger than run_on_cpu and run_on_bpu.",
        ),
        Key("debug_mode", Text(("dump_calibration_data",)), "What to keep for debugging.", effect=NOTHING),
        Key("enable_vpu", Flag(), "Let operators run on the VPU.", True, effect=NOTHING),
        Key("enable_spu", Flag(), "Let operators run on the SPU.", True, effect=NOTHING),
        _gone("set_node_data_type", "use node_info"),
    ),
)

INPUT = Group(
    "input_parameters",
    "What the model is fed with: one element an input, ';' between; one number a channel, ',' between.",
    (
        Key("input_name", _names("input name"), "The model's inputs.", required="with several inputs"),
        Key(
            "input_type_rt",
            _each(Text(RUNTIME_TYPES, aliases=())),
            "What the application feeds: nv12 as two tensors y and uv, the others as one.",
            required="always",
            effect=DEPLOY,
        ),
        Key(
            "input_type_train",
            _each(Text(TRAINING_TYPES)),
            "What the model was trained on.",
            required="always",
        ),
        Key(
            "input_layout_train",
            _each(Text(LAYOUTS), blank=True),
            "The layout of the model's input.",
            required="unless input_type_train is featuremap",
        ),
        _gone("input_layout_rt", "leave it out: NHWC for yuv444, rgb and bgr, NCHW for gray and featuremap"),
        Key(
            "input_space_and_range",
            _each(Text(("regular", "bt601_video")), blank=True),
            "Colour range of nv12: full (regular) or video (16 to 235).",
            "regular",
            effect=DEPLOY,
        ),
        Key(
            "input_shape",
            _each(Shape()),
            "Extents of the inputs.",
            required="if the model's shapes are open",
        ),
        Key(
            "input_batch",
            Whole(1, 4096),
            "Images in one run; the model's own batch must be 1.",
            effect=DEPLOY,
        ),
        Key("separate_batch", Flag(), "Each image of a batch is an input of its own.", False, effect=DEPLOY),
        Key("separate_name", _names("input name"), "The same, for these inputs only.", effect=DEPLOY),
        _gone("norm_type", "leave it out: it follows from mean_value, scale_value and std_value"),
        Key(
            "mean_value", _each(Numbers(), blank=True), "Subtracted from each pixel, 0 to 255.", effect=DEPLOY
        ),
        Key("scale_value", _each(Numbers(), blank=True), "Multiplied after the mean.", effect=DEPLOY),
        Key("std_value", _each(Numbers(), blank=True), "Divides after the mean.", effect=DEPLOY),
    ),
)

CALIBRATION = Group(
    "calibration_parameters",
    "The data that ranges are taken from, and how precise the model is.",
    (
        Key(
            "cal_data_dir",
            Listed(Text(what="a folder")),
            "A folder of pre-normalised .npy tensors for each input; without one, calibration is skipped.",
            required="unless calibration_type is skip",
        ),
        Key(
            "calibration_type",
            Text(("default", "kl", "max", "mix", "skip")),
            "How ranges are chosen: `default` searches, `mix` is deprecated, `skip` takes generated data.",
            "default",
            source="published: S1; `default` from S8",
        ),
        Key("per_channel", AnyScalar(), "Activation ranges by channel.", False, effect=NOTHING),
        Key(
            "max_percentile",
            Real(0),
            "For calibration_type max: the share of values that the range covers, 0 to 1.",
            source="published: S1, a recipe",
        ),
        Key("run_on_cpu", _names("node name"), "These nodes stay float."),
        Key("run_on_bpu", _names("node name"), "These nodes run on integers."),
        Key(
            "optimization",
            Listed(
                Text(OPTIMIZATIONS), separator=",", what=f"words with ',' between: {', '.join(OPTIMIZATIONS)}"
            ),
            "Types for many nodes at once.",
            source="published: S1; set_all_nodes_int16 from S8, the Softmax ones from S9",
        ),
        Key(
            "quant_config", QuantConfigKind(), "Types at four levels, inline or as a JSON file with comments."
        ),
        _gone("preprocess_on", "use y10c prepare, which writes normalised data"),
        _gone("cal_data_type", "leave it out: the type follows from the .npy files"),
        Key(
            "transforms",
            Transforms(),
            "How `y10c prepare` makes a tensor of a picture.",
            effect=PREPARE,
            source="y10c",
        ),
        Key(
            "preprocess_script",
            Text(what="the path of a .py file", ending=".py"),
            "A Python file whose calibration_transformers() gives the transforms.",
            effect=PREPARE,
            source="y10c",
        ),
    ),
    open=True,
)

COMPILER = Group(
    "compiler_parameters",
    "What the closed compiler does with the quantized model.",
    (
        Key(
            "compile_mode",
            Text(("latency", "bandwidth", "balance")),
            "What to save.",
            "latency",
            effect=NOTHING,
        ),
        Key(
            "balance_factor",
            Whole(0, 100),
            "0 saves bandwidth, 100 latency.",
            0,
            "if compile_mode is balance",
            effect=NOTHING,
        ),
        Key("optimize_level", Text(("O0", "O1", "O2")), "Effort of the compiler.", "O2", effect=NOTHING),
        Key("core_num", Whole(1, 4), "BPU cores for one model.", 1, effect=ESTIMATE),
        Key(
            "max_time_per_fc",
            Whole(1000, 10_000_000, also=0),
            "Longest time of one function call; 0 for no limit.",
            0,
            effect=NOTHING,
        ),
        Key("jobs", Whole(1), "Processes of the compiler.", 16, effect=NOTHING),
        Key(
            "advice",
            Real(0),
            "Report operators slower than expected by so many microseconds.",
            0.0,
            effect=NOTHING,
        ),
        Key("debug", Flag(), "Keep what the performance report needs.", True, effect=NOTHING),
        Key(
            "input_source",
            InputSource(),
            "Where each input comes from: pyramid, ddr or resizer.",
            effect=NOTHING,
        ),
        Key(
            "cache_mode",
            Text(("disable", "enable", "force_overwrite")),
            "Whether compiled parts are kept.",
            "disable",
            effect=NOTHING,
        ),
        Key(
            "cache_path",
            Text(what="a folder"),
            "Where they are kept.",
            required="unless cache_mode is disable",
            effect=NOTHING,
        ),
        Key(
            "max_l2m_size", Whole(0, 25_165_824), "Bytes of shared memory; 0 for no limit.", 0, effect=NOTHING
        ),
        Key("ability_entry", Text(), "Extensions of the compiler.", effect=NOTHING),
        Key("extra_params", Mapping(), "Further options, such as input_no_padding.", {}, effect=NOTHING),
        _gone("hbdk3_compatible_mode", "leave it out"),
    ),
)

CUSTOM = Group(
    "custom_op",
    "Operators of the user's own for the closed compiler.",
    (
        Key("op_register_files", _names("file name"), "Python files that register them.", effect=NOTHING),
        Key("custom_op_method", Text(("register",)), "How they are told.", "register", effect=NOTHING),
        Key("custom_op_dir", Text(what="a folder"), "Where the files stand.", effect=NOTHING),
    ),
    required=False,
)

GROUPS = (MODEL, INPUT, CALIBRATION, COMPILER, CUSTOM)
"""The groups in the order of the template."""


def find(name: str) -> tuple[Group, Key]:
    """The group and the declaration of `group.key`; raises KeyError where there is none."""
    group_name, _, key_name = name.partition(".")
    for group in GROUPS:
        key = group.key(key_name)
        if group.name == group_name and key is not None:
            return group, key
    raise KeyError(name)
