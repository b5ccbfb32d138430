"""Calibration against the physical limit and against onnxruntime's calibrators: time and peak memory.

The limit is a plain float pass of onnxruntime, all cores, over the same decoded images. Each run is its own
process, so that peaks are its own; runs of one round follow each other, rounds repeat, medians are shown.
CPU seconds are beside wall seconds, since a shared machine distorts only the latter.

y10c observes the tensors that its target quantizes and searches every method's ranges, symmetric and
asymmetric, at 8 bits, and min-max and MSE at 16. More images than the folder has are copies of its files.

    python benchmarks/calibration.py MODEL.onnx IMAGES [--images 100] [--rounds 3] [--json]
    python benchmarks/calibration.py MODEL.onnx IMAGES --images 1000 --rounds 1 --only "y10c, all methods"

onnxruntime's Percentile and Entropy calibrators keep every activation of every image in memory, so they see
`--few` images only; their times are shown per image.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
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
from y10c.calib.observers import METHODS, candidates
from y10c.calib.sources import IMAGE_SUFFIXES
from y10c.frontend.importer import load

OBSERVED = ("Conv", "Mul", "Add", "Concat", "MatMul", "Softmax", "MaxPool", "Resize", "Split")
"""Their float results are what integer targets quantize."""

TARGET = "j6"
"""Whose tensors are observed."""

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
    graph, tensors = quantized_tensors(model, TARGET)
    begun = time.perf_counter()
    sketches = collect(graph, tensors, data, workers=workers)
    passed = time.perf_counter()
    for sketch in sketches.values():
        for symmetric in (True, False):
            candidates(sketch, symmetric=symmetric, methods=METHODS)
        candidates(sketch, bits=16, symmetric=True, methods=("min-max", "mse"))
    elements = sum(sketch.count for sketch in sketches.values()) / len(data)
    return {
        "tensors": len(tensors),
        "million elements an image": round(elements / 1e6, 1),
        "pass seconds": round(passed - begun, 2),
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


def quantized_tensors(model: Path, target: str) -> tuple[onnx.ModelProto, list[str]]:
    """The optimized model, and its tensors that the target quantizes."""
    from y10c.passes.head.recognize import decode_tail
    from y10c.passes.observe.calibrate import name_values
    from y10c.passes.pipelines import canonicalization
    from y10c.pipeline.target import create_target
    from y10c.quant.plan import plan_quantization
    from y10c.rewrite.passes import PassContext

    graph = load(model)
    for each in canonicalization():
        each.run(graph, PassContext())
    name_values(graph)
    plan = plan_quantization(graph, create_target(target, None).scheme(), decode_tail(graph))
    return graph.to_onnx(), [value.name for value in plan.observed]


def measure_here(run: str, model: Path, images: Path, count: int) -> dict[str, Any]:
    shape = [d.dim_value or 640 for d in onnx.load(model).graph.input[0].type.tensor_type.shape.dim]
    with tempfile.TemporaryDirectory() as spare:
        data = open_dataset(at_least(images, count, Path(spare)), input_shape=shape, limit=count)
        begun, cpu = time.perf_counter(), time.process_time()
        extra = RUNS[run](model, data)
        return figures(run, len(data), begun, cpu, extra)


def at_least(images: Path, count: int, spare: Path) -> Path:
    """A folder with so many files: the given one, or copies of its files under other names."""
    files = sorted(file for file in images.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
    if len(files) >= count:
        return images
    for index in range(count):
        file = files[index % len(files)]
        shutil.copyfile(file, spare / f"{index:05}{file.suffix}")
    return spare


def figures(run: str, images: int, begun: float, cpu: float, extra: dict[str, Any]) -> dict[str, Any]:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "run": run,
        "images": images,
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
