"""One pass of onnxruntime over the data, with every wanted tensor as an extra output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from y10c import progress
from y10c.calib.dataset import Dataset
from y10c.calib.sketch import Sketch
from y10c.errors import DataError

if TYPE_CHECKING:
    import onnx
    import onnxruntime

Arrays = dict[str, NDArray[Any]]


def collect(model: onnx.ModelProto, tensors: Sequence[str], data: Dataset) -> dict[str, Sketch]:
    """Sketches of tensors over all samples.

    One sample is in memory at a time, whatever their number.

    Args:
        model: A float model that onnxruntime runs.
        tensors: Names of inputs, intermediate values or outputs.
        data: The samples, each for the model's inputs.

    Raises:
        DataError: A tensor holds NaN or infinity; the error names it and the sample.
    """
    sketches = {name: Sketch() for name in tensors}
    runs = run_outputs(model, data, list(sketches))
    for sample, arrays in zip(data.names, progress.track(runs, "calibrating", len(data)), strict=True):
        for name, array in arrays.items():
            sketches[name].update(array, sample)
            _check_finite(sketches[name], name)
    return sketches


def _check_finite(sketch: Sketch, tensor: str) -> None:
    if sketch.nonfinite:
        raise DataError(
            f"tensor {tensor!r} becomes NaN or infinite",
            code="Y3103",
            where=sketch.nonfinite_sample,
            help="remove this sample, or check that its values are in the range the model was trained on",
        )


def run_outputs(model: onnx.ModelProto, data: Dataset, tensors: Sequence[str]) -> Iterator[Arrays]:
    """For each sample the named tensors.

    Args:
        model: A model that onnxruntime runs.
        data: The samples.
        tensors: Names of inputs, intermediate values or outputs.
    """
    session = _session(model, tensors)
    inputs = [i.name for i in session.get_inputs()]
    given = [t for t in tensors if t in inputs]
    computed = [t for t in tensors if t not in inputs]
    for feeds in data:
        named = dict(zip(inputs, feeds, strict=True))
        found = session.run(computed, named) if computed else []
        yield {**{t: named[t] for t in given}, **dict(zip(computed, found, strict=True))}


def _session(model: onnx.ModelProto, tensors: Sequence[str]) -> onnxruntime.InferenceSession:
    import onnx
    import onnxruntime

    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    known = {entry.name for entry in (*model.graph.output, *model.graph.input)}
    opened.graph.output.extend(onnx.ValueInfoProto(name=t) for t in tensors if t not in known)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        opened.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
