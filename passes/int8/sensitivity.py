"""What quantizing one tensor alone does to the outputs.

The float network runs once a sample; for each tensor only what lies behind it runs again, on the few samples
that tell most, and tensors with little behind them see more of those. So all tensors together cost about as
much as two passes over a hundred images; one run a node over the same images would cost forty times that.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from y10c import progress
from y10c.calib.collect import mapped
from y10c.calib.feeds import Feeds
from y10c.ir.types import QuantParams
from y10c.passes.int8.output_error import OutputError
from y10c.rewrite.passes import PassContext

Arrays = dict[str, NDArray[Any]]

MEMORY = 450 << 20
"""Bytes of float tensors that are kept at a time: 4 samples of YOLOv10n, as each batch makes every session
anew."""


@dataclass(frozen=True)
class Trial:
    """Tensors to quantize together, and how.

    Args:
        tensors: Names, with the grid of each: bits and parameters of signed integers.
        tag: What the caller knows it by.
    """

    tensors: Mapping[str, tuple[int, QuantParams]]
    tag: Any


@dataclass(frozen=True)
class Effort:
    """How many samples the measurement takes.

    Args:
        looked: Samples that are looked at.
        least: Samples that every tensor is measured on, those that tell most.
        most: Samples that a tensor with little behind it is measured on.
        passes: Work that a tensor may cost between the two, in passes of the whole network.
    """

    looked: int
    least: int
    most: int
    passes: float

    def samples(self, share: float) -> int:
        """Samples for a tensor with this share of the network's work behind it."""
        return int(np.clip(round(self.passes / max(share, 1e-3)), self.least, self.most))


def measure(
    model: onnx.ModelProto,
    trials: Sequence[Trial],
    feeds: Feeds,
    error: OutputError,
    samples: Sequence[int] | None = None,
) -> dict[Any, float]:
    """The error of each trial, `OutputError.gain` of the mean over samples, by its tag.

    Args:
        model: The float model.
        trials: What to quantize.
        feeds: The samples, those that tell most first.
        error: What to measure.
        samples: How many of them each trial takes; all where None.
    """
    counts = samples if samples is not None else [feeds.count] * len(trials)
    suffixes = [Suffix.behind(model, list(t.tensors), error.names) for t in trials]
    wanted = _uses(suffixes, counts, error.names, feeds.count)
    sums: dict[Any, NDArray[np.float64]] = {}
    done = 0
    with progress.counter("measuring sensitivity") as report:
        for kept in _batches(model, wanted, feeds):
            jobs = [
                (suffix, trial, kept[: count - done])
                for suffix, trial, count in zip(suffixes, trials, counts, strict=True)
                if count > done
            ]
            for (_, trial, _), parts in zip(jobs, _run_all(jobs, error), strict=True):
                sums[trial.tag] = sums.get(trial.tag, np.zeros(parts.shape[1])) + parts.sum(axis=0)
            done += len(kept)
            report(done, feeds.count)
    pairs = zip(trials, counts, strict=True)
    return {t.tag: error.gain(sums[t.tag] / min(n, done)) for t, n in pairs if t.tag in sums}


@dataclass(frozen=True)
class Telling:
    """Samples in the order of how much they tell.

    Args:
        looked: How many were looked at.
        feeds: All of them, those that tell most first.
    """

    looked: int
    feeds: Feeds


def telling(
    model: onnx.ModelProto, context: PassContext, error: OutputError, looked: int, kept: int
) -> Feeds:
    """The samples that tell most of some spread evenly over the data, those that tell most first.

    Args:
        model: The float model.
        context: With the data; remembers the order for the next that asks.
        error: What is measured, which says how much a sample tells.
        looked: Samples looked at.
        kept: Samples kept.
    """
    known: Telling | None = context.tables.get(Telling)
    if known is None or known.looked != looked:
        some: Feeds = context.tables[Feeds].limited(looked)
        weights = mapped(model, some, error.names, lambda index, arrays: (-error.weight(arrays), index))
        known = Telling(looked, some.picked([index for _, index in sorted(weights)]))
        context.tables[Telling] = known
    return known.feeds.picked(range(min(kept, known.feeds.count)))


@dataclass(frozen=True)
class Suffix:
    """The part of a model behind some tensors.

    Args:
        model: Serialized.
        inputs: What it reads: the tensors, and what else of the whole model it needs.
        outputs: The outputs that depend on the tensors.
    """

    model: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @classmethod
    def behind(cls, model: onnx.ModelProto, tensors: Sequence[str], outputs: Sequence[str]) -> Suffix:
        """Cut a model at tensors."""
        graph = model.graph
        reached, nodes = set(tensors), []
        for node in graph.node:
            if not set(node.output) & set(tensors) and reached & set(_reads(node)):
                reached.update(node.output)
                nodes.append(node)
        ends = tuple(name for name in outputs if name in reached)
        nodes = _needed(nodes, ends)
        made = {name for node in nodes for name in node.output}
        stored = {one.name for one in graph.initializer}
        read = dict.fromkeys(name for node in nodes for name in _reads(node) if name not in made)
        return cls(
            _cut(model, nodes, read, ends),
            tuple(name for name in read if name not in stored),
            ends,
        )


