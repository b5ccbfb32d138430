"""Calibration tables as files: sketches and ranges in readable JSON, keyed by tensor lineage name.

The summary of each tensor and its ranges are plain numbers that may be read and, for ranges, edited by
hand; the distribution follows as one compressed string. The same content gives the same bytes.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from y10c import atomic
from y10c.calib.observers import Range
from y10c.calib.sketch import Sketch
from y10c.calib.tally import BINS
from y10c.errors import DataError

FORMAT = "y10c-calibration"
VERSION = 1


@dataclass
class CalibrationTable:
    """What calibration learned.

    Args:
        sketches: Tensor lineage name -> its distribution.
        ranges: Tensor lineage name -> the range chosen; may cover other tensors than `sketches`.
        meta: Where it came from (data, number of images, preprocessing): JSON scalars.
    """

    sketches: dict[str, Sketch] = field(default_factory=dict)
    ranges: dict[str, Range] = field(default_factory=dict)
    meta: dict[str, str | int | float | bool] = field(default_factory=dict)

    def sketch(self, lineage: Iterable[str]) -> Sketch | None:
        """The sketch of a value by the first of its lineage names that is known."""
        return next((self.sketches[name] for name in lineage if name in self.sketches), None)

    def range(self, lineage: Iterable[str]) -> Range | None:
        """The range of a value by the first of its lineage names that is known."""
        return next((self.ranges[name] for name in lineage if name in self.ranges), None)

    def save(self, path: Path | str) -> None:
        """Write the table, whole or not at all; raises OutputError."""
        atomic.write_text(path, self.to_json())

    def to_json(self) -> str:
        """The table as text, sorted by name."""
        tensors = {name: _entry(sketch) for name, sketch in sorted(self.sketches.items())}
        ranges = {
            name: {"low": one.low, "high": one.high, "method": one.method}
            for name, one in sorted(self.ranges.items())
        }
        content = {
            "format": FORMAT,
            "version": VERSION,
            "meta": dict(sorted(self.meta.items())),
            "ranges": ranges,
            "tensors": tensors,
        }
        return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n"

    @classmethod
    def load(cls, path: Path | str) -> CalibrationTable:
        """Read a table.

        Raises:
            DataError: Missing, not JSON, not a calibration table, newer than this y10c, or damaged
                (Y3101); a range that is not finite or upside down (Y3103).
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise _bad(f"the calibration table cannot be read: {error.strerror}", str(path)) from error
        except json.JSONDecodeError as error:
            raise _bad(f"not JSON: {error.msg}", f"{path}:{error.lineno}:{error.colno}") from error
        except UnicodeDecodeError as error:
            raise _bad("not UTF-8 text", str(path)) from error
        return cls._from_content(content, str(path))

    @classmethod
    def _from_content(cls, content: Any, where: str) -> CalibrationTable:
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise _bad(f'not a calibration table: "format" is not "{FORMAT}"', where)
        if content.get("version") != VERSION:
            raise _bad(f"version {content.get('version')} of the format, this y10c reads {VERSION}", where)
        tensors = _mapping(content, "tensors", where)
        ranges = _mapping(content, "ranges", where)
        return cls(
            {name: _sketch(entry, f'{where}: tensor "{name}"') for name, entry in tensors.items()},
            {name: _range(entry, f'{where}: range "{name}"') for name, entry in ranges.items()},
            dict(_mapping(content, "meta", where)),
        )


def _entry(sketch: Sketch) -> dict[str, Any]:
    known = not sketch.empty
    return {
        "count": sketch.count,
        "min": sketch.low if known else None,
        "max": sketch.high if known else None,
        "mean": sketch.mean if known else None,
        "nonfinite": sketch.nonfinite,
        "nonfinite_sample": sketch.nonfinite_sample,
        "bins": _packed(sketch),
    }


def _packed(sketch: Sketch) -> str:
    index, counts, lows = sketch.sparse()
    raw = np.stack([np.diff(index, prepend=0), counts, lows]).astype("<i8").tobytes()
    return base64.b64encode(zlib.compress(raw, 6)).decode("ascii")


def _sketch(entry: Any, where: str) -> Sketch:
    try:
        raw = zlib.decompress(base64.b64decode(entry["bins"], validate=True))
        steps, counts, lows = np.frombuffer(raw, "<i8").reshape(3, -1).astype(np.int64)
        index = np.cumsum(steps)
        low = np.inf if entry["min"] is None else float(entry["min"])
        high = -np.inf if entry["max"] is None else float(entry["max"])
        scalars = (low, high, int(entry["count"]), int(entry["nonfinite"]), entry["nonfinite_sample"])
    except (KeyError, TypeError, ValueError, binascii.Error, zlib.error) as error:
        raise _bad(f"the entry is damaged: {error}", where) from error
    if (index.size and not 0 <= index[0] <= index[-1] < BINS) or counts.sum() != scalars[2] + scalars[3]:
        raise _bad("the entry is damaged: its bins do not add up to its count", where)
    sketch = Sketch()
    sketch.__setstate__({"sparse": (index, counts, lows), "scalars": scalars})
    return sketch


def _range(entry: Any, where: str) -> Range:
    try:
        found = Range(float(entry["low"]), float(entry["high"]), str(entry.get("method", "file")))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _bad(f"a range needs low and high: {error}", where) from error
    if not (np.isfinite(found.low) and np.isfinite(found.high) and found.low <= 0 <= found.high):
        raise DataError(
            f"the range {found.low:g} to {found.high:g} is not finite or does not hold zero",
            code="Y3103",
            where=where,
            help="give low <= 0 <= high",
        )
    return found


def _mapping(content: dict[str, Any], key: str, where: str) -> Mapping[str, Any]:
    part = content.get(key, {})
    if not isinstance(part, dict):
        raise _bad(f'"{key}" is not an object', where)
    return part


def _bad(message: str, where: str) -> DataError:
    return DataError(message, code="Y3101", where=where, help="write it again with --save-calibration")
