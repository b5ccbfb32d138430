"""Ops pinned to an old schema, written in the words of a newer opset where the old words are gone."""

from __future__ import annotations

from collections.abc import Callable

from y10c.errors import ModelError
from y10c.ir.value import Op, Value
from y10c.ops.onnx_schema import find_schema
from y10c.rewrite.rewriter import Rewriter


def modernize(op: Op, opset: int) -> None:
    """Make sure that a pinned op means in `opset` what it means here; it may be replaced by several ops.

    Raises:
        ModelError: The opset has no words for the old meaning.
    """
    schema = find_schema(op.name, opset)
    if schema is not None and schema.since_version == op.version:
        return
    build = _IN_NEW_WORDS.get(op.name)
    if build is not None and schema is not None and opset < 13 and op.attrs.get("axis", 1) >= 0:  # type: ignore[operator]
        op.version = schema.since_version  # opset 11 only let axes count from the end
        return
    if build is None or opset < 13 or op.graph is None:
        raise ModelError(
            f"{op.name} has the meaning of opset {op.version}, which opset {opset} does not have",
            code="Y3003",
            where=f'node "{op.location}"',
            help="export the model again with opset 13 or newer",
        )
    rewriter = Rewriter(op.graph, by="modernize")
    with rewriter.before(op):
        rewriter.replace(op, build(rewriter, op))


def _flattened(rewriter: Rewriter, op: Op) -> Value:
    """Before opset 13 Softmax and its kin saw a matrix: the axes from `axis` on were its columns."""
    x = op.operands[0]
    build = rewriter.op
    matrix = build.Flatten(x, axis=op.attrs.get("axis", 1))
    rows = build[op.name](matrix, axis=-1)
    result: Value = build.Reshape(rows, build.Shape(x), _location=op.location)
    return result


_IN_NEW_WORDS: dict[str, Callable[[Rewriter, Op], Value]] = {
    "Softmax": _flattened,
    "LogSoftmax": _flattened,
    "Hardmax": _flattened,
}
