"""`prepare`: look at every file, leave out what ruins calibration, choose, transform, check, write."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from y10c import atomic, progress
from y10c.calib.lint import FEW, Note, constant_samples, duplicates, note, out_of_range
from y10c.diagnostics import warn
from y10c.errors import ConfigError, DataError, OutputError
from y10c.prepare.chain import script_error
from y10c.prepare.inspect import SUFFIXES, Seen, files, look, open_picture
from y10c.prepare.select import coverage, diverse
from y10c.prepare.transforms import Transform

MANIFEST = "prepare.json"


@dataclass(frozen=True)
class Request:
    """What to prepare.

    Args:
        folder: Pictures, or tensors that are normalised already.
        shape: Of the network's input, batch 1.
        dtype: Of the network's input.
        transforms: From a picture to the input.
        script: The user's script where the transforms come from one.
        expected: The least and greatest value that the runtime feeds; None where nobody knows.
        count: How many samples.
    """

    folder: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    transforms: Sequence[Transform]
    script: Path | None
    expected: tuple[float, float] | None
    count: int


@dataclass(frozen=True)
class Prepared:
    """What was prepared.

    Args:
        chosen: Written files by the sample that they come from.
        refused: Why each sample that was left out was.
        found: How many files were looked at.
        radius: The greatest distance of a good sample from the nearest chosen one.
        low: Least value written.
        high: Greatest value written.
    """

    chosen: dict[str, str]
    refused: dict[str, str]
    found: int
    radius: float
    low: float
    high: float


def prepare(request: Request, output: Path) -> Prepared:
    """Write calibration data for one input.

    Args:
        request: What to prepare.
        output: The folder for the `.npy` files and `prepare.json`.

    Raises:
        DataError: Nothing there, too few good samples, or the transforms give what the runtime never feeds.
        ConfigError: The user's script raises.
        OutputError: The output folder is the folder of the pictures.
    """
    paths = _files(request.folder, output)
    names = [path.relative_to(request.folder).as_posix() for path in paths]
    pairs = list(zip(paths, names, strict=True))
    looks = [
        look(path, name, request.shape, request.dtype)
        for path, name in progress.track(pairs, "looking", len(pairs))
    ]
    refused = refusals(looks, request.expected)
    good = [seen for seen in looks if seen.name not in refused]
    _require_enough(good, refused, request)
    features = np.stack([seen.features for seen in good if seen.features is not None])
    picked = diverse(features, request.count)
    chosen = [good[index] for index in picked]
    with atomic.folder(output) as folder:
        written = _write(request, chosen, folder)
        result = Prepared(
            {seen.name: name for seen, (name, _, _) in zip(chosen, written, strict=True)},
            refused,
            len(looks),
            coverage(features, picked),
            min(low for _, low, _ in written),
            max(high for _, _, high in written),
        )
        _write_manifest(request, result, folder)
    return result


def _files(folder: Path, output: Path) -> list[Path]:
    """What to look at: not the samples that an earlier run wrote somewhere below the pictures."""
    if not folder.is_dir():
        what = "this is a file, not a folder" if folder.exists() else "there is no such folder"
        raise DataError(what, code="Y3101", where=str(folder), help="name a folder of pictures")
    made = output.resolve()
    if made == folder.resolve():
        raise OutputError(
            "samples written here would be taken for pictures the next time",
            where=str(output),
            help="choose another folder with -o",
        )
    found = [path for path in files(folder) if not path.resolve().is_relative_to(made)]
    if not found:
        kinds = ", ".join(sorted(SUFFIXES))
        raise DataError(f"the folder holds no {kinds}", code="Y3101", where=str(folder))
    return found


def refusals(looks: Sequence[Seen], expected: tuple[float, float] | None) -> dict[str, str]:
    """Why each sample that must be left out must be.

    Args:
        looks: At every file.
        expected: What tensors are measured against; pictures are normalised later.
    """
    refused = {seen.name: seen.problem for seen in looks if seen.problem is not None}
    notes = {seen.name: seen.note for seen in looks if seen.note is not None}
    tensors = {name: one for name, one in notes.items() if name.lower().endswith(".npy")}
    found = constant_samples(notes) + out_of_range(tensors, expected)
    for finding in found:
        refused.setdefault(finding.file, finding.sentence)
    sound = {name: one for name, one in notes.items() if name not in refused}
    for finding in duplicates(sound):
        refused.setdefault(finding.file, finding.sentence)
    return dict(sorted(refused.items()))


def _require_enough(good: Sequence[Seen], refused: dict[str, str], request: Request) -> None:
    if len(good) < FEW:
        first = next(iter(refused.items()), None)
        why = f"; {len(refused)} were refused, such as {first[0]}: {first[1]}" if first else ""
        raise DataError(
            f"only {len(good)} samples are fit to calibrate on, at least {FEW} are needed{why}",
            code="Y3103",
            where=str(request.folder),
            help="take 20 to 500 pictures like those of the application",
        )
    if len(good) < request.count:
        warn(
            "Y5003",
            f"{len(good)} samples are fit to calibrate on, {request.count} were asked for",
            where=str(request.folder),
            help="add pictures, or ask for fewer with -n",
        )


def _write(request: Request, chosen: Sequence[Seen], folder: Path) -> list[tuple[str, float, float]]:
    """Write the tensors; gives name, least and greatest value of each."""
    written = []
    notes: dict[str, Note] = {}
    for index, (seen, array) in enumerate(_tensors(request, chosen)):
        name = f"{index:04d}_{Path(seen.name).stem}.npy"
        np.save(folder / name, array, allow_pickle=False)
        notes[seen.name] = note(array, bool(array.min() == array.max()), array)
        _require_expected({seen.name: notes[seen.name]}, request)
        written.append((name, float(array.min()), float(array.max())))
    return written


def _tensors(request: Request, chosen: Sequence[Seen]) -> Iterator[tuple[Seen, NDArray[Any]]]:
    for seen in progress.track(chosen, "writing", len(chosen)):
        if seen.path.suffix.lower() == ".npy":
            yield seen, np.load(seen.path, allow_pickle=False).reshape(request.shape)
        else:
            yield seen, transformed(request, seen)


def transformed(request: Request, seen: Seen) -> NDArray[Any]:
    """The input tensor of a picture.

    Raises:
        ConfigError: A transform raises, or the result is no tensor of the input's shape and type.
    """
    array: Any = open_picture(seen.path)
    try:
        for transform in request.transforms:
            array = transform(array)
    except (Exception, SystemExit) as error:
        if request.script is not None:
            raise script_error(request.script, error) from error
        raise ConfigError(f"the transforms fail on {seen.name}: {error}") from error
    return _fitted(array, request, seen)


def _fitted(array: Any, request: Request, seen: Seen) -> NDArray[Any]:
    if isinstance(array, np.ndarray) and array.shape == request.shape[1:]:
        array = array[None]
    if not isinstance(array, np.ndarray) or array.shape != request.shape or array.dtype != request.dtype:
        got = f"{array.dtype} {list(array.shape)}" if isinstance(array, np.ndarray) else type(array).__name__
        raise ConfigError(
            f"the transforms make {got} of {seen.name}, the input is {request.dtype} {list(request.shape)}",
            where=None if request.script is None else str(request.script),
            help="end the chain with the input's layout and type",
        )
    if not np.isfinite(array).all():
        raise ConfigError(f"the transforms make NaN or infinity of {seen.name}")
    return np.ascontiguousarray(array)


def _require_expected(notes: dict[str, Note], request: Request) -> None:
    for finding in out_of_range(notes, request.expected):
        raise DataError(
            f"{finding.file}: {finding.sentence}, which mean_value, scale_value and std_value give",
            code="Y3103",
            where=None if request.script is None else str(request.script),
            help="let transforms and config scale alike, exactly once",
        )


def _write_manifest(request: Request, result: Prepared, folder: Path) -> None:
    content = {
        "source": str(request.folder),
        "shape": list(request.shape),
        "dtype": str(request.dtype),
        "transforms": [_named(transform) for transform in request.transforms],
        "values": [result.low, result.high],
        "chosen": result.chosen,
        "refused": result.refused,
    }
    atomic.write_text(folder / MANIFEST, json.dumps(content, indent=1) + "\n")


def _named(transform: Transform) -> str:
    return getattr(transform, "__name__", None) or str(transform)
