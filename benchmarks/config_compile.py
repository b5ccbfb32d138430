"""What a whole compilation costs: `y10c compile -c` beside onnxruntime's float pass over its data.

Run `python benchmarks/config_compile.py config.yaml`. Each runs in a process of its own, start and imports
included, with as many threads as the process may use cores. CPU seconds are what compares on a busy machine.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

FLOAT_PASS = """
import sys
from pathlib import Path
import numpy as np
import onnxruntime as ort
options = ort.SessionOptions()
options.intra_op_num_threads = int(sys.argv[3])
session = ort.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
for path in sorted(Path(sys.argv[2]).glob("*.npy")):
    session.run(None, {name: np.load(path)})
"""


def timed(command: list[str]) -> dict[str, float]:
    """Wall and CPU seconds of a command and its children.

    Raises:
        SystemExit: The command failed.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    wall = perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(done.stderr)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": round(wall, 2), "cpu_s": round(cpu, 2)}


def measure(config: Path, extra: list[str]) -> dict[str, Any]:
    """The figures of a config whose model has one input."""
    from y10c.config.load import read_config

    read = read_config(config)
    model, (data,) = str(read.file("model_parameters.onnx_model")), read.folders
    threads = len(os.sched_getaffinity(0))
    with TemporaryDirectory() as folder:
        passes = timed([sys.executable, "-c", FLOAT_PASS, model, str(data), str(threads)])
        command = [sys.executable, "-m", "y10c", "compile", "-c", str(config), "-o", folder, "-q", *extra]
        whole = timed(command)
    return {
        "samples": len(list(data.glob("*.npy"))),
        "threads": threads,
        "options": extra,
        "float_pass": passes,
        "compile": whole,
        "ratio_cpu": round(whole["cpu_s"] / passes["cpu_s"], 2),
        "ratio_wall": round(whole["wall_s"] / passes["wall_s"], 2),
    }


def main() -> None:
    """Print the figures; what follows the config goes to `y10c compile`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    arguments, extra = parser.parse_known_args()
    print(json.dumps(measure(arguments.config, extra), indent=1))


if __name__ == "__main__":
    main()
