"""The part of the vendor's YAML that `compile` reads today: model, march, calibration data, output, prefix.

The keys are those of `hb_compile` (published: S1); paths are relative to the working folder, as there.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from y10c.errors import ConfigError


@dataclass(frozen=True)
class Settings:
    """What both the command line and the YAML can say; None where nothing is said."""

    model: Path | None = None
    march: str | None = None
    calibration: Path | None = None
    output: Path | None = None
    prefix: str | None = None

    def over(self, other: Settings) -> Settings:
        """These settings, with the other's where these say nothing."""
        pairs = {f.name: getattr(self, f.name) for f in fields(self)}
        return Settings(**{k: v if v is not None else getattr(other, k) for k, v in pairs.items()})


PLACES: dict[str, tuple[str, str]] = {
    "model": ("model_parameters", "onnx_model"),
    "march": ("model_parameters", "march"),
    "calibration": ("calibration_parameters", "cal_data_dir"),
    "output": ("model_parameters", "working_dir"),
    "prefix": ("model_parameters", "output_model_file_prefix"),
}
"""Where each setting stands in the YAML: group and key."""


def read_settings(path: Path) -> Settings:
    """The settings of a YAML file.

    Raises:
        ConfigError: The file is missing, not YAML, or a value is of the wrong kind; the place is named.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        content = YAML().load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"the config cannot be read: {error.strerror}", where=str(path)) from None
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark is not None else str(path)
        raise ConfigError(f"the config is not YAML: {error.problem}", where=place) from None
    except (UnicodeDecodeError, YAMLError) as error:
        raise ConfigError(f"the config is not YAML: {error}", where=str(path)) from None
    if not isinstance(content, dict):
        raise ConfigError(
            "the config holds no groups", where=str(path), help="it starts with model_parameters:"
        )
    said = {name: _read(content, place, path) for name, place in PLACES.items()}
    paths = {name: Path(text) if text is not None else None for name, text in said.items()}
    return Settings(
        model=paths["model"],
        march=said["march"],
        calibration=paths["calibration"],
        output=paths["output"],
        prefix=said["prefix"],
    )


def _read(content: dict[str, object], place: tuple[str, str], path: Path) -> str | None:
    group_name, key = place
    group = content.get(group_name)
    if not isinstance(group, dict) or group.get(key) is None:
        return None
    value = group[key]
    if not isinstance(value, str):
        line, column = group.lc.value(key)  # type: ignore[attr-defined]  # ruamel keeps positions there
        raise ConfigError(
            f"{group_name}.{key} must be text, not {value!r}", where=f"{path}:{line + 1}:{column + 1}"
        )
    return value
