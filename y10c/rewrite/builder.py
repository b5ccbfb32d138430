"""Building ops by name with types inferred on the spot: `build.Conv(x, w, strides=(2, 2))`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from y10c.ir.attrs import Attrs
from y10c.ir.tensor import Tensor
from y10c.ir.types import Type
from y10c.ir.value import Op, Value
from y10c.ops.infer import BuildError, infer_types
from y10c.ops.registry import find_spec
from y10c.ops.spec import OpSpec


class Site(Protocol):
    """Where new ops go and who they are said to be made by."""

    by: str

    def insert(self, op: Op) -> None:
        """Put `op` at the place of insertion."""
        ...

    def const(self, data: Any) -> Value:
        """A constant of the graph."""
        ...


class OpBuilder:
    """Makes ops at a site; `build.Name(...)` or, for names with a dot or a domain, `build["bpu.lut"](...)`.

    Operands are values, None for one left out, or arrays and numbers, which become constants. Attributes
    are keyword arguments. `_results` gives the number of results where the op does not say, `_types` their
    types where they are known better than by inference, `_location` where the op comes from.
    """

    def __init__(self, site: Site) -> None:
        self._site = site

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> Callable[..., Any]:
        def build(*operands: Any, **attrs: Any) -> Value | tuple[Value, ...]:
            op = self.make(name, *operands, **attrs)
            self._site.insert(op)
            return op.results[0] if len(op.results) == 1 else op.results

        return build

    def make(
        self,
        name: str,
        *operands: Any,
        _results: int | None = None,
        _types: tuple[Type | None, ...] | None = None,
        _location: str = "",
        _version: int | None = None,
        **attrs: Any,
    ) -> Op:
        """An op that is not yet in the graph.

        Raises:
            BuildError: The operands or attributes do not fit the op.
        """
        spec = find_spec(name)
        frozen = _frozen_attrs(spec, attrs)
        values = [self._value(o) for o in operands]
        while values and values[-1] is None:
            values.pop()
        count = _results or (len(_types) if _types else _result_count(spec))
        types = infer_types(name, values, frozen, count, _version) if _types is None else _types
        return Op(name, values, frozen, types, location=_location, by=self._site.by, version=_version)

    def _value(self, operand: Any) -> Value | None:
        if operand is None or isinstance(operand, Value):
            return operand
        return self._site.const(operand)


def _frozen_attrs(spec: OpSpec | None, attrs: dict[str, Any]) -> Attrs:
    given = {k: v for k, v in attrs.items() if v is not None}
    if spec is None:
        return Attrs(given)
    try:
        return Attrs(spec.coerce(given))
    except (ValueError, TypeError) as error:
        raise BuildError(f"{spec.name}: {error}") from error


def _result_count(spec: OpSpec | None) -> int:
    if spec is None:
        return 1
    return max(1, sum(not r.optional and not r.variadic for r in spec.results))


def as_tensor(data: Any) -> Tensor:
    """Constant data from an array, a number or a list; Python floats become float32, integers int64."""
    if isinstance(data, Tensor):
        return data
    if not isinstance(data, np.ndarray | np.generic):
        data = np.asarray(data)
        if data.dtype == np.float64:
            data = data.astype(np.float32)
    return Tensor.of(data)
