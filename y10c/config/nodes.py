"""Precision and place of single nodes: `node_info` in both its forms, and the types of `quant_config`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from y10c.config.document import Entry, Item
from y10c.config.kinds import Name, refused
from y10c.config.problems import Findings, choices

QTYPES = ("int8", "int16", "float16", "float32")
"""Types on Nash (published: S3)."""

NEWER_QTYPES = ("int4", "dual-int16", "int16-ec", "nvfp4")
"""Types that only newer toolchains know, beside `mxint*` and `mxfp*` (published: S3)."""

PLACES = ("BPU", "CPU")


@dataclass(frozen=True)
class NodeWish:
    """What the user wants of one node, or of all nodes of a kind.

    Args:
        name: Node or op type.
        output: Type of its results; None where nothing is said.
        inputs: Types of its inputs by position; position None stands for all.
        on: `BPU` or `CPU`; None where nothing is said.
    """

    name: Name
    output: str | None = None
    inputs: Mapping[int | None, str] = field(default_factory=dict)
    on: str | None = None

    def input(self, index: int) -> str | None:
        """The type of one input."""
        return self.inputs.get(index, self.inputs.get(None))

    def over(self, other: NodeWish) -> NodeWish:
        """This wish, with the other's where this says nothing."""
        return NodeWish(
            self.name, self.output or other.output, {**other.inputs, **self.inputs}, self.on or other.on
        )


_INPUT = re.compile(r"InputType(\d*)")


def is_newer(text: str) -> bool:
    """True for a type that only newer toolchains know."""
    return text in NEWER_QTYPES or text.startswith(("mxint", "mxfp"))


def read_qtype(item: Item, key: str, findings: Findings) -> str | None:
    """A quantization type, or None where it is wrong; newer ones are remarked on and left out."""
    if not item.is_scalar:
        refused(item, key, findings, f"one of {', '.join(QTYPES)}")
        return None
    if item.text in QTYPES:
        return item.text
    if is_newer(item.text):
        findings.remark(
            item.place, key, f"{item.text} is known to the closed compiler only", "no effect here"
        )
        return None
    findings.wrong(item.place, key, f"{item.text!r} is no type of the BPU", choices(item.text, QTYPES))
    return None


def read_wish(name: Name, item: Item, key: str, findings: Findings, qtype: bool = False) -> NodeWish | None:
    """A mapping of InputType, InputTypeN, OutputType, ON, and `qtype` where that is allowed.

    `qtype` stands for the types of all inputs and of the output; the others are more precise and win.
    """
    if item.entries is None:
        refused(item, key, findings, "a mapping like {OutputType: int16, InputType0: int8, ON: BPU}")
        return None
    wish = NodeWish(name)
    for entry in sorted(item.entries.values(), key=lambda one: one.key != "qtype"):
        wish = _with_entry(wish, entry, f"{key}.{entry.key}", findings, qtype)
    return wish


def _with_entry(wish: NodeWish, entry: Entry, key: str, findings: Findings, qtype: bool) -> NodeWish:
    indexed = _INPUT.fullmatch(entry.key)
    if entry.key == "ON":
        return NodeWish(
            wish.name, wish.output, wish.inputs, _read_place(entry.item, key, findings) or wish.on
        )
    if not (indexed or entry.key == "OutputType" or (qtype and entry.key == "qtype")):
        known = ["OutputType", "InputType", "InputType0", "InputType1", "ON"] + ["qtype"] * qtype
        findings.wrong(
            entry.place, key.rpartition(".")[0], f"unknown key {entry.key!r}", choices(entry.key, known)
        )
        return wish
    kind = read_qtype(entry.item, key, findings)
    if kind is None:
        return wish
    if entry.key == "qtype":
        return NodeWish(wish.name, kind, {None: kind}, wish.on)
    if indexed:
        position = int(indexed.group(1)) if indexed.group(1) else None
        return NodeWish(wish.name, wish.output, {**wish.inputs, position: kind}, wish.on)
    return NodeWish(wish.name, kind, wish.inputs, wish.on)


def _read_place(item: Item, key: str, findings: Findings) -> str | None:
    if item.is_scalar and item.text in PLACES:
        return item.text
    findings.wrong(item.place, key, f"{item.text!r} is no place to run", choices(item.text, PLACES))
    return None


@dataclass(frozen=True)
class NodeInfo:
    """`"Conv_0:int16;Conv_1:int16"` (types of results), or a mapping of node to types and place."""

    allowed: str = "'Conv_0:int16;Conv_1:int16', or a mapping like {Conv_0: {OutputType: int16, ON: BPU}}"

    def read(self, item: Item, key: str, findings: Findings) -> tuple[NodeWish, ...] | None:
        """A wish a node, in the order of the file."""
        if item.entries is not None:
            wishes = [
                read_wish(Name(one.key, one.place), one.item, f"{key}.{one.key}", findings)
                for one in item.entries.values()
            ]
            return tuple(wish for wish in wishes if wish is not None)
        if not item.is_scalar:
            refused(item, key, findings, self.allowed)
            return None
        wishes = [_pair(part, key, findings) for part in item.parts(";") if part.text]
        return tuple(wish for wish in wishes if wish is not None)

    def schema(self) -> dict[str, Any]:
        """Text, or an object of objects."""
        kinds = {"enum": list(QTYPES)}
        entry = {
            "type": "object",
            "properties": {"ON": {"enum": list(PLACES)}, "OutputType": kinds},
            "patternProperties": {r"^InputType\d*$": kinds},
            "additionalProperties": False,
        }
        return {"anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": entry}]}


def _pair(part: Item, key: str, findings: Findings) -> NodeWish | None:
    name, colon, kind = part.text.rpartition(":")
    if not colon or not name.strip():
        findings.wrong(part.place, key, f"{part.text!r} names no type", "write NODE:int16")
        return None
    shift = len(name) + 1 + len(kind) - len(kind.lstrip())
    word = kind.strip()
    output = read_qtype(Item(word, part.place.shifted(shift), word), key, findings)
    return NodeWish(Name(name.strip(), part.place), output) if output else None
