"""What becomes of damaged files: bit flips, truncations, protobuf fields that are cut out.

Run `python benchmarks/corruption.py MODEL.onnx... [--seeds N]`. Each file that still loads is run by
onnxruntime before and after y10c, and must give the same. Corruptions and limits are those of tests/fuzz.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

SEEDS = 100


def fuzz() -> ModuleType:
    """The module of the tests, which runs workers and knows the limits."""
    path = Path(__file__).parents[1] / "tests" / "fuzz" / "test_corruptions.py"
    spec = importlib.util.spec_from_file_location("test_corruptions", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"there is no {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules["test_corruptions"] = module
    spec.loader.exec_module(module)
    return module


def measure(path: Path, seeds: int) -> dict[str, Any]:
    """Outcomes of a model's corruptions, and the greatest memory and time."""
    tests = fuzz()
    found = list(tests.outcomes(path, list(range(seeds)), run=True))
    return {
        "model": path.name,
        "files": len(found),
        "outcomes": dict(Counter(f["outcome"] for f in found).most_common()),
        "problems": tests.problems(found),
        "peak_megabytes": max(f["peak"] for f in found) / 1e6,
        "slowest_seconds": max(f["seconds"] for f in found),
    }


def main() -> int:
    """Print the table; 1 where something happened that may not."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="corruptions of each model")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = [measure(path, options.seeds) for path in options.models]
    if options.json:
        print(json.dumps(found, indent=1))
    else:
        for one in found:
            print(f"{one['model']}: {one['files']} damaged files, {len(one['problems'])} problems,", end=" ")
            print(f"peak {one['peak_megabytes']:.0f} MB, slowest {one['slowest_seconds']:.1f} s")
            for outcome, count in one["outcomes"].items():
                print(f"{count:>6}  {outcome}")
    return 1 if any(one["problems"] for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
