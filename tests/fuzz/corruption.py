"""Seeded corruptions of ONNX files: bit flips, truncations, and protobuf fields that are cut out."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import onnx

SMALLEST_WEIGHTS = 64
"""Shorter data counts as structure: shapes, axes, scalars."""


def corrupted(data: bytes, seed: int) -> tuple[str, bytes]:
    """The kind of the corruption that `seed` gives, and the bytes after it."""
    kind = sorted(_KINDS)[seed % len(_KINDS)]
    return kind, _KINDS[kind](data, random.Random(seed))


def _flip_anywhere(data: bytes, rng: random.Random) -> bytes:
    return _flip(data, rng, [range(len(data))])


def _flip_in_structure(data: bytes, rng: random.Random) -> bytes:
    """Flip bits outside the weights, which are most of a file and whose every value is legal."""
    model = onnx.ModelProto()
    model.ParseFromString(data)
    weights = [t.raw_data for t in model.graph.initializer if len(t.raw_data) >= SMALLEST_WEIGHTS]
    spans = sorted((data.find(w), data.find(w) + len(w)) for w in weights)
    ends, starts = [0, *(e for _, e in spans)], [*(s for s, _ in spans), len(data)]
    return _flip(data, rng, [range(e, s) for e, s in zip(ends, starts, strict=True) if s > e])


def _flip(data: bytes, rng: random.Random, places: list[range]) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        (place,) = rng.choices(places, [len(p) for p in places])
        changed[rng.choice(place)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def _cut_field(data: bytes, rng: random.Random) -> bytes:
    """Remove up to 3 fields, or elements of repeated ones, at random depths."""
    model = onnx.ModelProto()
    model.ParseFromString(data)
    for _ in range(rng.randint(1, 3)):
        _cut_one(model, rng)
    return model.SerializeToString(deterministic=True)


def _cut_one(message: Any, rng: random.Random) -> None:
    while True:
        fields = message.ListFields()
        if not fields:
            return
        field, value = rng.choice(fields)
        element = rng.randrange(len(value)) if field.is_repeated else None
        inner = value if element is None else value[element]
        # The graph itself is entered always: without it little is left to test.
        if field.message_type is None or (field.name != "graph" and rng.random() < 0.4):
            if element is None:
                message.ClearField(field.name)
            else:
                del value[element]
            return
        message = inner


_KINDS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "bits": _flip_anywhere,
    "cut fields": _cut_field,
    "structure bits": _flip_in_structure,
    "truncated": _truncate,
}
