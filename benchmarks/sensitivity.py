"""Does the short measurement of sensitivity rank tensors as one run of the whole network for each does?

The reference quantizes each tensor alone and runs the whole network on many images. The product runs the part
behind the tensor on few. Spearman's rank correlation of the two, and what each cost in float passes.

    python benchmarks/sensitivity.py MODEL.onnx CALIBRATION [--images 40] [--effort default] [--json]
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from y10c.calib.collect import mapped
from y10c.calib.feeds import Feeds, open_feeds
from y10c.cost.precision import macs_of
from y10c.detect.head_info import HeadInfo
from y10c.frontend.importer import load
from y10c.passes.head.fold import FoldHead
from y10c.passes.int8.choose_precision import EFFORTS, ChoosePrecision, share_behind
from y10c.passes.int8.output_error import output_error
from y10c.passes.int8.sensitivity import measure, telling
from y10c.passes.observe.calibrate import Calibrate
from y10c.passes.pipelines import canonicalization
from y10c.pipeline.manager import run_passes
from y10c.pipeline.target import create_target
from y10c.quant.plan import QuantPlan
from y10c.quant.scheme import QuantScheme
from y10c.rewrite.passes import PassContext


def spearman(a: list[float], b: list[float]) -> float:
    """Correlation of ranks."""
    ranks = [np.argsort(np.argsort(x)) for x in (a, b)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("calibration", type=Path)
    parser.add_argument("--limit", type=int, default=100, help="calibration images")
    parser.add_argument("--images", type=int, default=40, help="images of the reference")
    parser.add_argument("--effort", default="default", choices=EFFORTS)
    parser.add_argument("--scheme", default="target", choices=("target", "symmetric"))
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    graph = load(args.model)
    feeds = open_feeds({v.name: v.tensor_type for v in graph.inputs}, args.calibration).limited(args.limit)
    scheme = create_target("j6").scheme()
    scheme = scheme.without_zero_points() if args.scheme == "symmetric" else scheme
    context = PassContext(tables={QuantScheme: scheme, Feeds: feeds})
    run_passes(graph, [*canonicalization(), FoldHead("raw"), Calibrate()], context)
    plan: QuantPlan = context.tables[QuantPlan]
    trials = ChoosePrecision().trials(context)
    model = graph.to_onnx()
    error = output_error(plan.exits, context.tables[HeadInfo])

    begun = time.process_time()
    effort = EFFORTS[args.effort]
    some = telling(model, context, error, effort.looked, effort.most)
    macs = macs_of(graph)
    samples = [effort.samples(share_behind(plan, trial.tag, macs)) for trial in trials]
    short = measure(model, trials, some, error, samples)
    product = time.process_time() - begun

    begun = time.process_time()
    for _ in mapped(model, feeds.limited(args.images), error.names, lambda index, arrays: None):
        pass
    float_pass = time.process_time() - begun

    begun = time.process_time()
    many = feeds.limited(args.images)
    long = measure(model, trials, many, error)
    reference = time.process_time() - begun

    names = [trial.tag for trial in trials]
    found: dict[str, Any] = {
        "tensors": len(trials),
        "spearman": spearman([short[n] for n in names], [long[n] for n in names]),
        "images of the product, a tensor": [min(samples), float(np.mean(samples)), max(samples)],
        "images of the reference": many.count,
        "float passes over the reference's images, product": product / float_pass,
        "float passes, reference": reference / float_pass,
        "float passes, one whole run a tensor": len(trials),
    }
    if args.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:55} {value}")


if __name__ == "__main__":
    main()
