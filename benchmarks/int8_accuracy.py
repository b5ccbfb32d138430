"""How far INT8 stays from float: the bars, each technique on and off, onnxruntime's quantizer beside them.

Detectors are judged by agreement of detections (AP50-95 against the float model's detections above 0.25, for
detections above 0.25 and above 0.001), everything else by the signal to noise of its outputs in dB. All rows
of one run see the same calibration and evaluation images. Nothing is chosen here: settings are the product's
defaults, but for the one thing that a row's name says.

    python benchmarks/int8_accuracy.py MODEL.onnx CALIBRATION EVALUATION [EVALUATION ...]
        [--limit 100 20] [--rows bars ablation onnxruntime] [--images 0] [--shape NAME=1x3x640x640]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import y10c
from y10c.calib.collect import mapped
from y10c.calib.dataset import Dataset, open_dataset
from y10c.cli.compile import parse_shape
from y10c.comparison.agreement import SCORES, agreement
from y10c.detect.decode import decode_rows
from y10c.pipeline.result import Result
from y10c.quant.options import QuantOptions

BARS = {
    "all INT8, symmetric": QuantOptions(scheme="symmetric", mixed="off"),
    "all INT8, asymmetric": QuantOptions(mixed="off"),
    "mixed, at most 10 % of MACs": QuantOptions(),
}
"""The three settings of the product that have a bar."""

ABLATION = {
    "symmetric, no absorbed shift": QuantOptions(scheme="symmetric", mixed="off", absorb_shift=False),
    "symmetric mixed": QuantOptions(scheme="symmetric"),
    "asymmetric, no 16-bit edges": QuantOptions(mixed="off", wide_edges=False),
    "asymmetric, min-max": QuantOptions(mixed="off", method="min-max"),
    "asymmetric, mse": QuantOptions(mixed="off", method="mse"),
    "asymmetric, percentile 99.99": QuantOptions(mixed="off", method="percentile"),
    "asymmetric, weights to nearest": QuantOptions(mixed="off", rounding=False),
    "asymmetric, weights clipped": QuantOptions(mixed="off", weight_clip=True),
    "asymmetric, biases corrected": QuantOptions(mixed="off", bias_correction=True),
    "asymmetric, equalized": QuantOptions(mixed="off", equalize=True),
    "asymmetric, smoothed": QuantOptions(mixed="off", smooth=True),
    "mixed, weights to nearest": QuantOptions(rounding=False),
}
"""Each technique on its own, against the bar of its kind."""

ORT = {"onnxruntime, symmetric": True, "onnxruntime, asymmetric": False}
"""onnxruntime's static quantizer, weights per channel, decode tail float, MinMax: symmetric activations?"""


@dataclass(frozen=True)
class Row:
    """A setting and what came of it: by folder, the figures by name."""

    name: str
    images: int
    figures: dict[str, dict[str, float]]
    seconds: float
    int16_macs: float = 0.0


class Judge:
    """Measures models against the float one on folders of images."""

    def __init__(self, folders: Sequence[Path], count: int, reference: onnx.ModelProto) -> None:
        shape = [d.dim_value for d in reference.graph.input[0].type.tensor_type.shape.dim]
        self.data = {folder.name: open_dataset(folder, input_shape=shape) for folder in folders}
        self.data = {n: d.limited(count) if count else d for n, d in self.data.items()}
        self.detector = [d.dim_value for d in reference.graph.output[0].type.tensor_type.shape.dim][2:] == [6]
        self.expected = {name: outputs(reference, data) for name, data in self.data.items()}

    def figures(self, model: onnx.ModelProto) -> dict[str, dict[str, float]]:
        """By folder."""
        return {name: self._one(model, name) for name, data in self.data.items()}

    def _one(self, model: onnx.ModelProto, folder: str) -> dict[str, float]:
        found, expected = outputs(model, self.data[folder]), self.expected[folder]
        if not self.detector:
            return {"SQNR dB, mean of samples": float(np.mean([*map(sqnr, expected, found)]))} | {
                "SQNR dB, summed over samples": summed_sqnr(expected, found)
            }
        truth, judged = ([decode_rows(one[0], score=0.0) for one in runs] for runs in (expected, found))
        measured = {score: agreement(truth, judged, score) for score in SCORES}
        return {f"> {score:g}": one.ap for score, one in measured.items() if one is not None}


def outputs(model: onnx.ModelProto, data: Dataset) -> list[list[NDArray[Any]]]:
    """The outputs of a model on each sample, Q/DQ computed as written."""
    names = [one.name for one in model.graph.output]
    return list(mapped(model, data, names, lambda _, arrays: [arrays[name].copy() for name in names]))


def sqnr(expected: list[NDArray[Any]], found: list[NDArray[Any]]) -> float:
    """Mean over outputs of signal over noise in dB."""
    return float(np.mean([decibels(*powers(e, f)) for e, f in zip(expected, found, strict=True)]))


def summed_sqnr(expected: list[list[NDArray[Any]]], found: list[list[NDArray[Any]]]) -> float:
    """The same of signal and noise summed over samples first, as a silent sample has no dB worth a mean."""
    each = [[powers(*pair) for pair in zip(e, f, strict=True)] for e, f in zip(expected, found, strict=True)]
    return float(np.mean([decibels(*total) for total in np.sum(each, axis=0)]))


