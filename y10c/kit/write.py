"""Write a kit."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from y10c import __version__, atomic, progress
from y10c.backend.exporter import save_model
from y10c.calib.collect import run_outputs
from y10c.calib.feeds import Feeds
from y10c.config.settings import Config, InputConfig
from y10c.config.template import render
from y10c.detect.head_info import HeadInfo
from y10c.errors import InternalError, UsageError
from y10c.frontend.importer import load
from y10c.ir.value import Op
from y10c.kit.floats import Activations, activations, float_model, weight_grids
from y10c.kit.settings import data_folder, kit_values
from y10c.pipeline.config import deploy_plan
from y10c.pipeline.nodes import SAMPLES
from y10c.pipeline.result import Result

NOT_RUN = (
    "The closed part of the toolchain was NOT run by y10c. Nothing here is a claim about the .hbm that comes "
    "of it: neither its accuracy nor its speed."
)

TOLERANCE = 1e-4
"""Of outputs, as a share of the greatest, without the rounding of weights."""

NOTE = f"Written by y10c {__version__} for hb_compile. {NOT_RUN}\nRun it from the folder of this file."


@dataclass(frozen=True)
class Kit:
    """What a kit holds.

    Args:
        files: By kind.
        unsaid: Choices of ours that the config cannot express, one sentence each.
    """

    files: dict[str, Path]
    unsaid: tuple[str, ...]


def write_kit(result: Result, output: Path, prefix: str, config: Config | None = None) -> Kit:
    """Write the kit of a compilation.

    Args:
        result: Of a compilation up to the last stage, on real calibration data.
        output: The kit's folder.
        prefix: Of its files.
        config: The user's config, if there was one.

    Raises:
        UsageError: The compilation stopped early, ran on generated data, or its chip is none of the
            toolchain's.
        OutputError: The folder cannot be written.
    """
    require_kit("ptq" in result.models, not result.synthetic)
    optimized, quantized = result.models["optimized"], result.models["ptq"]
    graph = load(optimized)
    plan = deploy_plan(config, graph)
    names = [value.name for value in graph.inputs]
    inputs = [plan.inputs.get(name) or _as_it_is(name) for name in names]
    said = activations(quantized)
    raw = result.head if result.head is not None and result.head.mode == "raw" else None
    boxes = _box_convolutions(list(graph.ops), raw, graph.outputs)
    nodes = {op.location for op in graph.ops}
    values = kit_values(result.march, prefix, inputs, said.wide, boxes, config, nodes)
    unsaid = _unsaid(said, result)
    difference = _difference(result)
    with atomic.folder(output) as folder:
        files = {"float": save_model(float_model(quantized, optimized), folder / f"{prefix}_float.onnx")}
        files["config"] = folder / "config.yaml"
        files["config"].write_text(render(values, NOTE), encoding="utf-8")
        _write_data(result.feeds, folder, len(names))
        if raw is not None:
            files |= _write_postprocess(raw, folder)
        files["expected"] = folder / "expected.json"
        files["expected"].write_text(_expected(result, difference), encoding="utf-8")
        files["readme"] = folder / "README.md"
        files["readme"].write_text(_readme(result, prefix, said, unsaid, raw), encoding="utf-8")
    return Kit({kind: output / path.name for kind, path in files.items()}, unsaid)


def require_kit(whole: bool, real: bool) -> None:
    """Whether a compilation can make a kit.

    Args:
        whole: It runs to the last stage.
        real: It calibrates on given data.

    Raises:
        UsageError: It cannot.
    """
    if not whole:
        raise UsageError("a kit needs the whole compilation", help="leave out --stop-after")
    if not real:
        raise UsageError(
            "a kit of generated images would hand over ranges and weights that mean nothing",
            help="pass --calibration DIR, or cal_data_dir in the config",
        )


def _difference(result: Result) -> float:
    """How far the kit's float model is from the optimized one where it carries the float weights.

    Raises:
        InternalError: Further than `TOLERANCE`.
    """
    optimized = result.models["optimized"]
    stripped = float_model(result.models["calibrated"], optimized)
    feeds = result.feeds.limited(1)
    outputs = [one.name for one in optimized.graph.output]
    ((_, wanted),) = run_outputs(optimized, feeds, outputs)
    ((_, found),) = run_outputs(stripped, feeds, outputs)
    largest = max(float(np.abs(found[n] - wanted[n]).max() / np.abs(wanted[n]).max()) for n in outputs)
    if largest > TOLERANCE:
        raise InternalError(f"the kit's float model is {largest:.1e} away from the optimized one")
    return largest


def _as_it_is(name: str) -> InputConfig:
    return InputConfig(name, "featuremap", "featuremap")


def _box_convolutions(ops: list[Op], head: HeadInfo | None, outputs: Any) -> list[str]:
    """The convolutions of the box outputs, whose Dequantize the public examples remove (S8)."""
    if head is None:
        return []
    names = []
    for value in outputs[1::2]:
        op = value.producer
        while op is not None and op.name != "Conv":
            op = op.operands[0].producer
        names += [op.location] if op is not None and op.location else []
    return names


def _write_data(feeds: Feeds, folder: Path, count: int) -> None:
    for name, data in feeds.items():
        place = folder / data_folder(name, count)
        place.mkdir(parents=True)
        for index, sample in enumerate(progress.track(data.samples(), f"writing {name}", len(data))):
            np.save(place / f"{index:04d}.npy", sample.array, allow_pickle=False)


def _write_postprocess(head: HeadInfo, folder: Path) -> dict[str, Path]:
    files = {"head": folder / "head.json", "postprocess": folder / "postprocess.py"}
    files["head"].write_text(head.to_json() + "\n", encoding="utf-8")
    files["postprocess"].write_bytes(Path(__file__).with_name("postprocess.py").read_bytes())
    return files


def _expected(result: Result, difference: float) -> str:
    content = {
        "about": "cosine of each output of our quantized model with the optimized float model",
        "closed_toolchain_run": False,
        "samples": min(SAMPLES, result.samples),
        "march": result.march,
        "float_model_difference": difference,
        "outputs": [{"name": one.name, "cosine": one.cosine} for one in result.outputs],
    }
    return json.dumps(content, indent=1) + "\n"


def _unsaid(said: Activations, result: Result) -> tuple[str, ...]:
    grids = list(weight_grids(result.models["ptq"]))
    channels, inherited = sum(g.channels for g in grids), sum(g.inherited for g in grids)
    sentences = [
        f"The thresholds of {said.tensors} activations: the toolchain chooses its own from the same data.",
    ]
    if said.shifted:
        sentences.append(
            f"Zero points on {said.shifted} activations: quant_config can only let the toolchain try "
            "asymmetric grids, not ask for them on single tensors."
        )
    if inherited < channels:
        sentences.append(
            f"The step of {channels - inherited} of {channels} weight channels, whose greatest integer is "
            "not 127: the toolchain's own step is finer there, so it rounds those weights once more."
        )
    sentences.append("Which tensors share one scale: the toolchain decides that by itself.")
    return tuple(sentences)


def _readme(
    result: Result, prefix: str, said: Activations, unsaid: tuple[str, ...], head: HeadInfo | None
) -> str:
    lines = [f"# {prefix} for {result.march}", "", NOT_RUN, "", "## Two commands", ""]
    lines += ["In this folder, with the toolchain installed:", "", "```", "hb_compile -c config.yaml"]
    files = f"{prefix}_float.onnx,hb_output/{prefix}_quantized_model.bc"
    lines += [f"hb_verifier -m {files} -i {_verifier_inputs(result)}", "```", ""]
    lines += [
        "The first writes the .hbm into hb_output; the second compares its quantized form with the float "
        "model, output by output, for the table below.",
        "",
        "## What is in it",
        "",
        f"- `{prefix}_float.onnx`: the folded and legalized float model; its weights and biases are those of "
        "our quantized model, dequantized. With the float weights in their place it equals "
        "`*_optimized_float_model.onnx`.",
        f"- `config.yaml`: for hb_compile; {len(said.wide)} nodes are named to run in int16.",
        f"- `calibration/`: {result.samples} samples, normalised as the runtime feeds them.",
        "- `expected.json`: the cosines below.",
    ]
    if head is not None:
        lines.append(
            "- `postprocess.py`, `head.json`: boxes from the raw outputs, with numpy alone. Outputs that "
            "stay int32 need the runtime's own scales, one a channel."
        )
    lines += ["", "## Expected of each output", "", "| output | cosine with the float model |", "|---|---|"]
    lines += [f"| {one.name} | {one.cosine:.6f} |" for one in result.outputs]
    count = min(SAMPLES, result.samples)
    lines += ["", f"Measured on our quantized model with {count} of the calibration samples.", ""]
    lines += ["## What the config cannot say", "", *(f"- {sentence}" for sentence in unsaid), ""]
    return "\n".join(lines)


def _verifier_inputs(result: Result) -> str:
    count = len(result.feeds)
    return " ".join(f"{name}:{data_folder(name, count)}/0000.npy" for name in result.feeds)
