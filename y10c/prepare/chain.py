"""Which transforms make a tensor of a picture: the user's, the declared ones, or what the config implies."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from y10c.config.settings import Config, InputConfig
from y10c.errors import ConfigError
from y10c.prepare.transforms import Layout, Letterbox, Normalize, Order, Transform, declared

FUNCTION = "calibration_transformers"


def transforms_of(config: Config, one: InputConfig, size: tuple[int, int]) -> list[Transform]:
    """The transforms for one input.

    Args:
        config: Its `preprocess_script` or `transforms`; with neither, a letterbox, the channels, mean and
            scale, and the layout that the input asks for.
        one: What the config says of the input.
        size: Its height and width.

    Raises:
        ConfigError: The script fails, or the declared chain makes no sense.
    """
    script = config.file("calibration_parameters.preprocess_script")
    if script is not None:
        return from_script(script)
    steps = config["calibration_parameters.transforms"]
    return declared(steps, size) if steps else implied(one, size)


def implied(one: InputConfig, size: tuple[int, int]) -> list[Transform]:
    """What the keys of an input imply."""
    order = {"rgb": "RGB", "bgr": "BGR", "gray": "GRAY", "yuv444": "YUV444"}[one.training]
    scale = Normalize(one.mean or (0.0,), one.scale or (1.0,), one.std or (1.0,))
    return [Letterbox(size), Order(order), scale, Layout(one.layout or "NCHW")]


def from_script(path: Path) -> list[Transform]:
    """The transforms that a Python file's `calibration_transformers()` gives: a list of callables.

    Raises:
        ConfigError: The file cannot be run, has no such function, or gives something else.
    """
    module = _run(path)
    function = getattr(module, FUNCTION, None)
    if not callable(function):
        raise ConfigError(
            f"the script has no function {FUNCTION}()",
            where=str(path),
            help=f"def {FUNCTION}(): return [resize, normalize, to_nchw]",
        )
    try:
        found = function()
    except (Exception, SystemExit) as error:
        raise script_error(path, error) from error
    if not isinstance(found, Sequence) or not found or not all(map(callable, found)):
        raise ConfigError(
            f"{FUNCTION}() gave {type(found).__name__}, not a list of callables",
            where=str(path),
            help="each takes the array that the one before it gave; the first takes uint8 [H, W, 3], RGB",
        )
    return list(found)


def _run(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"_y10c_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ConfigError("there is no such script", where=str(path))
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise script_error(path, error) from error
    finally:
        sys.path.remove(str(path.parent))
    return module


def script_error(path: Path, error: BaseException) -> ConfigError:
    """What a user's script raised, with the line in it."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    lines += [error.lineno] if isinstance(error, SyntaxError) and error.filename == str(path) else []
    where = f"{path}:{lines[-1]}" if lines else str(path)
    return ConfigError(f"the script raised {type(error).__name__}: {error}", where=where)
