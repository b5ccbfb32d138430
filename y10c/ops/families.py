"""The families of ops that y10c declares, one module each."""

from __future__ import annotations

from collections.abc import Iterator

from y10c.ops.spec import OpSpec


def all_families() -> Iterator[tuple[OpSpec, ...]]:
    """The declarations of every family."""
    from y10c.ops import (
        activation,
        conv,
        convert,
        cut,
        elementwise,
        index,
        linear,
        norm,
        pool,
        quant,
        reduce,
        shape,
    )

    yield activation.SPECS
    yield conv.SPECS
    yield convert.SPECS
    yield cut.SPECS
    yield elementwise.SPECS
    yield index.SPECS
    yield linear.SPECS
    yield norm.SPECS
    yield pool.SPECS
    yield quant.SPECS
    yield reduce.SPECS
    yield shape.SPECS