def powers(expected: NDArray[Any], found: NDArray[Any]) -> tuple[float, float]:
    """Of the signal and of the noise."""
    noise = np.square(found.astype(np.float64) - expected).sum()
    return float(np.square(expected, dtype=np.float64).sum()), float(noise)


def decibels(signal: float, noise: float) -> float:
    """Of a ratio of powers."""
    return float(10 * np.log10(max(signal, 1e-300) / max(noise, 1e-30)))


def onnxruntimes(result: Result, calibration: Path, limit: int, symmetric: bool) -> onnx.ModelProto:
    """What onnxruntime's quantizer makes of the optimized float model."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    model = result.models["optimized"]
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    data = open_dataset(calibration, input_shape=shape, limit=limit)
    tail = tail_of(model, {o.name for o in result.outputs})
    kind = QuantType.QInt8 if symmetric else QuantType.QUInt8
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save(named(model), source)
        quantize_static(
            source,
            target,
            Reader(model.graph.input[0].name, data),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=kind,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=tail,
            extra_options={"ActivationSymmetric": symmetric},
        )
        quantized: onnx.ModelProto = onnx.load(target)
        return quantized


class Reader:
    """Feeds onnxruntime's calibrator."""

    def __init__(self, name: str, data: Dataset) -> None:
        self.name, self.data = name, data
        self.samples = data.samples()

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """The next sample; None after the last."""
        sample = next(self.samples, None)
        return None if sample is None else {self.name: sample.array}


def named(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy in which every node has a name, as onnxruntime excludes nodes by name."""
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    for k, node in enumerate(copy.graph.node):
        node.name = node.name or f"node_{k}"
    return copy


def tail_of(model: onnx.ModelProto, exits: set[str]) -> list[str]:
    """Names of the nodes behind the network's last ops, as y10c leaves them float too."""
    copy = named(model)
    ends = {o for n in copy.graph.node if n.name in exits or exits & set(n.output) for o in n.output}
    tail = []
    for node in copy.graph.node:
        if ends & set(node.input):
            ends.update(node.output)
            tail.append(node.name)
    return tail


class Run:
    """All rows over one model and its folders.

    Args:
        args: The command line.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.judge: Judge | None = None

    def rows(self) -> Iterator[Row]:
        """Every setting with every number of calibration images."""
        for limit in self.args.limit:
            for name, quant in self.settings().items():
                begun = time.perf_counter()
                result = self.compiled(quant, limit)
                share = result.precision.share if result.precision is not None else 0.0
                yield self.judged(name, limit, result, result.model, begun, share)
            if "onnxruntime" in self.args.rows:
                result = self.compiled(QuantOptions(mixed="off", rounding=False), limit)
                for name, symmetric in ORT.items():
                    begun = time.perf_counter()
                    model = onnxruntimes(result, self.args.calibration, limit, symmetric)
                    yield self.judged(name, limit, result, model, begun, 0.0)

    def settings(self) -> dict[str, QuantOptions]:
        """The product's rows that are asked for."""
        groups = {"bars": BARS, "ablation": ABLATION}
        found = {n: q for group, each in groups.items() if group in self.args.rows for n, q in each.items()}
        return {n: q for n, q in found.items() if not self.args.only or any(o in n for o in self.args.only)}

    def compiled(self, quant: QuantOptions, limit: int) -> Result:
        """The product with some options."""
        return y10c.compile(
            self.args.model,
            "j6",
            calibration=self.args.calibration,
            head=self.args.head,
            shapes=dict(map(parse_shape, self.args.shape or [])),
            limit=limit,
            quant=quant,
        )

    def judged(
        self, name: str, limit: int, result: Result, model: onnx.ModelProto, begun: float, share: float
    ) -> Row:
        """A row; the first float model is the reference of all."""
        seconds = time.perf_counter() - begun
        if self.judge is None:
            self.judge = Judge(self.args.evaluation, self.args.images, result.models["optimized"])
        return Row(name, limit, self.judge.figures(model), seconds, share)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("calibration", type=Path)
    parser.add_argument("evaluation", type=Path, nargs="+")
    parser.add_argument("--limit", type=int, nargs="+", default=[100, 20], help="calibration images")
    parser.add_argument("--rows", nargs="+", default=["bars", "ablation", "onnxruntime"])
    parser.add_argument("--only", nargs="*", help="rows whose name holds one of these")
    parser.add_argument("--images", type=int, default=0, help="evaluation images of a folder; 0 takes all")
    parser.add_argument("--shape", action="append")
    parser.add_argument("--head", default="e2e")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    console = Console(width=140)
    found = []
    for row in Run(args).rows():
        found.append(row)
        console.print(row.name, row.images, row.figures, f"{row.seconds:.0f} s", f"{row.int16_macs:.2%}")
        if args.json is not None:
            args.json.write_text(json.dumps([vars(r) for r in found], indent=1) + "\n")
    console.print(drawn(found))


def drawn(found: Sequence[Row]) -> Table:
    """All rows as a table."""
    folders = list(found[0].figures)
    table = Table("setting", "images", *folders, "16-bit MACs", "seconds")
    for row in found:
        cells = [" / ".join(f"{v:.4f}" for v in row.figures[name].values()) for name in folders]
        table.add_row(row.name, str(row.images), *cells, f"{row.int16_macs:.1%}", f"{row.seconds:.0f}")
    return table


if __name__ == "__main__":
    main()
