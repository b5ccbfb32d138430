"""What a network is fed with: one data set an input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from y10c.calib.dataset import Dataset, open_dataset
from y10c.calib.lint import FEW
from y10c.calib.synthetic import synthetic_dataset
from y10c.diagnostics import warn
from y10c.errors import ModelError
from y10c.ir.types import TensorType


class Feeds(dict[str, Dataset]):
    """Data sets of equal length by input name."""

    @property
    def count(self) -> int:
        """Number of samples."""
        return min(map(len, self.values()), default=0)

    @property
    def synthetic(self) -> bool:
        """True where the data is generated and says nothing about accuracy."""
        return any(data.synthetic for data in self.values())

    def limited(self, count: int) -> Feeds:
        """At most `count` samples, spread evenly."""
        return Feeds({name: data.limited(count) for name, data in self.items()})

    def picked(self, indices: Sequence[int]) -> Feeds:
        """Some samples by their places."""
        return Feeds({name: data.picked(indices) for name, data in self.items()})

    def warn_of_few(self) -> None:
        """Warn where there are too few samples to trust their ranges."""
        if self.count < FEW:
            warn(
                "Y5003",
                f"ranges from {self.count} sample{'s' * (self.count != 1)} hold for little else",
                help="calibrate on 20 to 500 samples of the application",
            )

    def report_findings(self) -> None:
        """Warn of what loading the samples showed to be odd; raises DataError as `require_sound` does."""
        for data in self.values():
            for finding in data.findings:
                warn("Y5003", finding.sentence, where=finding.file, help=finding.help)
            data.require_sound()


def generated_feeds(inputs: Mapping[str, TensorType]) -> Feeds:
    """Generated samples for every input."""
    return Feeds({name: synthetic_dataset(name, kind) for name, kind in inputs.items()})


def open_feeds(inputs: Mapping[str, TensorType], path: Path) -> Feeds:
    """The samples of a folder or npy file; for several inputs see `y10c.calib.several`.

    Raises:
        DataError: See `open_dataset` and `open_several`.
        ModelError: The network has no input.
    """
    if not inputs:
        raise ModelError(
            "the model has no input to calibrate with", code="Y3003", help="compile without --calibration"
        )
    if len(inputs) > 1:
        from y10c.calib.several import open_several

        return Feeds(open_several(inputs, path))
    ((name, kind),) = inputs.items()
    return Feeds({name: open_dataset(path, input_shape=kind.static_shape, dtype=kind.dtype.numpy)})
