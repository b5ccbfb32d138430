"""What NV12 costs: detections of the runtime form fed with NV12 beside the quantized model fed with RGB.

Run `python benchmarks/deploy.py BUILD IMAGES`, where BUILD holds `*_ptq_model.onnx` and
`*_deploy_model.onnx` of a detector that `y10c compile -c config.yaml` wrote for nv12. Three things are
measured on each picture: how far the input tensor moves, as a share of what chroma subsampling and rounding
allow; whether the runtime form equals the same conversion on the host; and whether detections stay.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from PIL import Image

from y10c.calib.color import nv12_to_rgb, rgb_to_nv12, subsampling_bound
from y10c.calib.preprocess import Preprocess
from y10c.calib.session import ExposedSession
from y10c.calib.sources import IMAGE_SUFFIXES
from y10c.comparison.agreement import agreement, changes
from y10c.detect.decode import Detections, decode
from y10c.detect.head_info import METADATA_KEY, HeadInfo

THREADS = 1


@dataclass
class Model:
    """A stage file that runs."""

    session: ExposedSession
    head: HeadInfo
    outputs: list[str]
    network_input: str

    @classmethod
    def open(cls, path: Path) -> Model:
        """Open a stage file; the tensor that the network reads is shown too."""
        model = onnx.load(path)
        told = {entry.key: entry.value for entry in model.metadata_props}
        constants = {one.name for one in model.graph.initializer}
        read = next(
            node.input[0]
            for node in model.graph.node
            if node.op_type == "QuantizeLinear" and node.input[0] not in constants
        )
        outputs = [one.name for one in model.graph.output]
        session = ExposedSession(model, [*outputs, read], threads=THREADS)
        return cls(session, HeadInfo.from_json(told[METADATA_KEY]), outputs, read)

    def run(self, feeds: dict[str, Any]) -> tuple[Any, dict[str, Any], Detections]:
        """What the network reads, the outputs in real units, and the detections."""
        found = self.session.run(feeds)
        outputs = {name: found[name].copy() for name in self.outputs}
        scales = self.head.scales or {}
        real = {name: a * np.asarray(scales[name]) if name in scales else a for name, a in outputs.items()}
        return found[self.network_input].copy(), real, decode(outputs, self.head, score=0.001)


def measure(build: Path, images: Path, count: int) -> dict[str, Any]:
    """The figures over some pictures, spread evenly over the folder."""
    quantized, deployed = (Model.open(next(build.glob(f"*_{kind}_model.onnx"))) for kind in ("ptq", "deploy"))
    files = sorted(p for p in images.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
    picked = [files[i] for i in np.linspace(0, len(files) - 1, min(count, len(files))).round().astype(int)]
    rows = [_picture(quantized, deployed, path) for path in picked]
    pairs = [(row.pop("rgb"), row.pop("nv12")) for row in rows]
    reference, candidate = zip(*pairs, strict=True)
    each = [changes(*pair) for pair in pairs]
    return {
        "pictures": len(rows),
        "input": {
            "mean_levels": float(np.mean([row["mean_levels"] for row in rows])),
            "largest_levels": float(max(row["largest_levels"] for row in rows)),
            "largest_share_of_bound": float(max(row["share_of_bound"] for row in rows)),
        },
        "graph_against_host": {
            "largest_input_levels": float(max(row["host_levels"] for row in rows)),
            "least_output_cosine": float(min(row["host_cosine"] for row in rows)),
        },
        "kept": sum(one.kept for one in each),
        "lost": sum(one.lost for one in each),
        "new": sum(one.new for one in each),
        "agreement": [asdict(found) for s in (0.25, 0.001) if (found := agreement(reference, candidate, s))],
    }


def _picture(quantized: Model, deployed: Model, path: Path) -> dict[str, Any]:
    shape = (1, 3, *quantized.head.input_size)
    preprocess = Preprocess()
    with Image.open(path) as image:
        canvas = preprocess.canvas(image, shape)
    name = quantized.session.input_names[0]
    y, uv = rgb_to_nv12(canvas)
    host = np.ascontiguousarray(nv12_to_rgb(y, uv).transpose(2, 0, 1)[None] / 255, np.float32)
    fed, _, rgb = quantized.run({name: preprocess.tensor(canvas, shape, np.dtype(np.float32))})
    on_host, host_outputs, _ = quantized.run({name: host})
    in_graph, outputs, nv12 = deployed.run({f"{name}_y": y, f"{name}_uv": uv})
    moved = 255 * np.abs(in_graph.astype(np.float64) - fed)[0].transpose(1, 2, 0)
    return {
        "rgb": rgb,
        "nv12": nv12,
        "mean_levels": moved.mean(),
        "largest_levels": moved.max(),
        "share_of_bound": (moved / subsampling_bound(canvas)).max(),
        "host_levels": 255 * np.abs(in_graph - on_host).max(),
        "host_cosine": min(_cosine(outputs[n], host_outputs[n]) for n in outputs),
    }


def _cosine(a: Any, b: Any) -> float:
    a, b = a.ravel().astype(np.float64), b.ravel().astype(np.float64)
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("-n", "--count", type=int, default=20)
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.build, arguments.images, arguments.count), indent=1))


if __name__ == "__main__":
    main()
