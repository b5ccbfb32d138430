"""How fast the INT8 model for `--target ort` runs in onnxruntime on this CPU, beside the float model.

The two models take turns on the same images, so that a busy machine slows both; medians are compared.

    python benchmarks/ort_speed.py MODEL.onnx CALIBRATION [--images EVALUATION] [--rounds 30] [--threads 1]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Any

import onnx

import y10c
from y10c.calib.dataset import open_dataset
from y10c.quant.options import QuantOptions


def session(model: onnx.ModelProto | Path, threads: int, optimized: Path | None = None) -> Any:
    """A session with all optimizations of onnxruntime."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    if optimized is not None:
        options.optimized_model_filepath = str(optimized)
    content = str(model) if isinstance(model, Path) else model.SerializeToString()
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def timed(models: dict[str, Any], arrays: list[Any], rounds: int) -> dict[str, float]:
    """Median milliseconds of a run of each model, the models taking turns."""
    times: dict[str, list[float]] = {name: [] for name in models}
    for k in range(rounds + 3):
        for name, one in models.items():
            begun = time.perf_counter()
            one.run(None, {one.get_inputs()[0].name: arrays[k % len(arrays)]})
            if k >= 3:
                times[name].append((time.perf_counter() - begun) * 1000)
    return {name: statistics.median(each) for name, each in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("calibration", type=Path)
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, help="write the INT8 model here")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    result = y10c.compile(
        args.model, "ort", calibration=args.calibration, head="e2e", limit=args.limit, quant=QuantOptions()
    )
    if args.output is not None:
        onnx.save(result.model, args.output)
    optimized = Path("/tmp") / f"ort_speed_{args.model.stem}.onnx"
    models = {
        "float": session(args.model, args.threads),
        "float, optimized by y10c": session(result.models["optimized"], args.threads),
        "int8": session(result.model, args.threads, optimized),
    }
    shape = result.models["original"].graph.input[0].type.tensor_type.shape
    data = open_dataset(args.calibration, input_shape=[d.dim_value for d in shape.dim], limit=8)
    times = timed(models, [s.array for s in data.samples()], args.rounds)
    kinds = Counter(node.op_type for node in onnx.load(optimized).graph.node)
    optimized.unlink()
    found = {
        "milliseconds": times,
        "speedup": times["float"] / times["int8"],
        "speedup over the optimized float": times["float, optimized by y10c"] / times["int8"],
        "ops": dict(kinds.most_common(14)),
    }
    if args.json:
        print(json.dumps(found))
        return
    for name, ms in times.items():
        print(f"{name:28} {ms:8.1f} ms")
    print(f"int8 is {found['speedup']:.2f} times as fast as the float model ({args.threads} threads)")
    print("ops that onnxruntime runs:", ", ".join(f"{n} {k}" for k, n in kinds.most_common(14)))


if __name__ == "__main__":
    main()
