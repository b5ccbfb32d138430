"""Calibration data: a lazily decoded, sorted list of samples that remembers what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from y10c.calib.lint import Finding, Note, judge
from y10c.calib.preprocess import Preprocess
from y10c.calib.sources import (
    IMAGE_SUFFIXES,
    Source,
    Undecodable,
    image_source,
    tensor_sources,
)
from y10c.errors import DataError, ModelError


@dataclass(frozen=True)
class Sample:
    """One input tensor, and the file (and row) that it came from."""

    name: str
    array: NDArray[Any]


class Dataset:
    """Samples in a fixed order, decoded one at a time.

    `load` notes what it sees; `findings` follow from the notes alone, so they do not depend on the order
    of loading, and the notes of several processes can be put together with `add_notes`.

    Args:
        sources: In order.
        shape: Of one sample.
        synthetic: Whether the data is generated and says nothing about accuracy.
        skipped: File name -> why it is left out.
        expected: The smallest and largest value that the preprocessing gives, if known.
        strict: Whether `expected` is what the user declared, so that other values are an error.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        shape: tuple[int, ...],
        synthetic: bool = False,
        skipped: Mapping[str, str] | None = None,
        expected: tuple[float, float] | None = None,
        strict: bool = False,
    ) -> None:
        self.sources = tuple(sources)
        self.shape = shape
        self.synthetic = synthetic
        self.expected = expected
        self.strict = strict
        self._skipped = dict(skipped or {})
        self._notes: dict[str, Note] = {}

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def names(self) -> list[str]:
        """What errors call the samples, in order."""
        return [source.name for source in self.sources]

    def limited(self, count: int) -> Dataset:
        """`count` samples spread evenly over the data, or all where there are fewer."""
        if count >= len(self):
            return self
        return self.picked(np.linspace(0, len(self) - 1, count).round().astype(int).tolist())

    def picked(self, indices: Sequence[int]) -> Dataset:
        """The samples at some places."""
        return Dataset(
            [self.sources[i] for i in indices],
            shape=self.shape,
            synthetic=self.synthetic,
            skipped=self._skipped,
            expected=self.expected,
            strict=self.strict,
        )

    def samples(self) -> Iterator[Sample]:
        """The samples that decode, in order.

        Raises:
            DataError: A sample holds NaN or Inf (Y3103), or none decodes (Y3101).
        """
        for index in range(len(self)):
            sample = self.load(index)
            if sample is not None:
                yield sample
        self.require_some()

    def load(self, index: int) -> Sample | None:
        """Decode one sample; None where it does not decode, which becomes a finding.

        Safe to call from several threads.

        Raises:
            DataError: The sample holds NaN or Inf (Y3103).
        """
        source = self.sources[index]
        try:
            array, note = source.load()
        except Undecodable as error:
            self._skipped[source.name] = str(error)
            return None
        self._notes[source.name] = note
        return Sample(source.name, array)

    def check(self) -> list[Finding]:
        """Decode everything once, ahead of the work, and return the findings; raises as `samples` does."""
        for _ in self.samples():
            pass
        return self.findings

    def require_sound(self) -> None:
        """Refuse what a declared preprocessing never gives, judged by the samples loaded so far.

        Raises:
            DataError: Values are far outside the declared range, or every sample is constant (Y3103).
        """
        errors = [finding for finding in self.findings if finding.severity == "error"]
        if self.strict and errors:
            first = errors[0]
            raise DataError(
                f"{first.file}: {first.sentence}", code="Y3103", where=first.file, help=first.help
            )

    def require_some(self) -> None:
        """Raise DataError (Y3101) where every sample was skipped."""
        left = [source for source in self.sources if source.name not in self._skipped]
        if not left:
            name, why = min(self._skipped.items(), default=("", ""))
            raise DataError(
                f"none of the {len(self._skipped)} calibration files can be read: {why}",
                code="Y3101",
                where=name,
                help="check that the files are whole images or npy tensors",
            )

    @property
    def notes(self) -> tuple[dict[str, Note], dict[str, str]]:
        """What loading has seen: notes by sample, and reasons by skipped file."""
        return dict(self._notes), dict(self._skipped)

    def add_notes(self, notes: tuple[dict[str, Note], dict[str, str]]) -> None:
        """Take over what another process has seen of the same data."""
        self._notes.update(notes[0])
        self._skipped.update(notes[1])

    @property
    def findings(self) -> list[Finding]:
        """What is odd about the samples loaded so far, errors first, then by file."""
        return judge(self._notes, self._skipped, self.expected)


