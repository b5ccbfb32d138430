"""A config beside its model: names and shapes that must be there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from y10c.config.problems import Findings, Place, choices, suggestion
from y10c.config.rules import shape_problem
from y10c.config.settings import Config, InputConfig

Extents = tuple[int | str | None, ...]


@dataclass(frozen=True)
class ModelNames:
    """What a config can name in a model.

    Args:
        inputs: Extents by input name, in order.
        nodes: Node names.
        tensors: Names of results.
    """

    inputs: Mapping[str, Extents]
    nodes: frozenset[str]
    tensors: frozenset[str]


def check_against(config: Config, model: ModelNames) -> None:
    """Whether the config fits its model.

    Raises:
        ConfigProblems: Inputs, output nodes or shapes are not those of the model; every problem is told.
    """
    found = Findings()
    _check_inputs(config, model, found)
    _check_names(config, "model_parameters.output_nodes", model.nodes, found.wrong)
    for key in ("model_parameters.remove_node_name", "calibration_parameters.run_on_cpu"):
        _check_names(config, key, model.nodes, config.findings.remark)
    _check_names(config, "calibration_parameters.run_on_bpu", model.nodes, config.findings.remark)
    _check_wishes(config, model)
    found.raise_problems()


def _check_inputs(config: Config, model: ModelNames, found: Findings) -> None:
    key = "input_parameters.input_name"
    names = config.names(key)
    for name in names:
        if name not in model.inputs:
            help = choices(name, model.inputs, "the model's inputs")
            found.wrong(name.place or config.place(key), key, f"the model has no input {name!s}", help)
    if not names and len(model.inputs) > 1:
        message = "model has more than one input! It is necessary to explicitly specify all the input_name"
        found.wrong(config.place(key), key, message, f"input_name: '{';'.join(model.inputs)}'")
    if names and len(set(names)) < len(model.inputs):
        missing = [one for one in model.inputs if one not in names]
        found.wrong(config.place(key), key, f"inputs are missing: {', '.join(missing)}")
    for one in config.inputs:
        _check_shape(config, one, model, found)


def _check_shape(config: Config, one: InputConfig, model: ModelNames, found: Findings) -> None:
    name = one.name or next(iter(model.inputs), "")
    extents = model.inputs.get(name)
    if extents is None:
        return
    shape = one.shape or extents
    key = "input_parameters.input_shape"
    if one.shape is not None and not _fits(one.shape, extents):
        shown = "x".join(map(str, extents))
        found.wrong(config.place(key), key, f"the model's input {name} is {shown}")
    numbers = tuple(d for d in shape if isinstance(d, int))
    if len(numbers) < len(shape):
        shown = "x".join(str(d) if isinstance(d, int) else "?" for d in shape)
        help = f"input_shape: '{shown}' with a number for each ?"
        found.wrong(config.place(key), key, f"the shape of input {name} is open", help)
    elif one.is_image and (problem := shape_problem(one, numbers)):
        found.wrong(config.place("input_parameters.input_type_train"), key, problem)
    elif config["input_parameters.input_batch"] and numbers and numbers[0] != 1:
        where = config.place("input_parameters.input_batch")
        message = f"it needs a model whose batch is 1, input {name} has {numbers[0]}"
        found.wrong(where, "input_parameters.input_batch", message)


def _fits(shape: Iterable[int], extents: Extents) -> bool:
    given = tuple(shape)
    return len(given) == len(extents) and all(
        not isinstance(wanted, int) or wanted == size for size, wanted in zip(given, extents, strict=True)
    )


Tell = Callable[[Place, str, str, str | None], None]


def _check_names(config: Config, key: str, nodes: frozenset[str], tell: Tell) -> None:
    for name in config.names(key):
        if name not in nodes:
            help = suggestion(name, nodes) or "names are those of the ONNX file: y10c info MODEL --json"
            tell(name.place or config.place(key), key, f"the model has no node {name!s}", help)


def _check_wishes(config: Config, model: ModelNames) -> None:
    """Names of nodes that get a type; passes may have renamed them, so that they are only remarked on."""
    known = model.nodes | model.tensors
    quant = config["calibration_parameters.quant_config"]
    key = "calibration_parameters.quant_config.node_config"
    wishes = [("model_parameters.node_info", wish) for wish in config["model_parameters.node_info"] or ()]
    wishes += [(key, wish) for wish in (quant.nodes.values() if quant else ())]
    for name, wish in wishes:
        if wish.name not in known:
            place = wish.name.place or config.place(name.removesuffix(".node_config"))
            help = suggestion(wish.name, known) or None
            config.findings.remark(place, name, f"the model has no node {wish.name!s}", help)
