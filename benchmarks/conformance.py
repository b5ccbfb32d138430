"""ONNX's own conformance suite through y10c: import, text, parse, export, and onnxruntime's verdict.

A case counts where onnxruntime passes it unmodified; there, the model that went through y10c must pass too.
Run `python benchmarks/conformance.py` for the tables; `--json` prints them as one JSON object.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import re
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from onnx.backend.test.case.test_case import TestCase
from onnx.backend.test.loader import load_model_tests

from y10c.frontend.importer import load
from y10c.ir import Graph
from y10c.ir.equal import difference
from y10c.ir.parser import parse_graph
from y10c.ir.printer import print_graph
from y10c.ir.tensor import Tensor
from y10c.ir.types import DType
from y10c.ir.verify import verify

KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator")
"""The suites that ship with the onnx package, data included."""
BY_ORTVALUE = {t.value for t in DType if t.value >= DType.bf16.value}
"""Element types without a numpy type of their own: fed and fetched as bytes."""
BFLOAT16_RTOL = 2**-6
"""Two units in the last place, as onnx's own runner allows."""

Change = Callable[[onnx.ModelProto], onnx.ModelProto]


@dataclass(frozen=True)
class Verdict:
    """What became of one case.

    Args:
        name: The case.
        excluded: Why onnxruntime itself fails on it; empty where it passes.
        failure: Why the model that went through y10c fails; empty where it passes.
        ops: How its ops were known: all `declared` by y10c, some only by ONNX's `schema`, or some `opaque`.
    """

    name: str
    excluded: str = ""
    failure: str = ""
    ops: str = "opaque"


class Mismatch(Exception):
    """An output that is not the expected one."""


def cases(kinds: Iterable[str] = KINDS) -> list[TestCase]:
    """The cases of the suites."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some generators overflow on purpose
        return [case for kind in kinds for case in load_model_tests(kind=kind)]


def through_text(model: onnx.ModelProto) -> onnx.ModelProto:
    """Import, print, parse and export, with the graph verified and compared on the way."""
    graph = load(model)
    side: dict[str, Tensor] = {}
    text = print_graph(graph, side)
    parsed = parse_graph(text, side)
    if found := difference(graph, parsed):
        raise Mismatch(f"the text does not parse back: {found}")
    verify(parsed)
    return parsed.to_onnx()


def canonicalized(model: onnx.ModelProto) -> onnx.ModelProto:
    """Import, canonicalize, export."""
    from y10c.api import optimize

    return optimize(model)


def judge(case: TestCase, change: Change = through_text) -> Verdict:
    """Run a case as it is and, where onnxruntime passes, after `change`."""
    model = _model(case)
    try:
        data = _data(case, model)
        _run(case, model, data)
    except Exception as error:
        return Verdict(case.name, excluded=_reason(error))
    known = "opaque"
    try:
        known = how_known(load(model))
        _run(case, change(model), data)
    except Exception as error:
        return Verdict(case.name, failure=f"{type(error).__name__}: {error}", ops=known)
    return Verdict(case.name, ops=known)


def how_known(graph: Graph) -> str:
    """What y10c knows of the least known op: `declared`, `schema` or `opaque`."""
    from y10c.ops.registry import declared_specs, find_spec

    names = {op.name for op in graph.walk()}
    if names <= {spec.name for spec in declared_specs()}:
        return "declared"
    return "schema" if all(find_spec(name) is not None for name in names) else "opaque"


# --- onnxruntime ---


def _model(case: TestCase) -> onnx.ModelProto:
    return case.model if case.model is not None else onnx.load(Path(str(case.model_dir)) / "model.onnx")


def _data(case: TestCase, model: onnx.ModelProto) -> list[tuple[Sequence[Any], Sequence[Any]]]:
    if case.data_sets is not None:
        return list(case.data_sets)
    folders = sorted(Path(str(case.model_dir)).glob("test_data_set*"))
    return [
        (_read(folder, "input", model.graph.input), _read(folder, "output", model.graph.output))
        for folder in folders
    ]


def _read(folder: Path, kind: str, slots: Sequence[onnx.ValueInfoProto]) -> list[Any]:
    found = []
    for number, slot in enumerate(slots):
        path = folder / f"{kind}_{number}.pb"
        if not path.exists():
            break
        message = _MESSAGES[slot.type.WhichOneof("value")]()
        message.ParseFromString(path.read_bytes())
        found.append(_plain(message))
    return found


_MESSAGES: dict[str, Any] = {
    "tensor_type": onnx.TensorProto,
    "sequence_type": onnx.SequenceProto,
    "optional_type": onnx.OptionalProto,
}


def _plain(value: Any) -> Any:
    """Messages as arrays and lists."""
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    if isinstance(value, onnx.SequenceProto):
        return numpy_helper.to_list(value)
    if isinstance(value, onnx.OptionalProto):
        return numpy_helper.to_optional(value)
    return np.asarray(value) if isinstance(value, np.generic) else value


def _run(case: TestCase, model: onnx.ModelProto, data: list[tuple[Sequence[Any], Sequence[Any]]]) -> None:
    session = _session(model)
    types = [o.type.tensor_type.elem_type for o in (*model.graph.input, *model.graph.output)]
    run = _run_as_bytes if BY_ORTVALUE & set(types) else _run_plainly
    for given, expected in data:
        names = [i.name for i in session.get_inputs()]
        outputs = run(session, model, dict(zip(names, map(_plain, given), strict=False)))
        if len(outputs) != len(expected):
            raise Mismatch(f"{len(outputs)} outputs instead of {len(expected)}")
        for output, wanted in zip(outputs, expected, strict=True):
            _compare(output, _plain(wanted), case.rtol, case.atol)


def _session(model: onnx.ModelProto) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _run_plainly(session: Any, model: onnx.ModelProto, feeds: dict[str, Any]) -> Sequence[Any]:
    return session.run(None, feeds)  # type: ignore[no-any-return]


def _run_as_bytes(session: Any, model: onnx.ModelProto, feeds: dict[str, Any]) -> Sequence[Any]:
    kinds = {i.name: i.type.tensor_type.elem_type for i in model.graph.input}
    buffers = {name: _buffer(value, kinds[name]) for name, value in feeds.items()}
    values = {
        name: onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(buffer, kinds[name])
        if kinds[name] in BY_ORTVALUE
        else onnxruntime.OrtValue.ortvalue_from_numpy(buffer)
        for name, buffer in buffers.items()
    }
    names = [o.name for o in session.get_outputs()]
    return [_fetch(v) for v in session.run_with_ort_values(names, values)]


def _buffer(value: Any, kind: int) -> Any:
    """Sub-byte elements are packed into the front of a buffer that has the tensor's shape."""
    array = np.ascontiguousarray(value)
    if kind not in BY_ORTVALUE:
        return array
    packed = np.frombuffer(numpy_helper.from_array(array).raw_data, np.uint8)
    whole = np.zeros(array.nbytes, np.uint8)
    whole[: packed.size] = packed
    return whole.view(np.uint16 if array.itemsize == 2 else np.uint8).reshape(array.shape)


