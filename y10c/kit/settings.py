"""The `config.yaml` of a kit: our decisions in the words of the closed toolchain."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from y10c.config.keys import CALIBRATION, COMPILER, MARCHES
from y10c.config.nodes import NodeWish
from y10c.config.quant import QuantConfig
from y10c.config.settings import Config, InputConfig
from y10c.errors import UsageError

CALIBRATION_TYPES = {"kl": "kl", "min-max": "max", "percentile": "max"}
"""Methods of ours by the toolchain's name; all others search there too."""

DEFAULT_COMPILER = {"compile_mode": "latency", "optimize_level": "O2", "jobs": 16, "debug": True}

Values = dict[str, dict[str, Any]]


def kit_values(
    march: str,
    prefix: str,
    inputs: Sequence[InputConfig],
    wide: Mapping[str, Mapping[str, str]],
    remove: Sequence[str],
    config: Config | None,
    nodes: Collection[str] = (),
) -> Values:
    """The values of a kit's config by group and key.

    Args:
        march: The chip.
        prefix: Of the kit's files.
        inputs: What feeds each input, all of them named.
        wide: Keys of `node_info` for the nodes that run in 16 bits.
        remove: Nodes whose Dequantize is removed where the user named none.
        config: The user's own config.
        nodes: The nodes of the float model; what else the user names is left out. Empty for all.

    Raises:
        UsageError: The closed toolchain does not know the march.
    """
    if march not in MARCHES:
        known = ", ".join(MARCHES)
        raise UsageError(f"hb_compile does not know the march {march}", help=f"a kit needs one of {known}")
    model: dict[str, Any] = {
        "onnx_model": f"./{prefix}_float.onnx",
        "march": march,
        "working_dir": "./hb_output",
        "output_model_file_prefix": prefix,
        **_removed(remove, config, nodes),
    }
    if wide:
        model["node_info"] = {node: dict(keys) for node, keys in wide.items()}
    return {
        "model_parameters": model,
        "input_parameters": _inputs(inputs, config),
        "calibration_parameters": _calibration(inputs, config),
        "compiler_parameters": {**DEFAULT_COMPILER, **_given(config, COMPILER.name)},
    }


def _removed(remove: Sequence[str], config: Config | None, nodes: Collection[str]) -> dict[str, Any]:
    types, names = "model_parameters.remove_node_type", "model_parameters.remove_node_name"
    if config is None or not (config.names(types) or config.names(names)):
        return {"remove_node_name": ";".join(remove)} if remove else {}
    known = [name for name in config.names(names) if not nodes or name in nodes]
    own = {"remove_node_type": config.names(types), "remove_node_name": known}
    return {key: ";".join(words) for key, words in own.items() if words}


def _inputs(inputs: Sequence[InputConfig], config: Config | None) -> dict[str, Any]:
    values: dict[str, Any] = {
        "input_name": ";".join(one.name for one in inputs),
        "input_type_rt": ";".join(one.runtime for one in inputs),
        "input_type_train": ";".join(one.training for one in inputs),
    }
    optional = {
        "input_layout_train": [one.layout for one in inputs],
        "input_space_and_range": ["bt601_video" if one.video else "" for one in inputs],
        "mean_value": [_numbers(one.mean) for one in inputs],
        "scale_value": [_numbers(one.scale) for one in inputs],
        "std_value": [_numbers(one.std) for one in inputs],
    }
    values |= {key: ";".join(parts) for key, parts in optional.items() if any(parts)}
    for key in ("input_batch", "separate_batch"):
        if config is not None and config.given(f"input_parameters.{key}"):
            values[key] = config[f"input_parameters.{key}"]
    if config is not None and (names := config.names("input_parameters.separate_name")):
        values["separate_name"] = ";".join(names)
    return values


def _numbers(values: Sequence[float]) -> str:
    return ",".join(f"{value:.17g}" for value in values)


def _calibration(inputs: Sequence[InputConfig], config: Config | None) -> dict[str, Any]:
    values: dict[str, Any] = {
        "cal_data_dir": ";".join(data_folder(one.name, len(inputs)) for one in inputs),
        "calibration_type": "default",
        **_given(config, CALIBRATION.name),
    }
    quant: QuantConfig | None = config[f"{CALIBRATION.name}.quant_config"] if config is not None else None
    return values | ({"quant_config": quant_config_of(quant)} if quant is not None else {})


PASSED_ON = ("calibration_type", "max_percentile", "per_channel", "run_on_cpu", "run_on_bpu", "optimization")


def _given(config: Config | None, group: str) -> dict[str, Any]:
    """What the user's config says in a group, in the form of the file."""
    if config is None:
        return {}
    found = {}
    for name in config.settings:
        owner, _, key = name.partition(".")
        wanted = owner == COMPILER.name or key in PASSED_ON
        if owner == group and wanted and config.given(name):
            found[key] = _plain(config[name], "," if key == "optimization" else ";")
    return found


def _plain(value: Any, separator: str) -> Any:
    if isinstance(value, tuple):
        return separator.join(map(str, value))
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else value


def quant_config_of(quant: QuantConfig) -> dict[str, Any]:
    """A `quant_config` as its four levels."""
    parts = {part.name: part for part in quant.subgraphs}
    levels: dict[str, Any] = {
        "model_config": _listed(quant.model),
        "op_config": {name: _wish(wish) for name, wish in quant.ops.items()},
        "subgraph_config": {
            name: {"inputs": list(part.inputs), "outputs": list(part.outputs), **_wish(part.wish)}
            for name, part in parts.items()
        },
        "node_config": {name: _wish(wish) for name, wish in quant.nodes.items()},
    }
    return {name: level for name, level in levels.items() if level}


def _listed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _listed(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return [_listed(each) for each in value] if len(value) > 1 else _listed(value[0])
    return str(value) if isinstance(value, str) else value


def _wish(wish: NodeWish) -> dict[str, str]:
    keys = {f"InputType{'' if index is None else index}": kind for index, kind in wish.inputs.items()}
    keys |= {"OutputType": wish.output} if wish.output else {}
    return keys | ({"ON": wish.on} if wish.on else {})


def data_folder(name: str, count: int) -> str:
    """Where the calibration data of an input stands in the kit."""
    plain = "".join(c if c.isalnum() or c in "._-" else "_" for c in name)
    return f"./calibration/{plain}" if count > 1 else "./calibration"
