"""What makes calibration data bad, judged from a few numbers that loading each sample leaves behind.

The same rules serve `y10c compile`, which warns or refuses, and `y10c prepare`, which leaves samples out.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

THUMB = 16
"""Side of the small picture that near duplicates are found by."""

FLAT = 2 / 255
"""A standard deviation below this share of the whole range is no picture but a covered lens (assumed)."""

ENOUGH = 65_536
"""Pixels of a channel that its spread is taken over."""

ALIKE = 3.0 / 255
"""Small pictures whose root mean square difference is below this share of the range show the same (assumed).
Among the 152 photographs of the tests no two come closer than 5.9 / 255; saved again at quality 30 or at
half the size they stay within 1.2 / 255."""

LARGER, SMALLER = 8, 64
"""How many times larger or smaller than expected values must be to be called wrong (assumed): the common
mistakes are factors of 58 and more (pixels where normalized values belong, or normalizing twice)."""


FEW = 10
"""Fewer samples say too little about ranges (assumed; the toolchain's own pages ask for 20 to 500)."""


@dataclass(frozen=True)
class Note:
    """What loading a sample saw of it, enough to judge the data set by.

    Args:
        low: Least value.
        high: Greatest value.
        constant: Whether all of it is the same.
        digest: Equal for equal content.
        spread: Standard deviation of the content, as a share of the range that it could have.
        thumb: The content as a grey picture of `THUMB` x `THUMB`, 0 to 255; empty where it is no picture.
    """

    low: float
    high: float
    constant: bool
    digest: bytes
    spread: float = 1.0
    thumb: bytes = b""


@dataclass(frozen=True, order=True)
class Finding:
    """A thing that is odd about the data; `error` means that the ranges cannot be trusted."""

    severity: Literal["error", "warning"]
    file: str
    sentence: str
    help: str


def note(array: NDArray[Any], constant: bool, content: NDArray[Any]) -> Note:
    """What there is to remember of a loaded sample.

    Args:
        array: The input tensor.
        constant: Whether what it was made of is all the same.
        content: What makes it a duplicate, and what is judged: pixels, or the tensor itself.
    """
    digest = hashlib.blake2b(np.ascontiguousarray(content).data, digest_size=16).digest()
    low, whole = (0.0, 255.0) if content.dtype == np.uint8 else _reach(content)
    return Note(
        float(array.min()),
        float(array.max()),
        constant,
        digest,
        _spread(content) / whole,
        thumbnail(content, low, whole),
    )


def _spread(content: NDArray[Any]) -> float:
    """The greatest standard deviation of a channel; of everything where there are no channels."""
    planes = _planes(content)
    if planes is None:
        return float(content.std(dtype=np.float32))
    step = max(1, math.isqrt(planes[0].size // ENOUGH))
    return max(float(plane[::step, ::step].std(dtype=np.float32)) for plane in planes)


def _reach(content: NDArray[Any]) -> tuple[float, float]:
    """Where a tensor's range begins, zero or the least value below it, and how far it reaches."""
    low = min(float(content.min()), 0.0)
    return low, max(float(content.max()), 0.0) - low or 1.0


def _planes(content: NDArray[Any]) -> NDArray[Any] | None:
    """The channels of a picture `[H, W, C]` or of a tensor `[1, C, H, W]` or `[1, H, W, C]`."""
    last: NDArray[Any] | None = None
    if content.ndim == 3 and content.shape[2] in (1, 3):
        last = content
    if content.ndim == 4 and content.shape[0] == 1:
        if content.shape[1] in (1, 3):
            first: NDArray[Any] = content[0]
            return first
        last = content[0] if content.shape[3] in (1, 3) else None
    return None if last is None else last.transpose(2, 0, 1)


def thumbnail(content: NDArray[Any], low: float, whole: float) -> bytes:
    """A grey picture of `THUMB` x `THUMB`: of pixels `[H, W, C]`, or of a tensor `[1, C, H, W]`.

    Args:
        content: The pixels or the tensor.
        low: The value that is black.
        whole: How far above it white is.
    """
    from PIL import Image

    planes = _planes(content)
    if planes is None or min(planes.shape[1:]) < THUMB:
        return b""
    if content.dtype == np.uint8 and content.shape[-1] == 3:
        grey = Image.fromarray(content).convert("L")
    else:
        mean = (planes.mean(axis=0, dtype=np.float32) - np.float32(low)) * np.float32(255 / whole)
        grey = Image.fromarray(mean)
    levels = np.asarray(grey.resize((THUMB, THUMB), Image.Resampling.BOX))
    small: bytes = np.clip(np.rint(levels), 0, 255).astype(np.uint8).tobytes()
    return small


def judge(
    notes: Mapping[str, Note], skipped: Mapping[str, str], expected: tuple[float, float] | None
) -> list[Finding]:
    """What is odd about some samples, errors first, then by file.

    Args:
        notes: By sample.
        skipped: By file that does not decode, why.
        expected: The least and greatest value that normalized data has; None where nobody knows.
    """
    found = [
        Finding("warning", name, f"skipped: {why}", "replace or remove the file")
        for name, why in skipped.items()
    ]
    found += constant_samples(notes) + out_of_range(notes, expected) + duplicates(notes)
    return sorted(found)


def constant_samples(notes: Mapping[str, Note]) -> list[Finding]:
    """Samples that show nothing."""
    help = "leave it out: it teaches the ranges nothing"
    flat = [name for name, one in notes.items() if one.constant]
    found = [Finding("warning", name, "every pixel has the same value", help) for name in flat]
    if flat and len(flat) == len(notes):
        sentence = "every sample is constant, so the ranges are meaningless"
        found.append(Finding("error", min(flat), sentence, "calibrate on data of the application"))
    return found + [
        Finding("warning", name, "nearly every pixel has the same value", help)
        for name, one in notes.items()
        if one.spread < FLAT and not one.constant
    ]


def out_of_range(notes: Mapping[str, Note], expected: tuple[float, float] | None) -> list[Finding]:
    """Samples that were normalized otherwise than expected: not at all, or twice."""
    if expected is None:
        return []
    reach = max(map(abs, expected))
    found = []
    for name, one in notes.items():
        seen = max(abs(one.low), abs(one.high))
        if seen > LARGER * reach:
            found.append(_range_finding("error", name, one, expected, "larger"))
        elif 0 < seen * SMALLER < reach:
            found.append(_range_finding("warning", name, one, expected, "smaller"))
    return found


def _range_finding(
    severity: Literal["error", "warning"], name: str, one: Note, expected: tuple[float, float], how: str
) -> Finding:
    return Finding(
        severity,
        name,
        f"values from {one.low:g} to {one.high:g} are far {how} than the expected "
        f"{expected[0]:g} to {expected[1]:g}",
        "apply the scale of the preprocessing to the tensors (1/255 unless configured) exactly once",
    )


def duplicates(notes: Mapping[str, Note]) -> list[Finding]:
    """Samples that show what another one, earlier by name, shows."""
    first: dict[bytes, str] = {}
    found = []
    for name in sorted(notes):
        twin = first.setdefault(notes[name].digest, name)
        if twin != name:
            sentence = f"the same content as {twin}"
            found.append(Finding("warning", name, sentence, "leave it out: it counts twice"))
    return found + _near_duplicates(notes, sorted(first.values()))


def _near_duplicates(notes: Mapping[str, Note], names: list[str]) -> list[Finding]:
    """Among samples of different content: the same picture, compressed or sized otherwise."""
    seen = [name for name in names if notes[name].thumb and notes[name].spread >= FLAT]
    thumbs = np.array([np.frombuffer(notes[name].thumb, np.uint8) for name in seen], np.float32)
    found = []
    for index in range(1, len(seen)):
        apart = np.sqrt(((thumbs[:index] - thumbs[index]) ** 2).mean(axis=1)) / 255
        twin = int(apart.argmin())
        if apart[twin] < ALIKE:
            sentence = f"nearly the same content as {seen[twin]}"
            found.append(Finding("warning", seen[index], sentence, "leave it out: it counts twice"))
    return found
