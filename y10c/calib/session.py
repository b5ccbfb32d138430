"""onnxruntime sessions that show inner tensors, one thread each so that equal inputs give equal bits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from numpy.typing import NDArray

from y10c.errors import ModelError, UnknownNameError


class ExposedSession:
    """A session whose `tensors` can be read on each run, network inputs among them.

    Args:
        model: A ModelProto, its bytes, or a path.
        tensors: Names of node outputs or network inputs.
        threads: Threads inside one run; 1 makes the activations independent of the machine's load.

    Raises:
        ModelError: onnxruntime does not load the model (Y3002).
        UnknownNameError: A tensor is not in the model, or is a constant.
    """

    def __init__(self, model: Any, tensors: Sequence[str], *, threads: int = 1) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Fused integer kernels saturate at 16 bits on processors without VNNI: the file means more than that.
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        # A pattern of one block for everything inside costs a quarter more memory here and no less time.
        options.enable_mem_pattern = False
        try:
            self._session = ort.InferenceSession(
                exposed_model(model, tensors), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise ModelError(
                f"onnxruntime does not load the model: {str(error).splitlines()[0]}",
                help="check it with onnx.checker",
            ) from error
        self.input_names = [one.name for one in self._session.get_inputs()]
        self._batches = {one.name: one.shape[0] for one in self._session.get_inputs() if one.shape}
        self.bytes = sum(_float_bytes(one.shape) for one in self._session.get_outputs())
        """Of the tensors of one run, as far as their extents are known."""
        self._fed = [name for name in tensors if name in self.input_names]
        self._computed = [name for name in tensors if name not in self.input_names]

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """The tensors for one set of inputs; arrays are views of onnxruntime's memory, not copies.

        Raises:
            ModelError: The run fails, as it does on inputs of a wrong shape or type.
        """
        import onnxruntime as ort

        feeds = {name: self._batched(name, array) for name, array in feeds.items()}
        found = {name: feeds[name] for name in self._fed}
        if self._computed:
            values = {name: ort.OrtValue.ortvalue_from_numpy(array) for name, array in feeds.items()}
            try:
                results = self._session.run_with_ort_values(self._computed, values)
            except Exception as error:
                raise ModelError(
                    f"the model does not run on the calibration data: {str(error).splitlines()[0]}",
                    code="Y3003",
                    help="check the input's shape and type",
                ) from error
            found |= {name: one.numpy() for name, one in zip(self._computed, results, strict=True)}
        return found

    def _batched(self, name: str, array: NDArray[Any]) -> NDArray[Any]:
        """The sample, repeated where the model wants a fixed batch: ranges do not change by that."""
        batch = self._batches.get(name)
        if isinstance(batch, int) and batch > 1 and array.shape[0] == 1:
            return array.repeat(batch, axis=0)
        return array


def _float_bytes(shape: Sequence[int | str | None]) -> int:
    """Bytes of float32 of a shape; an open extent counts as 1."""
    return 4 * math.prod(extent for extent in shape if isinstance(extent, int))


def exposed_model(model: Any, tensors: Sequence[str]) -> bytes:
    """The model with further tensors as outputs, serialized; the one given is not changed.

    Raises:
        UnknownNameError: A tensor is not in the model, or is a constant.
    """
    import onnx

    copy = model_copy(model)
    graph = copy.graph
    computed = dict.fromkeys(name for node in graph.node for name in node.output if name)
    known = {*computed, *(one.name for one in graph.input)}
    for name in tensors:
        if name not in known:
            raise UnknownNameError("tensor", name, list(known)[:40])
    shown = {one.name for one in graph.output} | {one.name for one in graph.input}
    graph.output.extend(
        onnx.ValueInfoProto(name=name) for name in dict.fromkeys(tensors) if name not in shown
    )
    return cast(bytes, copy.SerializeToString())


def input_names(model: bytes) -> list[str]:
    """The names of what must be fed: graph inputs that are not constants."""
    import onnx

    graph = onnx.ModelProto.FromString(model).graph
    constants = {one.name for one in graph.initializer}
    return [one.name for one in graph.input if one.name not in constants]


def model_copy(model: Any) -> Any:
    """A ModelProto of the caller's own from a path, bytes or another ModelProto."""
    import onnx

    if isinstance(model, str | Path):
        return onnx.load(str(model))
    copy = onnx.ModelProto()
    if isinstance(model, bytes):
        copy.ParseFromString(model)
    else:
        copy.CopyFrom(model)
    return copy
