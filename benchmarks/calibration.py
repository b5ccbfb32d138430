"""Calibration against the physical limit and against onnxruntime's calibrators: time and peak memory.

The limit is a plain float pass of onnxruntime, all cores, over the same decoded images. Each run is its own
process, so that peaks are its own; runs of one round follow each other, rounds repeat, medians are shown.
CPU seconds are beside wall seconds, since a shared machine distorts only the latter.

    python benchmarks/calibration.py MODEL.onnx IMAGES [--images 100] [--rounds 3] [--json]

onnxruntime's Percentile and Entropy calibrators keep every activation of every image in memory, so they see
`--few` images only; their times are shown per image.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from y10c.calib.collect import collect
from y10c.calib.dataset import Dataset, open_dataset
from y10c.calib.observers import candidates

OBSERVED = ("Conv", "Mul", "Add", "Concat", "MatMul", "Softmax", "MaxPool", "Resize", "Split")
"""Their float results are what integer targets quantize."""

KEEPS_ACTIVATIONS = ("ort Percentile", "ort Entropy")


def float_pass(model: Path, data: Dataset) -> dict[str, Any]:
    import onnxruntime as ort

    session = ort.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    inside = 0.0
    for sample in data.samples():
        begun = time.perf_counter()
        session.run(None, {name: sample.array})
        inside += time.perf_counter() - begun
    return {"seconds in the network": round(inside, 2)}


def all_methods(model: Path, data: Dataset, workers: int = 0) -> dict[str, Any]:
    tensors = observed_tensors(model)
    sketches = collect(model, tensors, data, workers=workers)
    passed = time.perf_counter()
    for sketch in sketches.values():
        for symmetric in (True, False):
            candidates(sketch, symmetric=symmetric)
    elements = sum(sketch.count for sketch in sketches.values()) / len(data)
    return {
        "tensors": len(tensors),
        "million elements an image": round(elements / 1e6, 1),
        "search seconds": round(time.perf_counter() - passed, 2),
    }


def ort_calibrator(method: str) -> Callable[[Path, Dataset], dict[str, Any]]:
    def run(model: Path, data: Dataset) -> dict[str, Any]:
        from onnxruntime.quantization.calibrate import CalibrationMethod, create_calibrator

        name = onnx.load(model, load_external_data=False).graph.input[0].name
        with tempfile.TemporaryDirectory() as folder:
            calibrator = create_calibrator(
                model,
                list(OBSERVED),
                augmented_model_path=str(Path(folder) / "augmented.onnx"),
                calibrate_method=CalibrationMethod[method],
            )
            calibrator.collect_data(Reader(name, data))
            found = calibrator.compute_data()
        return {"tensors": len(found.keys())}

    return run


class Reader:
    """Samples in the form that onnxruntime's calibrators take."""

    def __init__(self, name: str, data: Dataset) -> None:
        self._name = name
        self._samples = data.samples()

    def get_next(self) -> dict[str, Any] | None:
        """The next input, or None at the end."""
        sample = next(self._samples, None)
        return None if sample is None else {self._name: sample.array}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.get_next, None)

    __next__ = get_next


RUNS: dict[str, Callable[[Path, Dataset], dict[str, Any]]] = {
    "float pass": float_pass,
    "y10c, all methods": all_methods,
    "y10c, 2 workers": lambda model, data: all_methods(model, data, workers=2),
    "ort MinMax": ort_calibrator("MinMax"),
    "ort Percentile": ort_calibrator("Percentile"),
    "ort Entropy": ort_calibrator("Entropy"),
}


def observed_tensors(model: Path) -> list[str]:
    net = onnx.shape_inference.infer_shapes(onnx.load(model))
    known = (*net.graph.value_info, *net.graph.output)
    floats = {one.name for one in known if one.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}
    nodes = [node for node in net.graph.node if node.op_type in OBSERVED]
    return [name for node in nodes for name in node.output if name in floats]


def measure_here(run: str, model: Path, images: Path, count: int) -> dict[str, Any]:
    shape = [d.dim_value or 640 for d in onnx.load(model).graph.input[0].type.tensor_type.shape.dim]
    data = open_dataset(images, input_shape=shape, limit=count)
    if count > len(data):
        repeats = -(-count // len(data))
        data = Dataset((data.sources * repeats)[:count], shape=data.shape)
    begun, cpu = time.perf_counter(), time.process_time()
    extra = RUNS[run](model, data)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "run": run,
        "images": len(data),
        "wall": time.perf_counter() - begun,
        "cpu": time.process_time() - cpu + children.ru_utime + children.ru_stime,
        "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "peak MB of a worker": children.ru_maxrss / 1024,
        **extra,
    }


def measure(run: str, options: argparse.Namespace) -> dict[str, Any]:
    count = options.few if run in KEEPS_ACTIVATIONS else options.images
    command = [sys.executable, __file__, str(options.model), str(options.folder), "--run", run]
    done = subprocess.run([*command, "--images", str(count)], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def summary(run: str, rounds: list[dict[str, Any]]) -> dict[str, Any]:
    median = {
        key: float(np.round(statistics.median(one[key] for one in rounds), 3)) for key in ("wall", "cpu")
    }
    images = rounds[0]["images"]
    rest = {key: value for key, value in rounds[-1].items() if key not in ("wall", "cpu")}
    return {**rest, **median, "wall ms an image": median["wall"] / images * 1e3}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--few", type=int, default=4, help="images for calibrators that keep activations")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=list(RUNS), default=list(RUNS))
    parser.add_argument("--run", choices=list(RUNS), help="one run, in this process")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.run:
        print(json.dumps(measure_here(options.run, options.model, options.folder, options.images)))
        return
    results: dict[str, list[dict[str, Any]]] = {run: [] for run in options.only}
    for _ in range(options.rounds):
        for run, found in results.items():
            found.append(measure(run, options))
    rows = [summary(run, found) for run, found in results.items()]
    show(rows, as_json=options.json)


def show(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    base = next((row for row in rows if row["run"] == "float pass"), rows[0])
    for row in rows:
        share = base["images"] / row["images"]
        row["wall / float pass"] = round(row["wall"] * share / base["wall"], 2)
        row["cpu / float pass"] = round(row["cpu"] * share / base["cpu"], 2)
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    columns = ("run", "images", "wall ms an image", "wall / float pass", "cpu / float pass", "peak MB")
    print("".join(f"{column:>20}" for column in columns))
    for row in rows:
        print(
            "".join(
                f"{value:>20.5g}" if isinstance(value, float) else f"{value:>20}"
                for value in (row[column] for column in columns)
            )
        )


if __name__ == "__main__":
    main()
