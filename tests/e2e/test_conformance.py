"""Of ONNX's own conformance cases, those that onnxruntime passes still pass after import, text and export."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

LEAST_JUDGED = 1600


def _script() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "conformance.py"
    spec = importlib.util.spec_from_file_location("conformance", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["conformance"] = module
    spec.loader.exec_module(module)
    return module


conformance = _script()
ON_DISK = conformance.cases(["simple", "pytorch-converted", "pytorch-operator"])


@pytest.mark.parametrize("case", ON_DISK, ids=lambda case: case.name)
def test_a_case_that_lies_on_disk_passes_through_text(case: Any) -> None:
    verdict = conformance.judge(case)
    if verdict.excluded:
        pytest.skip(verdict.excluded)
    assert not verdict.failure


@pytest.mark.slow  # generating and running 1900 node cases takes half a minute
def test_every_case_that_onnxruntime_passes_still_passes_through_text() -> None:
    table = conformance.table([conformance.judge(case) for case in conformance.cases()])
    assert table["failures"] == {}
    assert table["judged"] >= LEAST_JUDGED
