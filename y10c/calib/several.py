"""Calibration data of networks with several inputs.

Either a folder with a subfolder for each input, whose files in order of their names belong together, or npz
archives that hold one array for each input, named as it. The first sample of one input goes with the first of
the others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from y10c.calib.dataset import Dataset, fixed_shape, open_dataset
from y10c.calib.sources import Source, Undecodable, archive_sources
from y10c.errors import DataError
from y10c.ir.types import TensorType

ARCHIVE = ".npz"


def open_several(inputs: Mapping[str, TensorType], path: Path) -> dict[str, Dataset]:
    """The samples for each input; nothing is decoded yet.

    Where the inputs agree in their first extent it is a batch, and a sample is one of it.

    Args:
        inputs: Types by name.
        path: A folder, or one npz archive.

    Raises:
        DataError: Data for an input is missing or cannot be read (Y3101), does not fit it, or the inputs have
            different numbers of samples or samples of different names (Y3102).
    """
    shapes = {name: _sample_shape(kind, inputs) for name, kind in inputs.items()}
    archives = _archives(path)
    if archives:
        data = {n: _of_archives(archives, n, shapes[n], inputs[n]) for n in inputs}
    else:
        data = {n: _of_folder(path, n, shapes[n], inputs[n], list(inputs)) for n in inputs}
    _require_partners(data, path)
    return data


def _sample_shape(kind: TensorType, inputs: Mapping[str, TensorType]) -> tuple[int, ...]:
    batches = {other.static_shape[:1] for other in inputs.values()}
    batched = len(batches) == 1 and batches != {()}
    return fixed_shape(kind.static_shape) if batched else kind.static_shape


def _archives(path: Path) -> list[Path]:
    if path.suffix.lower() == ARCHIVE and path.is_file():
        return [path]
    files = path.iterdir() if path.is_dir() else []
    return sorted(f for f in files if f.suffix.lower() == ARCHIVE and not f.name.startswith("."))


def _of_archives(archives: Sequence[Path], name: str, shape: tuple[int, ...], kind: TensorType) -> Dataset:
    sources: list[Source] = []
    skipped: dict[str, str] = {}
    for path in archives:
        try:
            sources += archive_sources(path, name, shape, kind.dtype.numpy)
        except Undecodable as error:
            skipped[path.name] = str(error)
    data = Dataset(sources, shape=shape, skipped=skipped)
    data.require_some()
    return data


def _of_folder(
    path: Path, name: str, shape: tuple[int, ...], kind: TensorType, names: Sequence[str]
) -> Dataset:
    folder = next((path / n for n in (name, _as_file_name(name)) if (path / n).is_dir()), None)
    if folder is None:
        wanted = ", ".join(map(_as_file_name, names))
        raise DataError(
            f"the model has {len(names)} inputs, and there is no calibration data for {name!r}",
            code="Y3101",
            where=str(path),
            help=f"make subfolders {wanted}, or npz archives with arrays named as the inputs",
        )
    return open_dataset(folder, input_shape=shape, dtype=kind.dtype.numpy, whole=True)


def _as_file_name(name: str) -> str:
    """An input's name with what no folder should have in its name replaced."""
    return re.sub(r"[^\w.-]+", "_", name).strip("_")


def _require_partners(data: Mapping[str, Dataset], path: Path) -> None:
    counts = {name: len(one) for name, one in data.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{count} for {name!r}" for name, count in counts.items())
        raise DataError(
            f"the inputs have different numbers of samples: {told}",
            code="Y3102",
            where=str(path),
            help="give one sample of every input for each run of the network",
        )
    for names in zip(*(one.names for one in data.values()), strict=True):
        if len({n.partition(".")[0] for n in names}) > 1:
            raise DataError(
                f"samples that belong together have different names: {', '.join(names)}",
                code="Y3102",
                where=str(path),
                help="name the files of one run alike in every subfolder",
            )
