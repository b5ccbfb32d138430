"""Random models through the whole pipeline: canonicalization keeps them, both targets compile them."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import y10c
from y10c.ops.reference import evaluate
from y10c.ops.sample import NoInstance
from y10c.passes.pipelines import canonicalization
from y10c.pipeline.manager import run_passes
from y10c.rewrite.passes import PassContext
from y10c.testing import Case, assert_equivalent
from y10c.testing.draw import RandomDraw
from y10c.testing.random_models import draw_model

NETWORK = (
    "Conv",
    "Relu",
    "Add",
    "Mul",
    "Sigmoid",
    "BatchNormalization",
    "Concat",
    "MaxPool",
    "Transpose",
    "Split",
)
"""Ops of which small networks are made that a chip takes."""


def drawn(seed: int, **options: object) -> Case:
    for attempt in range(20):
        try:
            return draw_model(RandomDraw(1000 * seed + attempt), **options)  # type: ignore[arg-type]
        except NoInstance:
            continue
    raise AssertionError("no model in twenty draws")


@pytest.mark.parametrize("seed", range(12))
def test_canonicalization_keeps_the_meaning_of_a_random_model(seed: int) -> None:
    case = drawn(seed, max_ops=10)
    after = case.graph.clone()
    run_passes(after, canonicalization(), PassContext())
    assert_equivalent(case.graph, after, case.feeds)


@pytest.mark.parametrize("target", ["j6", "ort"])
@pytest.mark.parametrize("seed", range(3))
def test_a_random_network_compiles_and_every_stage_runs(target: str, seed: int) -> None:
    case = drawn(seed, names=NETWORK, max_ops=5)
    compiled(case, target)


@pytest.mark.slow  # forty compilations
@pytest.mark.parametrize("target", ["j6", "ort"])
def test_many_random_networks_compile(target: str) -> None:
    for seed in range(100, 120):
        compiled(drawn(seed, names=NETWORK, max_ops=8), target)


def compiled(case: Case, target: str) -> None:
    """Compile with generated data."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = y10c.compile(case.graph.to_onnx(), target, output=folder, prefix="net", head="keep")
        for path in result.files.values():
            if path.suffix == ".onnx":
                runs(path, case)


def fed(wanted: onnxruntime.NodeArg, case: Case) -> np.ndarray:
    """The case's own data, or gray where the runtime form takes the pixels that an input is made of."""
    if wanted.name in case.feeds:
        return case.feeds[wanted.name]
    assert wanted.type == "tensor(uint8)", wanted.name
    return np.full(wanted.shape, 128, np.uint8)


def runs(path: Path, case: Case) -> None:
    onnx.checker.check_model(str(path), full_check=True)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = session.run(None, {i.name: fed(i, case) for i in session.get_inputs()})
    expected = evaluate(case.graph, case.feeds)
    assert [a.shape for a in found] == [a.shape for a in expected.values()]
    assert all(np.isfinite(a).all() for a in found)
