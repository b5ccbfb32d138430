"""The families of ops that y10c declares, one module each."""

from __future__ import annotations

from collections.abc import Iterator

from y10c.ops.spec import OpSpec


def all_families() -> Iterator[tuple[OpSpec, ...]]:
    """The declarations of every family."""
    from y10c.ops import activation, quant

    yield activation.SPECS
    yield quant.SPECS
