"""Calibration data: a lazily decoded, sorted list of samples that remembers what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from y10c.calib.preprocess import Preprocess
from y10c.calib.sources import (
    IMAGE_SUFFIXES,
    Note,
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


@dataclass(frozen=True, order=True)
class Finding:
    """A thing that is odd about the data; `error` means that the ranges cannot be trusted."""

    severity: Literal["error", "warning"]
    file: str
    sentence: str
    help: str


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
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        shape: tuple[int, ...],
        synthetic: bool = False,
        skipped: Mapping[str, str] | None = None,
        expected: tuple[float, float] | None = None,
    ) -> None:
        self.sources = tuple(sources)
        self.shape = shape
        self.synthetic = synthetic
        self.expected = expected
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
        picked = np.linspace(0, len(self) - 1, count).round().astype(int)
        sources = [self.sources[i] for i in picked]
        return Dataset(
            sources,
            shape=self.shape,
            synthetic=self.synthetic,
            skipped=self._skipped,
            expected=self.expected,
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
        found = [
            Finding("warning", name, f"skipped: {why}", "replace or remove the file")
            for name, why in self._skipped.items()
        ]
        found += self._constant() + self._out_of_range() + self._duplicates()
        return sorted(found)

    def _constant(self) -> list[Finding]:
        flat = [name for name, note in self._notes.items() if note.constant]
        help = "leave it out: it teaches the ranges nothing"
        found = [Finding("warning", name, "every pixel has the same value", help) for name in flat]
        if flat and len(flat) == len(self._notes):
            sentence = "every sample is constant, so the ranges are meaningless"
            found.append(Finding("error", min(flat), sentence, "calibrate on data of the application"))
        return found

    def _out_of_range(self) -> list[Finding]:
        if self.expected is None:
            return []
        low, high = self.expected
        reach = max(abs(low), abs(high))
        found = []
        for name, note in self._notes.items():
            seen = max(abs(note.low), abs(note.high))
            if seen > 8 * reach:
                found.append(_range_finding("error", name, note, self.expected, "larger"))
            elif 0 < seen * 64 < reach:
                found.append(_range_finding("warning", name, note, self.expected, "smaller"))
        return found

    def _duplicates(self) -> list[Finding]:
        first: dict[bytes, str] = {}
        found = []
        for name in sorted(self._notes):
            twin = first.setdefault(self._notes[name].digest, name)
            if twin != name:
                sentence = f"the same content as {twin}"
                found.append(Finding("warning", name, sentence, "leave it out: it counts twice"))
        return found


def open_dataset(
    path: Path | str,
    *,
    input_shape: Sequence[int | str | None],
    dtype: DTypeLike = np.float32,
    preprocess: Preprocess | None = None,
    limit: int | None = None,
) -> Dataset:
    """Open a folder of images and npy tensors, or one npy file; nothing is decoded yet.

    Args:
        path: A folder (not its subfolders), sorted by name; or FILE.npy with one sample or [N, ...].
        input_shape: Of the network's input; the batch may be symbolic and is taken as 1.
        dtype: Of the network's input.
        preprocess: For images; npy tensors are taken as they are. Also says which values to expect.
        limit: Take so many samples, spread evenly over the data.

    Raises:
        DataError: Nothing there or nothing readable (Y3101); images or tensors that do not fit the input
            (Y3102).
        ModelError: A dimension other than the batch is not known (Y3004).
    """
    shape = fixed_shape(input_shape)
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
    data = Dataset(sources, shape=shape, skipped=skipped, expected=_expected(preprocess, shape))
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


def _range_finding(
    severity: Literal["error", "warning"], name: str, note: Note, expected: tuple[float, float], how: str
) -> Finding:
    return Finding(
        severity,
        name,
        f"values from {note.low:g} to {note.high:g} are far {how} than the expected "
        f"{expected[0]:g} to {expected[1]:g}",
        "apply the scale of the preprocessing to the tensors (1/255 unless configured) exactly once",
    )
