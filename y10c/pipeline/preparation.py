"""From a config and its model to what `prepare` must make."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from y10c.config.settings import Config, InputConfig
from y10c.deploy.inputs import normalization
from y10c.errors import UsageError
from y10c.pipeline.config import model_names, model_of, named_inputs
from y10c.prepare.chain import transforms_of
from y10c.prepare.run import Request


def request_of(config: Config, name: str | None, images: Path, count: int) -> tuple[InputConfig, Request]:
    """What to prepare for one input.

    Args:
        config: The config.
        name: The input; None for the only one that takes pictures.
        images: Where the pictures are.
        count: How many samples to write.

    Raises:
        UsageError: It is not clear which input, or its shape is open.
        ConfigError: The transforms make no sense.
        ModelError: The model, which says the shape, cannot be read.
    """
    one = _input(config, name)
    shape = (1, *_shape(config, one)[1:])
    size = (shape[1], shape[2]) if one.layout == "NHWC" else (shape[2], shape[3])
    return one, Request(
        folder=images,
        shape=shape,
        dtype=np.dtype(np.float32),
        transforms=transforms_of(config, one, size),
        script=config.file("calibration_parameters.preprocess_script"),
        expected=expected_values(one),
        count=count,
    )


def _input(config: Config, name: str | None) -> InputConfig:
    pictures = [one for one in config.inputs if one.is_image]
    found = [one for one in pictures if name in (None, one.name)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(one.name or "(unnamed)" for one in pictures) or "none"
    raise UsageError(
        "it is not clear for which input to prepare" if found else "no such input takes pictures",
        help=f"--input NAME; inputs that take pictures: {known}",
    )


def _shape(config: Config, one: InputConfig) -> tuple[int, ...]:
    if one.shape is not None:
        return one.shape
    names = model_names(model_of(config)).inputs
    said = named_inputs(config, list(names))
    extents = next((names[name] for name, each in said.items() if each == one and name in names), ())
    numbers = tuple(d for d in extents[1:] if isinstance(d, int))
    if len(numbers) != 3:
        raise UsageError(
            f"the shape of input {one.name or 'of the model'} is open", help="input_shape: '1x3x640x640'"
        )
    return (1, *numbers)


def expected_values(one: InputConfig) -> tuple[float, float]:
    """The least and greatest value that the runtime feeds an image input."""
    mean, factor = normalization(one, 1 if one.training == "gray" else 3)
    ends = [(0 - mean) * factor, (255 - mean) * factor]
    return float(np.min(ends)), float(np.max(ends))
