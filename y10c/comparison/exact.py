"""Is a QDQ model what its integers say? Each unit of onnxruntime's run against our integer reference.

Every unit gets the integers that onnxruntime itself computed before it, so that a difference is that unit's
alone. With onnxruntime's optimizations on, pairs and ops are fused into its integer kernels; without, it
computes in float32 between the pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from y10c.calib.session import exposed_model
from y10c.comparison.tensors import parameters_of
from y10c.cost.precision import DEQUANTIZE, QUANTIZE
from y10c.errors import ModelError
from y10c.frontend.importer import load
from y10c.ir.graph import Graph
from y10c.ir.value import Op, Value
from y10c.ops.integer import PRODUCTS, Grid, Integers, Operand, accumulated, has_wide_factor, run_unit
from y10c.ops.reference import evaluate_op
from y10c.passes.canonicalize.recognize import RecognizeFunctions
from y10c.rewrite.passes import PassContext

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class UnitDifference:
    """How far a unit of onnxruntime's run is from the integer reference.

    Args:
        node: The op between the pairs, or the QuantizeLinear of an input.
        op: What it is.
        tensor: Name of the integers.
        dtype: Their type.
        largest: Largest difference in steps of the grid.
        differing: Elements that differ.
        elements: Elements in all.
        beyond_int32: Accumulators of a product with a 16-bit factor that int32 could not hold.
    """

    node: str
    op: str
    tensor: str
    dtype: str
    largest: int
    differing: int
    elements: int
    beyond_int32: int = 0


@dataclass(frozen=True)
class Unit:
    """An op whose operands come from DequantizeLinear and whose results go to QuantizeLinear.

    Args:
        op: The op; a QuantizeLinear itself where it reads an input or integers of another grid.
        results: The QuantizeLinear behind each result, None where nobody quantizes it.
    """

    op: Op
    results: tuple[Op | None, ...]


def compare_units(
    model: onnx.ModelProto, feeds: Arrays, *, optimized: bool, threads: int = 1
) -> list[UnitDifference]:
    """Run a QDQ model in onnxruntime and every unit of it by the integer reference.

    Args:
        model: A QDQ model.
        feeds: One array an input.
        optimized: Whether onnxruntime optimizes, and so fuses.
        threads: Threads of onnxruntime.

    Raises:
        ModelError: onnxruntime does not run it.
    """
    graph = load(model)
    RecognizeFunctions().run(graph, PassContext())
    units = list(units_of(graph))
    names = list(dict.fromkeys(q.result.name for unit in units for q in unit.results if q is not None))
    if not names:
        return []
    found = {**feeds, **_run(model, feeds, names, optimized=optimized, threads=threads)}
    return [row for unit in units for row in _differences(unit, found)]


def units_of(graph: Graph) -> Iterator[Unit]:
    """The units of a graph in its order; what reads or gives floats is none."""
    for op in graph.ops:
        quantizers = tuple(_quantizer(result) for result in op.results)
        if op.kind == QUANTIZE:
            source = op.operand(0)
            if source is not None and (source.producer is None or source.producer.kind == DEQUANTIZE):
                yield Unit(op, (op,))
        elif op.kind != DEQUANTIZE and any(quantizers) and all(map(_is_known, op.operands)):
            yield Unit(op, quantizers)


def _quantizer(value: Value) -> Op | None:
    return next((u for u in value.users if u.kind == QUANTIZE and u.operand(0) is value), None)


def _is_known(value: Value | None) -> bool:
    """Whether an operand is nothing, a constant, or integers, moved or not."""
    while value is not None and value.producer is not None:
        if value.producer.kind == DEQUANTIZE:
            return parameters_of(value.producer) is not None
        if value.producer.name not in MOVED:
            return False
        value = value.producer.operand(0)
    return value is None or value.is_constant


MOVED = frozenset({"Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Identity", "MaxPool"})
"""Ops with one data operand that may stand between a pair and a unit: the integers are moved with them."""


def _run(
    model: onnx.ModelProto, feeds: Arrays, names: list[str], *, optimized: bool, threads: int
) -> dict[str, NDArray[Any]]:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimized else level.ORT_DISABLE_ALL
    # By default onnxruntime turns a MatMul of 16-bit activations and a stored 8-bit weight into MatMulNBits,
    # which narrows the activations to 8 bits: hundreds of steps. Level 1 computes it in float32.
    options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", "1")
    try:
        session = ort.InferenceSession(
            exposed_model(model, names), options, providers=["CPUExecutionProvider"]
        )
        return dict(zip(names, session.run(names, dict(feeds)), strict=True))
    except Exception as error:  # onnxruntime's errors have no common base that it exports
        raise ModelError(f"onnxruntime does not run the model: {str(error).splitlines()[0]}") from error


def _differences(unit: Unit, found: Arrays) -> Iterator[UnitDifference]:
    quantizers = [q for q in unit.results if q is not None]
    grids = [grid for q in quantizers if (grid := parameters_of(q)) is not None]
    if len(grids) < len(quantizers):
        return
    for quantize, codes in zip(quantizers, _expected(unit, found, grids), strict=True):
        seen = found[quantize.result.name]
        apart = np.abs(seen.astype(np.int64) - codes.astype(np.int64))
        op = unit.op
        yield UnitDifference(
            op.location or op.results[0].name,
            op.kind,
            quantize.result.name,
            str(codes.dtype),
            int(apart.max(initial=0)),
            int(np.count_nonzero(apart)),
            apart.size,
            _beyond_int32(op, found),
        )


def _beyond_int32(op: Op, found: Arrays) -> int:
    if op.name not in PRODUCTS:
        return 0
    operands = [_operand(value, found) for value in op.operands]
    total = accumulated(op, operands) if has_wide_factor(operands) else None
    limits = np.iinfo(np.int32)
    return 0 if total is None else int(np.count_nonzero((total < limits.min) | (total > limits.max)))


def _expected(unit: Unit, found: Arrays, grids: list[Grid]) -> tuple[NDArray[Any], ...]:
    """The integers that the reference gives for the results that are quantized."""
    op = unit.op
    if op.kind == QUANTIZE:
        source = op.operand(0)
        assert source is not None
        return (grids[0].quantize(_input(source, found)),)
    operands = [_operand(value, found) for value in op.operands]
    wanted = [index for index, quantize in enumerate(unit.results) if quantize is not None]
    every = [grids[wanted.index(i)] if i in wanted else grids[0] for i in range(len(op.results))]
    results = run_unit(op, operands, every)
    return tuple(results[index] for index in wanted)


def _input(value: Value, found: Arrays) -> NDArray[Any]:
    """What a QuantizeLinear reads, as doubles; a float32 quotient is rounded as onnxruntime rounds it."""
    if value.producer is None:
        return np.asarray(found[value.name], np.float64)
    operand = _operand(value, found)
    assert isinstance(operand, Integers)
    return operand.real


def _operand(value: Value | None, found: Arrays) -> Operand:
    """An operand as integers, or as the constant that it is."""
    if value is None:
        return None
    if value.is_constant:
        return value.numpy()
    producer = value.producer
    assert producer is not None
    if producer.kind == DEQUANTIZE:
        grid, integers = parameters_of(producer), producer.operand(0)
        assert grid is not None
        assert integers is not None
        codes = integers.numpy() if integers.is_constant else found[integers.name]
        return Integers(np.asarray(codes), grid)
    moved = _operand(producer.operand(0), found)
    assert isinstance(moved, Integers)
    others = [None if v is None else v.numpy() for v in producer.operands[1:]]
    return Integers(evaluate_op(producer, [moved.codes, *others])[value.index], moved.grid)
