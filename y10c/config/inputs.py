"""Kinds of values that concern inputs: where they come from, and how pictures become tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from y10c.config.document import Entry, Item
from y10c.config.kinds import Name, as_float, refused
from y10c.config.problems import Findings, Place, choices

SOURCES: dict[str, tuple[str, ...]] = {
    "pyramid": ("nv12", "gray"),
    "ddr": ("rgb", "bgr", "yuv444", "gray", "featuremap"),
    "resizer": ("nv12", "gray"),
}
"""Which runtime types each source gives (published: S1)."""


@dataclass(frozen=True)
class InputSource:
    """A mapping of input name to pyramid, ddr or resizer."""

    allowed: str = "a mapping like {images: pyramid}"

    def read(self, item: Item, key: str, findings: Findings) -> dict[Name, Name] | None:
        """The source of each input."""
        if item.entries is None:
            refused(item, key, findings, self.allowed)
            return None
        return {
            Name(e.key, e.place): source
            for e in item.entries.values()
            if (source := _source(e, key, findings))
        }

    def schema(self) -> dict[str, Any]:
        """An object of words."""
        return {"type": "object", "additionalProperties": {"enum": list(SOURCES)}}


def _source(entry: Entry, key: str, findings: Findings) -> Name | None:
    if entry.item.is_scalar and entry.item.text in SOURCES:
        return Name(entry.item.text, entry.item.place)
    findings.wrong(
        entry.item.place,
        f"{key}.{entry.key}",
        f"{entry.item.text!r} is no source of an input",
        choices(entry.item.text, SOURCES),
    )
    return None


@dataclass(frozen=True)
class Step:
    """One declared transform.

    Args:
        name: A key of `STEPS`.
        options: Its options: numbers, pairs and words.
        place: Where it stands.
    """

    name: str
    options: Mapping[str, Any]
    place: Place


STEPS: dict[str, dict[str, str]] = {
    "letterbox": {"size": "size", "fill": "pixel"},
    "resize": {"size": "size"},
    "short_side": {"length": "length"},
    "crop": {"size": "size"},
    "pad": {"size": "size", "fill": "pixel"},
    "order": {"channels": "channels"},
    "normalize": {"mean": "numbers", "scale": "numbers", "std": "numbers"},
    "layout": {"axes": "axes"},
}
"""Transforms and their options, each with the kind of its value."""

OPTION_KINDS = {
    "size": "[height, width]",
    "length": "a whole number of at least 1",
    "pixel": "a whole number from 0 to 255",
    "channels": "RGB, BGR, GRAY or YUV444",
    "numbers": "a number or a list of them",
    "axes": "NCHW or NHWC",
}
WORDS = {"channels": ("RGB", "BGR", "GRAY", "YUV444"), "axes": ("NCHW", "NHWC")}


@dataclass(frozen=True)
class Transforms:
    """A list of transforms, each a name or a name with options: `- letterbox: {size: [640, 640]}`."""

    allowed: str = (
        "a list like [letterbox: {size: [640, 640]}, normalize: {scale: 0.0039}, layout: {axes: NCHW}]"
    )

    def read(self, item: Item, key: str, findings: Findings) -> tuple[Step, ...] | None:
        """The steps in order."""
        if not isinstance(item.value, list):
            refused(item, key, findings, self.allowed)
            return None
        steps = [_step(one, key, findings) for one in item.value]
        return tuple(step for step in steps if step is not None)

    def schema(self) -> dict[str, Any]:
        """An array of names or of objects with one member."""
        names = {"enum": list(STEPS)}
        one = {"type": "object", "propertyNames": names, "minProperties": 1, "maxProperties": 1}
        return {"type": "array", "items": {"anyOf": [names, one]}}


def _step(item: Item, key: str, findings: Findings) -> Step | None:
    entries = item.entries
    if entries is not None and len(entries) == 1:
        (entry,) = entries.values()
        name, place, options = entry.key, entry.place, entry.item
    elif item.is_scalar:
        name, place, options = item.text, item.place, Item({}, item.place)
    else:
        refused(item, key, findings, "one transform")
        return None
    if name not in STEPS:
        findings.wrong(place, key, f"unknown transform {name!r}", choices(name, STEPS))
        return None
    return Step(name, _options(options, name, f"{key}.{name}", findings), place)


def _options(item: Item, step: str, key: str, findings: Findings) -> dict[str, Any]:
    if item.entries is None:
        if not item.is_empty:
            refused(item, key, findings, "a mapping of options")
        return {}
    found = {}
    for entry in item.entries.values():
        kind = STEPS[step].get(entry.key)
        if kind is None:
            findings.wrong(entry.place, key, f"unknown option {entry.key!r}", choices(entry.key, STEPS[step]))
            continue
        value = _option(entry.item, kind)
        if value is None:
            refused(entry.item, f"{key}.{entry.key}", findings, OPTION_KINDS[kind])
        else:
            found[entry.key] = value
    return found


def _option(item: Item, kind: str) -> Any:
    if kind in WORDS:
        return item.text if item.is_scalar and item.text in WORDS[kind] else None
    numbers = _numbers(item)
    if numbers is None or kind == "numbers":
        return numbers
    whole = tuple(int(n) for n in numbers if n == int(n) and n >= (0 if kind == "pixel" else 1))
    if len(whole) != len(numbers) or len(whole) != (2 if kind == "size" else 1):
        return None
    if kind == "size":
        return whole
    return whole[0] if kind != "pixel" or whole[0] <= 255 else None


def _numbers(item: Item) -> tuple[float, ...] | None:
    items = item.value if isinstance(item.value, list) else [item]
    numbers = [as_float(one.text) if one.is_scalar else None for one in items]
    known = tuple(n for n in numbers if n is not None)
    return known if known and len(known) == len(numbers) else None
