"""A node's ranges: what calibration saw, what was chosen and by which method, what else was possible."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from y10c.calib.observers import METHODS, Choice, candidates, code_limits, expected_error, percentile
from y10c.calib.sketch import Sketch
from y10c.calib.table import FORMAT, CalibrationTable
from y10c.comparison.tensors import PAIR, IntegerGrid, Seen, seen
from y10c.errors import ModelError, UnknownNameError, UsageError
from y10c.frontend.importer import load
from y10c.ir.graph import Graph
from y10c.ir.value import Op, Value

PERCENTILES = (99.0, 99.9, 99.99, 99.999)
"""Of the magnitudes, shown beside the extrema."""

MODEL_FILES = ("*_ptq_model.onnx", "*_calibrated_model.onnx")
"""The files of a build folder that hold quantization, the one to ask first before the other."""

SUFFIXES = ("_dequantized", "_quantized", "_QuantizeLinear_Output", "_DequantizeLinear_Output")
"""What quantizers, ours and onnxruntime's, add to a tensor's name for the two sides of a pair."""


@dataclass(frozen=True)
class Alternative:
    """A range that another method would have chosen.

    Args:
        method: A name of `y10c.calib.observers.METHODS`, with the percentile where it has one.
        symmetric: Whether the range is mirrored about zero.
        low: Least real value.
        high: Greatest real value.
        sqnr_db: Expected ratio of signal to quantization noise, in dB; None without a signal.
    """

    method: str
    symmetric: bool
    low: float
    high: float
    sqnr_db: float | None


@dataclass(frozen=True)
class Observed:
    """What calibration saw of a tensor.

    Args:
        elements: Finite values in all samples.
        low: Least value.
        high: Greatest value.
        mean: Of all values.
        percentiles: Percentage -> the magnitude below which that share lies.
        clipped_share: Share of the elements beyond the grid; None where there is no grid.
        sqnr_db: Expected ratio of signal to noise on the grid, in dB; None where there is none.
    """

    elements: int
    low: float
    high: float
    mean: float
    percentiles: dict[float, float]
    clipped_share: float | None = None
    sqnr_db: float | None = None


@dataclass(frozen=True)
class TensorRange:
    """One tensor's quantization and why it is so.

    Args:
        tensor: Name of the float tensor.
        grid: Its integers as the model file has them; None for floats or where no model was given.
        method: How the range was chosen; None where no calibration table tells.
        chosen: The range that calibration chose; the grid's own may differ, by a shared scale or headroom.
        observed: What calibration saw; None without a calibration table.
        alternatives: Other methods' ranges, the least expected error first.
    """

    tensor: str
    grid: IntegerGrid | None = None
    method: str | None = None
    chosen: tuple[float, float] | None = None
    observed: Observed | None = None
    alternatives: tuple[Alternative, ...] = ()


@dataclass(frozen=True)
class NodeRanges:
    """The ranges around a node.

    Args:
        node: Its name in the model.
        op: What it is; empty where only a calibration table was asked.
        inputs: Float tensors that it reads and that are quantized.
        outputs: What it makes.
        notes: What is missing for a full answer, one sentence each.
    """

    node: str
    op: str
    inputs: tuple[TensorRange, ...]
    outputs: tuple[TensorRange, ...]
    notes: tuple[str, ...] = ()


def explain_ranges(source: Path | str, node: str) -> NodeRanges:
    """The range, method, thresholds and alternatives of a node.

    Args:
        source: A build folder of `y10c compile`, a quantized ONNX file, or a calibration table.
        node: Name of a node or of a tensor.

    Raises:
        DataError: The calibration table is damaged.
        ModelError: The model cannot be read, or the folder holds none.
        UnknownNameError: There is no such node or tensor.
        UsageError: `source` is none of the three.
    """
    path = Path(source)
    if path.suffix == ".json":
        return _from_table(CalibrationTable.load(path), node)
    if path.suffix == ".onnx":
        return node_ranges(load(path), _table_in(path.parent), node)
    if not path.is_dir():
        raise UsageError(
            f"{path} is no build folder, no ONNX file and no calibration table",
            help="give the folder that y10c compile wrote",
        )
    model = next((file for pattern in MODEL_FILES for file in sorted(path.glob(pattern))), None)
    if model is None:
        raise ModelError(
            "the folder holds no quantized model", code="Y3001", where=str(path), help="compile up to ptq"
        )
    return node_ranges(load(model), _table_in(path), node)


def node_ranges(graph: Graph, table: CalibrationTable | None, node: str) -> NodeRanges:
    """The same for a graph in memory; raises UnknownNameError."""
    op = _find(graph, node)
    outputs = [_explained(seen(r), table) for r in op.results]
    inputs = [_explained(s, table) for v in op.operands if v is not None and (s := seen(v)).quantized]
    notes = () if table is not None else (_NO_TABLE,)
    return NodeRanges(op.location or op.results[0].name, op.kind, tuple(inputs), tuple(outputs), notes)


def explain_tensor(
    table: CalibrationTable, names: Iterable[str], grid: IntegerGrid | None = None
) -> TensorRange:
    """What a calibration table says of the first of some names that it knows.

    Args:
        table: What calibration learned.
        names: Lineage of the tensor.
        grid: Its integers, for the expected error and the share that is clipped.

    Raises:
        UnknownNameError: The table knows none of the names.
    """
    names = list(names)
    sketch, chosen = table.sketch(names), table.range(names)
    if sketch is None and chosen is None:
        raise UnknownNameError("tensor", names[0], [*table.sketches, *table.ranges])
    return TensorRange(
        names[0],
        grid,
        chosen.method if chosen is not None else None,
        (chosen.low, chosen.high) if chosen is not None else None,
        _observed(sketch, grid) if sketch is not None and not sketch.empty else None,
        tuple(_alternatives(sketch, grid)) if sketch is not None and not sketch.empty else (),
    )


_NO_TABLE = "no calibration table beside the model: what calibration saw and the alternatives are unknown"


def _from_table(table: CalibrationTable, name: str) -> NodeRanges:
    found = explain_tensor(table, [name])
    return NodeRanges(name, "", (), (found,), ("no model: the integers themselves need the build folder",))


def _table_in(folder: Path) -> CalibrationTable | None:
    for file in sorted(folder.glob("*.json")):
        with file.open(encoding="utf-8", errors="replace") as stream:
            if f'"{FORMAT}"' in stream.read(200):
                return CalibrationTable.load(file)
    return None


def _find(graph: Graph, name: str) -> Op:
    ops = [op for op in graph.ops if op.kind not in PAIR]
    for op in ops:
        if op.location == name:
            return op
    wanted = {name, *(name.removesuffix(suffix) for suffix in SUFFIXES)}
    for op in ops:
        if any(wanted & set(r.lineage or (r.name,)) for r in op.results):
            return op
    raise UnknownNameError("node", name, [op.location or op.results[0].name for op in ops])


def _explained(tensor: Seen, table: CalibrationTable | None) -> TensorRange:
    names = _names(tensor.raw)
    if table is not None and (table.sketch(names) is not None or table.range(names) is not None):
        return explain_tensor(table, names, tensor.grid)
    return TensorRange(names[0], tensor.grid)


def _names(value: Value) -> Sequence[str]:
    return list(dict.fromkeys([value.name, *value.lineage]))


def _observed(sketch: Sketch, grid: IntegerGrid | None) -> Observed:
    bins = sketch.finish()
    shares = {p: percentile(bins, p, symmetric=True).magnitude for p in PERCENTILES}
    clipped = None
    if grid is not None:
        outside = (bins.high < grid.low - grid.scale / 2) | (bins.low > grid.high + grid.scale / 2)
        clipped = float(bins.count[outside].sum() / bins.total)
    sqnr = None if grid is None else _sqnr(sketch, _error_on(sketch, grid))
    return Observed(sketch.count, sketch.low, sketch.high, sketch.mean, shares, clipped, sqnr)


def _error_on(sketch: Sketch, grid: IntegerGrid) -> float:
    # Codes are signed there, so the zero point of an unsigned grid moves by half its range.
    signed_zero = grid.zero_point - grid.dtype.integer_range[0] + code_limits(grid.dtype.bits)[0]
    return expected_error(sketch, grid.scale, signed_zero, grid.dtype.bits)


def _alternatives(sketch: Sketch, grid: IntegerGrid | None) -> list[Alternative]:
    bits = 8 if grid is None else grid.dtype.bits
    kinds = (True, False) if grid is None else (grid.symmetric,)
    choices: list[Choice] = []
    for symmetric in kinds:
        choices += candidates(sketch, bits=bits, symmetric=symmetric, methods=METHODS)
    found = [
        Alternative(c.range.method, c.symmetric, c.range.low, c.range.high, _sqnr(sketch, c.error))
        for c in sorted(choices, key=lambda choice: choice.error)
    ]
    return list(dict.fromkeys(found))


def _sqnr(sketch: Sketch, error: float) -> float | None:
    power = sketch.mean_square
    return 10 * math.log10(power / error) if power > 0 and error > 0 else None
