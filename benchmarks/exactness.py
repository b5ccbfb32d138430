"""Is a compiled model what its integers say: onnxruntime against the integer reference, by kind of unit.

    python benchmarks/exactness.py P_ptq_model.onnx IMAGES [--samples 2] [--json]

Every unit gets the integers that onnxruntime computed before it; with onnxruntime's optimizations off and on.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import onnx

from y10c.calib.feeds import open_feeds
from y10c.comparison.exact import UnitDifference, compare_units
from y10c.frontend.importer import load


def table(rows: Iterable[UnitDifference]) -> list[dict[str, Any]]:
    """One row a kind of unit and type of result."""
    kinds: dict[tuple[str, str], list[UnitDifference]] = defaultdict(list)
    for row in rows:
        kinds[row.op, row.dtype].append(row)
    return [
        {
            "op": op,
            "type": dtype,
            "units": len({row.tensor for row in found}),
            "largest difference": max(row.largest for row in found),
            "elements that differ": sum(row.differing for row in found) / sum(row.elements for row in found),
            "sums beyond int32": sum(row.beyond_int32 for row in found),
        }
        for (op, dtype), found in sorted(kinds.items())
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--samples", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    inputs = {value.name: value.tensor_type for value in load(options.model).inputs}
    ((name, data),) = open_feeds(inputs, options.images).limited(options.samples).items()
    model = onnx.load(options.model)
    found: dict[str, list[dict[str, Any]]] = {}
    for mode, optimized in (("as written", False), ("optimized", True)):
        runs = (compare_units(model, {name: s.array}, optimized=optimized, threads=2) for s in data.samples())
        found[mode] = table(row for rows in runs for row in rows)
    if options.json:
        print(json.dumps(found, indent=1))
        return
    for mode, rows in found.items():
        print(f"\n{mode}")
        print("".join(f"{column:>22}" for column in rows[0]))
        for row in rows:
            print("".join(f"{v:>22.2e}" if isinstance(v, float) else f"{v:>22}" for v in row.values()))


if __name__ == "__main__":
    main()
