"""What an op is, declared once: everything that needs a fact about an op asks its `OpSpec`.

Operands, attributes, results and the type inference of ONNX's own ops come from the schemas that the onnx
package ships; a declaration here adds what ONNX does not say: a reference that also works on float64 and on
symbolic arrays, a sampler, traits, and how an op of our own is written in ONNX.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Protocol

from y10c.ir.attrs import AttrValue
from y10c.ir.tensor import Tensor
from y10c.ir.types import Type

if TYPE_CHECKING:
    from y10c.ir.value import Op, Value
    from y10c.rewrite.builder import OpBuilder


class Trait(Enum):
    """A property of an op that generic passes and generic tests rely on."""

    commutative = auto()
    """Swapping the first two operands changes nothing."""
    elementwise = auto()
    """Each output element depends on the same element of the (broadcast) operands alone."""
    monotone = auto()
    """Elementwise, one operand, and never decreasing."""
    linear = auto()
    """Linear in the first operand for constant others."""
    data_movement = auto()
    """Output elements are copies of input elements: no arithmetic."""
    shares_scale = auto()
    """All data operands and the result can carry one quantization unchanged."""
    shape_only = auto()
    """The result depends on the operands' shapes alone."""
    discontinuous = auto()
    """The result can jump where an operand moves by a rounding error."""
    random = auto()
    """Two runs may differ, so the op is neither folded nor merged."""


@dataclass(frozen=True)
class Operand:
    """A formal operand: name, whether it may be left out, whether it repeats."""

    name: str
    optional: bool = False
    variadic: bool = False


@dataclass(frozen=True)
class Inputs:
    """What type inference and references look at.

    Args:
        types: Operand types; None where an operand is left out or unknown.
        constants: Operand data where it is constant.
        attrs: The attributes that are set.
        results: How many results the op has.
    """

    types: tuple[Type | None, ...]
    constants: tuple[Tensor | None, ...]
    attrs: Mapping[str, AttrValue]
    results: int = 1


class Infer(Protocol):
    """Result types from operand types, constant operands and attributes."""

    def __call__(self, inputs: Inputs) -> Sequence[Type | None]:
        """One type a result; None where nothing can be said.

        Raises:
            ValueError: The operands or attributes do not fit the op; the text says why.
        """
        ...


Reference = Callable[..., Any]
"""`reference(*arrays, **attributes) -> array or tuple of arrays`, defaults of attributes filled in."""

Lowering = Callable[["OpBuilder", "Op"], "Sequence[Value]"]
"""Writes an op of our own as ONNX ops; gives the values that replace its results."""


@dataclass(frozen=True)
class OpSpec:
    """The declaration of one op.

    Args:
        name: As `Op.name`.
        operands: Formal operands in order.
        attrs: Attribute names with their defaults; None means no default.
        results: Formal results in order.
        required: Attributes that must be set.
        float_attrs: Attributes that hold one float, so that a whole number becomes one.
        infer: Result types.
        reference: The meaning as numpy code; None where `onnx.reference` gives it.
        sample: Draws valid instances for property tests (see `y10c.testing`).
        traits: What generic code may rely on.
        since: Versions of the ONNX schema in which the op changed; empty for ops of our own.
        lower: How an op of our own is written in ONNX; None for ONNX's ops.
        counts_results: The reference takes the number of results as `outputs`.
        doc: One sentence.
    """

    name: str
    operands: tuple[Operand, ...]
    results: tuple[Operand, ...]
    attrs: Mapping[str, AttrValue | None]
    infer: Infer
    reference: Reference | None = None
    sample: Any = None
    required: frozenset[str] = frozenset()
    float_attrs: frozenset[str] = frozenset()
    traits: frozenset[Trait] = frozenset()
    since: tuple[int, ...] = ()
    lower: Lowering | None = None
    counts_results: bool = False
    doc: str = ""

    def has(self, trait: Trait) -> bool:
        """True where the op has the trait."""
        return trait in self.traits

    def attr_default(self, name: str) -> AttrValue | None:
        """The default of an attribute, or None."""
        return self.attrs.get(name)

    def coerce(self, attrs: Mapping[str, Any]) -> dict[str, Any]:
        """Attributes with whole numbers turned into floats where the op declares floats.

        Raises:
            ValueError: An attribute is not declared, or a required one is missing.
        """
        unknown = sorted(set(attrs) - set(self.attrs))
        if unknown:
            raise ValueError(f"{self.name} has no attribute {', '.join(unknown)}")
        missing = sorted(self.required - {k for k, v in attrs.items() if v is not None})
        if missing:
            raise ValueError(f"{self.name} needs attribute {', '.join(missing)}")
        return {k: float(v) if k in self.float_attrs and isinstance(v, int) else v for k, v in attrs.items()}

    def operand_at(self, index: int) -> Operand | None:
        """The formal operand of position `index`; the last variadic one covers all further positions."""
        if index < len(self.operands):
            return self.operands[index]
        return self.operands[-1] if self.operands and self.operands[-1].variadic else None


def check_arity(spec: OpSpec, operands: Sequence[Any]) -> str | None:
    """A sentence that says why the operands do not fit the spec, or None."""
    for index, value in enumerate(operands):
        formal = spec.operand_at(index)
        if formal is None:
            return f"{spec.name} takes {len(spec.operands)} operands, not {len(operands)}"
        if value is None and not formal.optional:
            return f"operand {formal.name} of {spec.name} may not be left out"
    for formal in spec.operands[len(operands) :]:
        if not formal.optional and not formal.variadic:
            return f"{spec.name} lacks its operand {formal.name}"
    return None
