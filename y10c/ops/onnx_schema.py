"""ONNX's own schemas as the source of operands, attributes and type inference."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import onnx
from onnx import defs, shape_inference

from y10c.ir.attrs import Floats, Ints, Strings
from y10c.ir.types import DType, Type
from y10c.ops.spec import Infer, Inputs, Lowering, Operand, OpSpec, Reference, Trait

IR_OPSET = defs.onnx_opset_version()
"""The opset whose meaning the ops of the IR have; frontend and backend convert from and to others."""


@lru_cache(maxsize=2048)
def find_schema(name: str, version: int | None = None) -> defs.OpSchema | None:
    """The schema of an op name at a version of its domain (the newest one by default)."""
    domain, _, kind = name.rpartition("::")
    try:
        if version is not None:
            return defs.get_schema(kind, version, domain)
        return defs.get_schema(kind, IR_OPSET, domain) if not domain else defs.get_schema(kind, domain=domain)
    except defs.SchemaError:
        return None


def onnx_op(
    name: str,
    *,
    infer: Infer | None = None,
    reference: Reference | None = None,
    sample: Any = None,
    traits: frozenset[Trait] | set[Trait] = frozenset(),
    lower: Lowering | None = None,
    counts_results: bool = False,
) -> OpSpec:
    """Declare an op that ONNX defines; what ONNX says of it is taken from its schema.

    Raises:
        ValueError: ONNX has no such op.
    """
    schema = find_schema(name)
    if schema is None:
        raise ValueError(f"onnx {onnx.__version__} has no op {name}")
    return OpSpec(
        name=name,
        operands=_formals(schema.inputs, schema.min_input),
        results=_formals(schema.outputs, schema.min_output),
        attrs={a.name: _default(a) for a in schema.attributes.values()},
        required=frozenset(a.name for a in schema.attributes.values() if a.required),
        float_attrs=frozenset(
            a.name for a in schema.attributes.values() if a.type == defs.OpSchema.AttrType.FLOAT
        ),
        infer=infer or SchemaInference(name),
        reference=reference,
        sample=sample,
        traits=frozenset(traits),
        since=(schema.since_version,),
        lower=lower,
        counts_results=counts_results,
        doc=_first_sentence(schema.doc),
    )


@lru_cache(maxsize=4096)
def dtype_problem(name: str, dtypes: tuple[DType | None, ...]) -> str | None:
    """A sentence that says why ONNX refuses operands of these element types, or None.

    Args:
        name: As `Op.name`; nothing is refused where ONNX has no such op.
        dtypes: One per operand; None where one is left out or not known.
    """
    formals = _operand_types(name)
    bound: dict[str, DType] = {}
    for index, dtype in enumerate(dtypes if formals else ()):
        if dtype is None:
            continue
        operand, variable, allowed = formals[min(index, len(formals) - 1)]
        if _TYPE_STRINGS[dtype] not in allowed:
            return f"operand {operand} of {name} cannot be {dtype.name}"
        if variable and bound.setdefault(variable, dtype) is not dtype:
            return f"operand {operand} of {name} is {dtype.name}, not {bound[variable].name}"
    return None


@lru_cache(maxsize=2048)
def _operand_types(name: str) -> tuple[tuple[str, str, frozenset[str]], ...]:
    """Of every formal operand its name, its type variable (empty where it may differ), and what it may be."""
    schema = find_schema(name)
    inputs = () if schema is None else schema.inputs
    return tuple((f.name, f.type_str if f.is_homogeneous else "", frozenset(f.types)) for f in inputs)


_LONG_NAMES = {"f": "float", "i": "int", "u": "uint", "b": "bfloat", "c": "complex"}
_TYPE_STRINGS = {
    **{d: f"tensor({_LONG_NAMES[d.name[0]]}{d.name[1:]})" for d in DType if d.name[1:].isdigit()},
    **{d: f"tensor(float{d.name[1:]})" for d in DType if d.name[:2] in ("f8", "f4")},
    DType.f32: "tensor(float)",
    DType.f64: "tensor(double)",
    DType.bf16: "tensor(bfloat16)",
    DType.c64: "tensor(complex64)",
    DType.c128: "tensor(complex128)",
    DType.bool: "tensor(bool)",
    DType.str: "tensor(string)",
}


def _first_sentence(doc: str | None) -> str:
    return " ".join((doc or "").split()).partition(". ")[0]


def _formals(formals: Any, minimum: int) -> tuple[Operand, ...]:
    option = defs.OpSchema.FormalParameterOption
    return tuple(
        Operand(f.name, f.option is option.Optional or i >= minimum, f.option is option.Variadic)
        for i, f in enumerate(formals)
    )


def _default(attribute: Any) -> Any:
    proto = attribute.default_value
    if not proto.name and not proto.type:
        return None
    value = onnx.helper.get_attribute_value(proto)
    if isinstance(value, bytes):
        return value.decode()
    lists = {onnx.AttributeProto.INTS: Ints, onnx.AttributeProto.FLOATS: Floats}
    if proto.type in lists:
        return lists[proto.type](value)
    return Strings(v.decode() for v in value) if proto.type == onnx.AttributeProto.STRINGS else value


BY_NUMBERS = frozenset({"Range", "Resize", "Upsample"})
"""Ops whose result has a shape that follows from floats too."""


class SchemaInference:
    """Type inference of one op by the onnx package, on one node at a time.

    Args:
        name: As `Op.name`.
        version: Schema version; None means the newest.
    """

    def __init__(self, name: str, version: int | None = None) -> None:
        self.name = name
        self.version = version

    def __call__(self, inputs: Inputs) -> list[Type | None]:
        """Result types; None where onnx cannot say.

        Raises:
            ValueError: onnx refuses the node.
        """
        from y10c.backend.protos import attribute_proto, tensor_proto, type_proto

        schema = find_schema(self.name, self.version)
        if schema is None:
            return [None] * inputs.results
        names = [f"i{i}" if t is not None else "" for i, t in enumerate(inputs.types)]
        outputs = [f"o{i}" for i in range(inputs.results)]
        domain, _, kind = self.name.rpartition("::")
        node = onnx.helper.make_node(kind, names, outputs, domain=domain)
        node.attribute.extend(attribute_proto(k, v) for k, v in inputs.attrs.items())
        known = {n: type_proto(t) for n, t in zip(names, inputs.types, strict=True) if t is not None}
        data = {
            n: tensor_proto(t, n)
            for n, t in zip(names, inputs.constants, strict=True)
            # Types follow from integers alone: shapes, axes, pads.
            if t is not None and len(t.shape) <= 1 and (t.dtype.is_integer or self.name in BY_NUMBERS)
        }
        version = self.version or (IR_OPSET if not domain else schema.since_version)
        try:
            found = shape_inference.infer_node_outputs(
                schema, node, known, data, opset_imports=[_opset(domain, version)], ir_version=onnx.IR_VERSION
            )
        except Exception as error:  # onnx raises several unrelated classes here
            raise ValueError(_sentence(error)) from error
        return [_type(found.get(o)) for o in outputs]


@lru_cache
def _opset(domain: str, version: int) -> onnx.OperatorSetIdProto:
    return onnx.helper.make_opsetid(domain, version)


def _sentence(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return (text[-1] if text else type(error).__name__).strip()


def _type(proto: onnx.TypeProto | None) -> Type | None:
    from y10c.frontend.protos import read_type

    return None if proto is None else read_type(proto)
