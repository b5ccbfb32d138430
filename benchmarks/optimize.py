"""Import, canonicalization and export beside onnxslim and onnxsim: time, nodes left, outputs, memory.

    python benchmarks/optimize.py [--models ...] [--rounds N] [--growth] [--json FILE]

Every measurement is a process of its own (`--child`): it imports its tool, optimizes a tiny model so that
nothing is loaded in the measured part, and then times file in to file out. The tools take turns, round by
round, and a ratio is the median of the rounds' ratios, so that a busy machine slows all of them alike.
"""

from __future__ import annotations

import argparse
import json
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
from onnx import TensorProto, helper, numpy_helper

TOOLS = ("y10c", "onnxslim", "onnxsim")
ONCE_BEYOND = 60.0
"""A tool that takes longer, in seconds, is measured once and not in every round."""
EQUAL = 1e-4
"""Outputs are equal where they differ by less than this share of their largest number."""
WIDTH, HEADS, TOKENS = 64, 4, 16


# --- models ---


class Tape:
    """Collects nodes and initializers of a generated model."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.data: list[onnx.TensorProto] = []

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """A node; gives its output."""
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [f"{name}_out"], name=name, **attributes))
        return f"{name}_out"

    def constant(self, value: Any) -> str:
        """An initializer."""
        name = f"const_{len(self.data)}"
        self.data.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def weight(self, *shape: int) -> str:
        """Normal numbers around 0, of a tenth."""
        return self.constant((self.rng.standard_normal(shape) * 0.1).astype(np.float32))

    def number(self, value: float) -> str:
        """One float."""
        return self.constant(np.float32(value))


def transformer(ops: int, seed: int = 0) -> onnx.ModelProto:
    """Encoder blocks as raw exports write them, at least `ops` nodes: layer norms, GELUs, shapes in parts."""
    tape, x = Tape(seed), "x"
    while len(tape.nodes) < ops:
        x = tape.op("Add", x, _attention(tape, _layer_norm(tape, x)))
        x = tape.op("Add", x, _feed_forward(tape, _layer_norm(tape, x)))
    shape = [1, TOKENS, WIDTH]
    described = [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in ("x", x)]
    graph = helper.make_graph(tape.nodes, "transformer", described[:1], described[1:], tape.data)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _layer_norm(tape: Tape, x: str) -> str:
    centred = tape.op("Sub", x, tape.op("ReduceMean", x, axes=[-1], keepdims=1))
    square = tape.op("Pow", centred, tape.number(2))
    variance = tape.op("ReduceMean", square, axes=[-1], keepdims=1)
    deviation = tape.op("Sqrt", tape.op("Add", variance, tape.number(1e-5)))
    scaled = tape.op("Mul", tape.op("Div", centred, deviation), tape.weight(WIDTH))
    return tape.op("Add", scaled, tape.weight(WIDTH))


def _linear(tape: Tape, x: str, inner: int, outer: int) -> str:
    return tape.op("Add", tape.op("MatMul", x, tape.weight(inner, outer)), tape.weight(outer))


def _split_heads(tape: Tape, x: str, measured: str) -> str:
    """Reshape to heads by extents that are measured in the graph, as exporters do."""
    shape = tape.op("Shape", measured)
    extents = [
        tape.op(
            "Unsqueeze",
            tape.op("Gather", shape, tape.constant(np.int64(i)), axis=0),
            tape.constant(np.array([0])),
        )
        for i in range(2)
    ]
    rest = [tape.constant(np.array([HEADS])), tape.constant(np.array([WIDTH // HEADS]))]
    target = tape.op("Concat", *extents, *rest, axis=0)
    return tape.op("Transpose", tape.op("Reshape", x, target), perm=[0, 2, 1, 3])


def _attention(tape: Tape, x: str) -> str:
    q, k, v = (_split_heads(tape, _linear(tape, x, WIDTH, WIDTH), x) for _ in range(3))
    scores = tape.op("MatMul", q, tape.op("Transpose", k, perm=[0, 1, 3, 2]))
    weights = tape.op("Softmax", tape.op("Div", scores, tape.number((WIDTH / HEADS) ** 0.5)), axis=-1)
    mixed = tape.op("Identity", tape.op("MatMul", weights, v))
    joined = tape.op("Transpose", mixed, perm=[0, 2, 1, 3])
    return _linear(tape, tape.op("Reshape", joined, tape.constant(np.array([0, 0, WIDTH]))), WIDTH, WIDTH)


def _feed_forward(tape: Tape, x: str) -> str:
    hidden = _linear(tape, x, WIDTH, 2 * WIDTH)
    erf = tape.op("Erf", tape.op("Div", hidden, tape.number(2**0.5)))
    gelu = tape.op("Mul", hidden, tape.op("Add", erf, tape.number(1)))
    return _linear(tape, tape.op("Mul", gelu, tape.number(0.5)), 2 * WIDTH, WIDTH)


def _zoo_x() -> onnx.ModelProto:
    from y10c.zoo import yolov10

    return yolov10("x")


def _raw() -> onnx.ModelProto:
    return onnx.load(Path(__file__).parents[2] / "shared" / "models" / "yolov10n_e2e_raw.onnx")


MODELS: dict[str, Callable[[], onnx.ModelProto]] = {
    "yolov10n_e2e_raw": _raw,
    "zoo_x": _zoo_x,
    "transformer_20k": lambda: transformer(20_000),
}


# --- one measurement, in a process of its own ---


def _y10c() -> Callable[[str, str], object]:
    from y10c.backend.exporter import save
    from y10c.frontend.importer import load
    from y10c.passes.pipelines import canonicalization
    from y10c.pipeline.manager import run_passes
    from y10c.rewrite.passes import PassContext

    def run(source: str, target: str) -> None:
        graph = load(source)
        run_passes(graph, canonicalization(), PassContext())
        save(graph, target)

    return run


def _onnxslim() -> Callable[[str, str], object]:
    import onnxslim

    return lambda source, target: onnxslim.slim(source, target)


def _onnxsim() -> Callable[[str, str], object]:
    import onnxsim

    return lambda source, target: onnx.save(onnxsim.simplify(source)[0], target)


def child(tool: str, source: str, target: str) -> None:
    """Measure one run and print it as JSON."""
    run = {"y10c": _y10c, "onnxslim": _onnxslim, "onnxsim": _onnxsim}[tool]()
    with tempfile.TemporaryDirectory() as folder:
        tiny = str(Path(folder, "tiny.onnx"))
        onnx.save(transformer(50), tiny)
        run(tiny, str(Path(folder, "out.onnx")))
    begun, busy = time.perf_counter(), time.process_time()
    run(source, target)
    found = {
        "seconds": time.perf_counter() - begun,
        "cpu": time.process_time() - busy,
        "peak_mb": peak_mb(),
    }
    print("\nRESULT " + json.dumps(found))


def peak_mb() -> float:
    """Largest resident memory of this process; `ru_maxrss` would count what the parent held as well."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def measure(tool: str, source: Path, target: Path) -> dict[str, float]:
    """One run of a tool; raises CalledProcessError where it fails."""
    command = [sys.executable, __file__, "--child", tool, str(source), str(target)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(ran.stdout.rpartition("RESULT ")[2])
    return found


# --- the comparison ---


def outputs(path: Path, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The outputs of a file in onnxruntime, without its optimizations and with one thread."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return [np.asarray(o) for o in session.run(None, feeds)]


def drawn(path: Path) -> dict[str, np.ndarray]:
    """Numbers in 0..1 for every input of a file."""
    rng = np.random.default_rng(0)
    graph = onnx.load(path, load_external_data=False).graph
    names = {t.name for t in graph.initializer}
    shapes = {
        i.name: [d.dim_value for d in i.type.tensor_type.shape.dim]
        for i in graph.input
        if i.name not in names
    }
    return {name: rng.random(shape, np.float32) for name, shape in shapes.items()}


def difference(before: list[np.ndarray], after: list[np.ndarray]) -> float:
    """Greatest difference of any output, as a share of its largest number."""
    pairs = zip(before, after, strict=True)
    return max(float(np.abs(a - b).max() / max(1e-30, float(np.abs(a).max()))) for a, b in pairs)


def compare(name: str, source: Path, folder: Path, rounds: int) -> dict[str, Any]:
    """All tools on one model, in turns."""
    seen: dict[str, list[dict[str, float]]] = {tool: [] for tool in TOOLS}
    for _ in range(rounds):
        for tool in TOOLS:
            if not seen[tool] or seen[tool][-1]["seconds"] < ONCE_BEYOND:
                seen[tool].append(measure(tool, source, folder / f"{tool}.onnx"))
    feeds = drawn(source)
    before = outputs(source, feeds)
    weights = sum(len(t.raw_data) for t in onnx.load(source).graph.initializer) / 2**20
    rows = {
        tool: {
            "seconds": statistics.median(r["seconds"] for r in runs),
            "cpu": statistics.median(r["cpu"] for r in runs),
            "peak_mb": max(r["peak_mb"] for r in runs),
            "nodes": len(onnx.load(folder / f"{tool}.onnx").graph.node),
            "difference": difference(before, outputs(folder / f"{tool}.onnx", feeds)),
        }
        for tool, runs in seen.items()
    }
    return {
        "model": name,
        "nodes": len(onnx.load(source).graph.node),
        "weights_mb": weights,
        "memory_bar_mb": 2 * weights + 500,
        "ratio_to_onnxslim": ratio(seen["y10c"], seen["onnxslim"]),
        "ratio_to_onnxsim": ratio(seen["y10c"], seen["onnxsim"]),
        "tools": rows,
    }


def ratio(ours: list[dict[str, float]], theirs: list[dict[str, float]]) -> float:
    """Median of the rounds' ratios."""
    return statistics.median(a["seconds"] / b["seconds"] for a, b in zip(ours, theirs, strict=False))


def growth(folder: Path, rounds: int) -> dict[str, Any]:
    """How much longer ten times the ops take."""
    sizes = (10_000, 100_000)
    for size in sizes:
        onnx.save(transformer(size), folder / f"{size}.onnx")
    runs = [
        [measure("y10c", folder / f"{size}.onnx", folder / "out.onnx") for size in sizes]
        for _ in range(rounds)
    ]
    return {
        "seconds": [statistics.median(r[i]["seconds"] for r in runs) for i in range(2)],
        "cpu": [statistics.median(r[i]["cpu"] for r in runs) for i in range(2)],
        "peak_mb": [max(r[i]["peak_mb"] for r in runs) for i in range(2)],
        "ratio": statistics.median(r[1]["seconds"] / r[0]["seconds"] for r in runs),
        "cpu_ratio": statistics.median(r[1]["cpu"] / r[0]["cpu"] for r in runs),
    }


def table(found: dict[str, Any]) -> Iterator[str]:
    """One model's rows as Markdown."""
    yield f"\n{found['model']}: {found['nodes']} nodes, {found['weights_mb']:.0f} MB of weights"
    yield "| tool | seconds | CPU s | nodes left | outputs differ by | peak MB |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for tool, row in found["tools"].items():
        figures = f"{row['seconds']:.2f} | {row['cpu']:.2f} | {row['nodes']} | {row['difference']:.2g}"
        yield f"| {tool} | {figures} | {row['peak_mb']:.0f} |"
    yield (
        f"y10c takes {found['ratio_to_onnxslim']:.2f} of onnxslim's time and "
        f"{found['ratio_to_onnxsim']:.2f} of onnxsim's; memory bar {found['memory_bar_mb']:.0f} MB"
    )


def failures(found: dict[str, Any]) -> Iterator[str]:
    """The bars that a model misses."""
    ours, slim = found["tools"]["y10c"], found["tools"]["onnxslim"]
    if found["ratio_to_onnxslim"] > 1:
        yield f"{found['model']}: {found['ratio_to_onnxslim']:.2f} times onnxslim's time"
    if ours["nodes"] > slim["nodes"]:
        yield f"{found['model']}: {ours['nodes']} nodes left, onnxslim leaves {slim['nodes']}"
    if ours["difference"] > EQUAL:
        yield f"{found['model']}: outputs differ by {ours['difference']:.2g}"
    if ours["peak_mb"] > found["memory_bar_mb"]:
        yield f"{found['model']}: peak memory {ours['peak_mb']:.0f} MB"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", nargs="*", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--growth", action="store_true", help="also 100,000 ops beside 10,000")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(*arguments.child)
        return 0
    results: list[dict[str, Any]] = []
    missed: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for model in arguments.models:
            onnx.save(MODELS[model](), folder / "model.onnx")
            results.append(compare(model, folder / "model.onnx", folder, arguments.rounds))
            print("\n".join(table(results[-1])), flush=True)
            missed += failures(results[-1])
        grown = growth(folder, arguments.rounds) if arguments.growth else None
    if grown is not None:
        print(f"\n100,000 ops take {grown['ratio']:.1f} times 10,000 (CPU {grown['cpu_ratio']:.1f}): {grown}")
        missed += [f"growth {grown['ratio']:.1f}"] if grown["ratio"] > 12 else []
    if arguments.json:
        arguments.json.write_text(json.dumps({"models": results, "growth": grown}, indent=2) + "\n")
    print("\n" + ("\n".join(f"missed: {m}" for m in missed) or "every bar is met"))
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