def _fetch(value: Any) -> Any:
    kind = value.element_type()
    if kind not in BY_ORTVALUE:
        return value.numpy()
    data = ctypes.string_at(value.data_ptr(), value.tensor_size_in_bytes())
    return numpy_helper.to_array(onnx.TensorProto(data_type=kind, dims=value.shape(), raw_data=data))


def _compare(output: Any, wanted: Any, rtol: float, atol: float) -> None:
    if isinstance(output, list):
        if len(output) != len(wanted):
            raise Mismatch("a sequence of another length")
        for a, b in zip(output, wanted, strict=True):
            _compare(a, b, rtol, atol)
        return
    if output is None or wanted is None:
        if output is not wanted:
            raise Mismatch("an optional output is empty on one side")
        return
    _compare_arrays(np.asarray(output), np.asarray(wanted), rtol, atol)


def _compare_arrays(output: Any, wanted: Any, rtol: float, atol: float) -> None:
    if output.shape != wanted.shape:
        raise Mismatch(f"shape {output.shape} instead of {wanted.shape}")
    if wanted.dtype.kind in "OUST":
        if not np.array_equal(output.astype(object), wanted.astype(object)):
            raise Mismatch("texts differ")
    elif output.dtype != wanted.dtype:
        raise Mismatch(f"type {output.dtype} instead of {wanted.dtype}")
    else:
        loose = max(rtol, BFLOAT16_RTOL) if output.dtype.name == "bfloat16" else rtol
        _compare_numbers(_widened(output), _widened(wanted), loose, atol)


def _widened(array: Any) -> Any:
    """The types of ml_dtypes are no numbers to numpy's comparison; all of them fit into float64."""
    return array.astype(np.float64) if array.dtype.kind == "V" or array.dtype.isbuiltin != 1 else array


def _compare_numbers(output: Any, wanted: Any, rtol: float, atol: float) -> None:
    try:
        np.testing.assert_allclose(output, wanted, rtol=rtol, atol=atol)
    except AssertionError:
        raise Mismatch("values differ") from None


# --- tables ---


def _reason(error: Exception) -> str:
    text = str(error) or type(error).__name__
    for pattern, reason in _REASONS:
        if re.search(pattern, text):
            return reason
    return f"onnxruntime: {text.splitlines()[0][:100]}"


_REASONS = (
    (r"NOT_IMPLEMENTED|[Cc]ould not find an implementation", "onnxruntime has no kernel"),
    (r"not a registered function/op", "onnxruntime does not know the op"),
    (r"values differ", "onnxruntime's values are not the expected ones"),
    (r"instead of", "onnxruntime gives another shape, type or number of outputs"),
    (r"during initialization|Non-zero status code", "onnxruntime's kernel refuses"),
)


def table(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Counts: judged, passed, how their ops were known, excluded by reason, and the failures."""
    judged = [v for v in verdicts if not v.excluded]
    return {
        "cases": len(verdicts),
        "judged": len(judged),
        "passed": sum(not v.failure for v in judged),
        **{kind: sum(v.ops == kind for v in judged) for kind in ("declared", "schema", "opaque")},
        "excluded": dict(Counter(v.excluded for v in verdicts if v.excluded).most_common()),
        "failures": {v.name: v.failure for v in judged if v.failure},
    }


def main() -> int:
    """Judge every case and print the table; 1 where one fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--canonicalize", action="store_true", help="canonicalize instead of the text form")
    parser.add_argument("--match", default="", help="only cases whose name has this in it")
    options = parser.parse_args()
    change = canonicalized if options.canonicalize else through_text
    found = table([judge(c, change) for c in cases() if options.match in c.name])
    print(json.dumps(found, indent=2) if options.json else _shown(found))
    return 1 if found["failures"] else 0


def _shown(found: dict[str, Any]) -> str:
    lines = [
        f"{key:<10} {found[key]:>5}" for key in ("cases", "judged", "passed", "declared", "schema", "opaque")
    ]
    lines += ["", "excluded, since onnxruntime fails on the unmodified case:"]
    lines += [f"{count:>5}  {reason}" for reason, count in found["excluded"].items()]
    lines += (
        ["", "failures:"] + [f"  {n}: {w}" for n, w in found["failures"].items()] if found["failures"] else []
    )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
