"""A read config: the value and the origin of every key, and a typed view of the inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from y10c.config.keys import GROUPS, find
from y10c.config.kinds import Name
from y10c.config.problems import Findings, Place
from y10c.config.quant import beside


@dataclass(frozen=True)
class Setting:
    """The value of a key.

    Args:
        value: What holds.
        origin: `default`, the place in the file, or the option of the command line.
        place: Where the value stands; None where it is no value of the file.
        key_place: Where the key stands.
    """

    value: Any
    origin: str
    place: Place | None = None
    key_place: Place | None = None


@dataclass(frozen=True)
class InputConfig:
    """What the file says of one input.

    Args:
        name: The input's name; empty where the only input is meant.
        runtime: `input_type_rt`.
        training: `input_type_train`.
        layout: `input_layout_train`; empty where nothing is said.
        video: Whether nv12 holds video range.
        shape: Its extents; None where nothing is said.
        mean: Of each channel in pixel units; empty for none.
        scale: Of each channel; empty for none.
        std: Of each channel; empty for none.
        separate: Whether each image of a batch is an input of its own.
        data: Its calibration data; None where there is none.
    """

    name: str
    runtime: str
    training: str
    layout: str = ""
    video: bool = False
    shape: tuple[int, ...] | None = None
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    separate: bool = False
    data: Path | None = None

    @property
    def is_image(self) -> bool:
        """False for a featuremap."""
        return self.training != "featuremap"

    @property
    def normalized(self) -> bool:
        """Whether a mean, scale or std is given."""
        return bool(self.mean or self.scale or self.std)


@dataclass(frozen=True)
class Config:
    """A config file, read and checked.

    Args:
        path: The file.
        settings: By `group.key`; every declared key is there.
        findings: What was remarked on; `problems` are raised by the reader.
        groups: Where each group of the file begins.
    """

    path: str
    settings: Mapping[str, Setting]
    findings: Findings = field(default_factory=Findings)
    groups: Mapping[str, Place] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.settings[name].value

    def given(self, name: str) -> bool:
        """Whether the file or the command line says it."""
        return self.settings[name].origin != "default"

    def place(self, name: str) -> Place:
        """Where the value of a key stands, or where its group begins."""
        return self.settings[name].place or self._group_place(name)

    def key_place(self, name: str) -> Place:
        """Where a key stands, or where its group begins."""
        return self.settings[name].key_place or self._group_place(name)

    def _group_place(self, name: str) -> Place:
        return self.groups.get(name.partition(".")[0], Place(1, 1, self.path))

    def file(self, name: str) -> Path | None:
        """A path that a key gives, from the working folder or else beside the config."""
        return None if self[name] is None else beside(Path(self[name]), self.path)

    @property
    def folders(self) -> tuple[Path, ...]:
        """The calibration data in the order of the inputs."""
        given = self["calibration_parameters.cal_data_dir"] or ()
        return tuple(beside(Path(one), self.path) for one in given if one is not None)

    @property
    def skips_calibration(self) -> bool:
        """Whether calibration takes generated data, as asked or for want of any."""
        if self.settings["calibration_parameters.cal_data_dir"].origin.startswith("--"):
            return False
        return self["calibration_parameters.calibration_type"] == "skip" or not self.folders

    @property
    def inputs(self) -> tuple[InputConfig, ...]:
        """The inputs in the order of the file."""
        count = len(self["input_parameters.input_type_rt"] or ())
        return tuple(self._input(index) for index in range(count))

    def _input(self, index: int) -> InputConfig:
        def of(name: str, default: Any) -> Any:
            values = self[f"input_parameters.{name}"]
            values = values if isinstance(values, tuple) else ()
            value = values[index] if index < len(values) else None
            return default if value is None else value

        name = str(of("input_name", ""))
        return InputConfig(
            name=name,
            runtime=str(of("input_type_rt", "")),
            training=str(of("input_type_train", "")),
            layout=str(of("input_layout_train", "")),
            video=of("input_space_and_range", "regular") == "bt601_video",
            shape=of("input_shape", None),
            mean=of("mean_value", ()),
            scale=of("scale_value", ()),
            std=of("std_value", ()),
            separate=bool(self["input_parameters.separate_batch"])
            or name in (self["input_parameters.separate_name"] or ()),
            data=self.folders[index] if index < len(self.folders) and not self.skips_calibration else None,
        )

    def names(self, name: str) -> tuple[Name, ...]:
        """The names that a key lists."""
        return tuple(one for one in self[name] or () if one is not None)

    def without_effect(self) -> Iterator[str]:
        """The given keys that change nothing here, as `group.key`."""
        for group in GROUPS:
            for key in group.keys:
                name = f"{group.name}.{key.name}"
                if key.effect == "nothing" and self.given(name):
                    yield name


def default_settings() -> dict[str, Setting]:
    """Every declared key with its default."""
    names = [f"{group.name}.{key.name}" for group in GROUPS for key in group.keys]
    return {name: Setting(find(name)[1].default, "default") for name in names}