def _needed(nodes: list[onnx.NodeProto], ends: Iterable[str]) -> list[onnx.NodeProto]:
    wanted, kept = set(ends), []
    for node in reversed(nodes):
        if wanted & set(node.output):
            wanted.update(_reads(node))
            kept.append(node)
    return kept[::-1]


def _reads(node: onnx.NodeProto) -> list[str]:
    inner = [n for a in node.attribute if a.HasField("g") for one in a.g.node for n in one.input]
    return [name for name in (*node.input, *inner) if name]


def _cut(
    model: onnx.ModelProto, nodes: list[onnx.NodeProto], read: Iterable[str], ends: Iterable[str]
) -> bytes:
    part = onnx.ModelProto()
    part.ir_version = model.ir_version
    part.opset_import.extend(model.opset_import)
    part.functions.extend(model.functions)
    part.graph.name = model.graph.name
    part.graph.node.extend(nodes)
    wanted = set(read)
    stored = [one for one in model.graph.initializer if one.name in wanted]
    part.graph.initializer.extend(stored)
    types = _types(model)
    fed = wanted - {one.name for one in stored}
    part.graph.input.extend(_info(name, types) for name in read if name in fed)
    part.graph.output.extend(onnx.ValueInfoProto(name=name) for name in ends)
    return bytes(part.SerializeToString())


def _types(model: onnx.ModelProto) -> dict[str, onnx.TypeProto]:
    graph = model.graph
    return {one.name: one.type for one in (*graph.input, *graph.output, *graph.value_info)}


def _info(name: str, types: Mapping[str, onnx.TypeProto]) -> onnx.ValueInfoProto:
    if name in types:
        return onnx.ValueInfoProto(name=name, type=types[name])
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)


def _uses(
    suffixes: Sequence[Suffix], counts: Sequence[int], ends: Sequence[str], whole: int
) -> dict[str, int]:
    """How many of the first samples each tensor is needed of."""
    found = dict.fromkeys(ends, whole)
    for suffix, count in zip(suffixes, counts, strict=True):
        found |= {name: max(count, found.get(name, 0)) for name in suffix.inputs}
    return found


def _batches(model: onnx.ModelProto, wanted: Mapping[str, int], feeds: Feeds) -> Iterable[list[Arrays]]:
    """The float tensors of the samples, as many at a time as memory allows.

    Args:
        model: The float model.
        wanted: Of how many of the first samples each tensor is kept.
        feeds: The samples.
    """
    kept: list[Arrays] = []
    size = 0
    copies = mapped(
        model,
        feeds,
        list(wanted),
        lambda index, arrays: {name: a.copy() for name, a in arrays.items() if index < wanted[name]},
        threads=1,
    )
    for arrays in copies:
        more = sum(a.nbytes for a in arrays.values())
        if kept and size + more > MEMORY:
            yield kept
            kept, size = [], 0
        kept.append(arrays)
        size += more
    if kept:
        yield kept


def _run_all(
    jobs: Sequence[tuple[Suffix, Trial, Sequence[Arrays]]], error: OutputError
) -> list[NDArray[np.float64]]:
    """The parts of the error by job, `[samples, parts]` each."""
    with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="y10c-trial") as pool:
        return list(pool.map(lambda job: _run(job[0], job[1], job[2], error), jobs))


def _run(suffix: Suffix, trial: Trial, kept: Sequence[Arrays], error: OutputError) -> NDArray[np.float64]:
    if not suffix.outputs:
        return np.array([error.measure(arrays, arrays) for arrays in kept])
    from y10c.calib.session import ExposedSession

    session = ExposedSession(suffix.model, suffix.outputs)
    found = []
    for arrays in kept:
        fed = {name: arrays[name] for name in suffix.inputs}
        fed |= {name: fake_quantized(arrays[name], *grid) for name, grid in trial.tensors.items()}
        found.append(error.measure(arrays, {**arrays, **session.run(fed)}))
    return np.array(found)


def fake_quantized(x: NDArray[Any], bits: int, params: QuantParams) -> NDArray[np.float32]:
    """`dequantize(quantize(x))` in float32, per tensor and for signed integers."""
    scale, zero = np.float32(params.scale[0]), np.float32(params.zero_point[0])
    least, greatest = -float(1 << (bits - 1)) - zero, float((1 << (bits - 1)) - 1) - zero
    steps = np.rint(x / scale)
    np.clip(steps, least, greatest, out=steps)
    steps *= scale
    return np.asarray(steps, np.float32)