def open_dataset(
    path: Path | str,
    *,
    input_shape: Sequence[int | str | None],
    dtype: DTypeLike = np.float32,
    preprocess: Preprocess | None = None,
    limit: int | None = None,
    strict: bool = False,
    whole: bool = False,
) -> Dataset:
    """Open a folder of images and npy tensors, or one npy file; nothing is decoded yet.

    Args:
        path: A folder (not its subfolders), sorted by name; or FILE.npy with one sample or [N, ...].
        input_shape: Of the network's input; the batch may be symbolic and is taken as 1.
        dtype: Of the network's input.
        preprocess: For images; npy tensors are taken as they are. Also says which values to expect.
        limit: Take so many samples, spread evenly over the data.
        strict: Whether the preprocessing is declared, so that values it never gives are an error.
        whole: A sample has all extents of the input; by default the first is a batch, and a sample one of it.

    Raises:
        DataError: Nothing there or nothing readable (Y3101); images or tensors that do not fit the input
            (Y3102).
        ModelError: A dimension other than the batch is not known (Y3004).
    """
    shape = tuple(int(d) for d in input_shape if d is not None) if whole else fixed_shape(input_shape)
    wanted = np.dtype(dtype)
    preprocess = preprocess or Preprocess()
    sources: list[Source] = []
    skipped: dict[str, str] = {}
    for file in _files(Path(path)):
        try:
            sources += (
                [image_source(file, shape, wanted, preprocess)]
                if file.suffix.lower() in IMAGE_SUFFIXES
                else tensor_sources(file, shape, wanted)
            )
        except Undecodable as error:
            skipped[file.name] = str(error)
    expected = _expected(preprocess, shape)
    data = Dataset(sources, shape=shape, skipped=skipped, expected=expected, strict=strict)
    data.require_some()
    return data if limit is None else data.limited(limit)


def fixed_shape(shape: Sequence[int | str | None]) -> tuple[int, ...]:
    """The shape of one sample: batch 1, all else known; raises ModelError (Y3004) otherwise."""
    sample = (1, *shape[1:])
    if not all(isinstance(size, int) and size > 0 for size in sample):
        raise ModelError(
            f"the input shape {list(shape)} is not known",
            code="Y3004",
            help="give it, as in --shape NAME=1x3x640x640",
        )
    return tuple(int(size) for size in sample if size is not None)


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise _unreadable("no such calibration data", path, "check the path given to --calibration")
    if path.is_file():
        if path.suffix.lower() != ".npy":
            raise _unreadable("calibration data is a folder or one .npy file", path, "give the folder")
        return [path]
    known = {*IMAGE_SUFFIXES, ".npy"}
    entries = [entry for entry in path.iterdir() if not entry.name.startswith(".")]
    files = sorted((e for e in entries if e.suffix.lower() in known and e.is_file()), key=lambda e: e.name)
    if not files:
        state = "is empty" if not entries else f"holds no data file among its {len(entries)} entries"
        raise _unreadable(
            f"the calibration folder {state}",
            path,
            f"put {', '.join(sorted(known))} files in it; subfolders are not searched",
        )
    return files


def _unreadable(message: str, path: Path, help: str) -> DataError:
    return DataError(message, code="Y3101", where=str(path), help=help)


def _expected(preprocess: Preprocess, shape: tuple[int, ...]) -> tuple[float, float] | None:
    try:
        levels = preprocess.levels(preprocess.geometry(shape)[0])
    except DataError:
        return None
    return float(levels.min()), float(levels.max())
