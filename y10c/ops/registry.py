"""Where op declarations are found: ours, those of plugins, and ONNX's schemas for all the rest."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import cast

from y10c.ops.spec import OpSpec

_DECLARED: dict[str, OpSpec] = {}
_loaded = False


def declare(*specs: OpSpec) -> None:
    """Register op declarations.

    Raises:
        ValueError: A name is already declared.
    """
    for spec in specs:
        if spec.name in _DECLARED:
            raise ValueError(f"op {spec.name} is declared twice")
        _DECLARED[spec.name] = spec


def _load() -> None:
    global _loaded
    if _loaded:
        return
    _loaded = True
    from y10c import plugins
    from y10c.ops import families

    for family in families.all_families():
        declare(*family)
    for name in plugins.names("y10c.ops"):
        declare(*cast("Iterable[OpSpec]", plugins.load("y10c.ops", name)))


def declared_specs() -> tuple[OpSpec, ...]:
    """Every declared op, by name."""
    _load()
    return tuple(_DECLARED[name] for name in sorted(_DECLARED))


def find_spec(name: str) -> OpSpec | None:
    """The declaration of an op; where there is none, what ONNX's schema says; else None (an opaque op)."""
    _load()
    return _DECLARED.get(name) or _from_schema(name)


@lru_cache(maxsize=512)
def _from_schema(name: str) -> OpSpec | None:
    from y10c.ops.onnx_schema import find_schema, onnx_op

    return None if find_schema(name) is None else onnx_op(name)


def get_spec(name: str) -> OpSpec:
    """The declaration of an op that must exist.

    Raises:
        ValueError: Nothing is known of the op.
    """
    spec = find_spec(name)
    if spec is None:
        raise ValueError(f"unknown op {name}")
    return spec
