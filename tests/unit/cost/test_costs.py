"""The estimate of a graph on a target, as `y10c cost` asks for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import helper

import y10c
from y10c.backend.exporter import export_model
from y10c.cli.main import main
from y10c.config.load import parse_config
from y10c.errors import UnknownNameError, UsageError
from y10c.ir.graph import Graph
from y10c.ir.layouts import values_with_layout
from y10c.pipeline.costs import estimate_cost
from y10c.pipeline.result import Cost
from y10c.pipeline.target import create_target

node = helper.make_node
Build = Callable[..., Graph]

CONFIG = """model_parameters: {{onnx_model: model.onnx, march: nash-p}}
input_parameters: {{input_type_rt: featuremap, input_type_train: featuremap}}
calibration_parameters: {{calibration_type: skip}}
compiler_parameters: {{core_num: {cores}}}
"""


@pytest.fixture
def graph(graph_of: Build) -> Graph:
    nodes = [
        node("Conv", ["x", "w0"], ["c"], pads=[1, 1, 1, 1]),
        node("Conv", ["c", "w0"], ["y"], pads=[1, 1, 1, 1]),
    ]
    return graph_of(nodes, {"y": [1, 16, 32, 32]})


def cost(graph: Graph, layout: str | None = None, march: str = "nash-e", cores: int = 1) -> Cost:
    found = estimate_cost(graph, create_target("j6", march), "small", layout, cores)
    assert found is not None
    return found


def busy(found: Cost) -> float:
    return found.result.summary.bpu_busy_ms


def test_layouts_are_chosen_unless_the_types_have_some(graph: Graph) -> None:
    auto = busy(cost(graph))
    assert {layer.layout for layer in cost(graph).result.layers} == {"nhwc"}
    asked = busy(cost(graph, "nchw"))
    assert asked > auto
    assert {v.tensor_type.layout.value for v in values_with_layout(graph)} == {"nchw"}
    assert busy(cost(graph)) == asked
    assert busy(cost(graph, "auto")) == auto


def test_a_layout_that_costs_time_is_answered_with_advice(graph: Graph) -> None:
    slow = cost(graph, "nchw").result
    (advice,) = [a for a in slow.advice if "--layout auto" in a.sentence]
    fast = busy(cost(graph, "auto"))
    assert advice.gain_us == pytest.approx((slow.summary.bpu_busy_ms - fast) * 1e3)


def test_more_cores_than_the_chip_has_are_refused(graph: Graph) -> None:
    with pytest.raises(UsageError, match="nash-e cannot run on 2 cores"):
        cost(graph, cores=2)


def test_cores_of_a_chip_that_has_them_are_used(graph: Graph) -> None:
    one, four = (cost(graph, march="nash-p", cores=n) for n in (1, 4))
    assert (one.result.cores, four.result.cores) == (1, 4)
    assert sum(layer.cycles for layer in four.result.layers) < sum(
        layer.cycles for layer in one.result.layers
    )


def test_an_unknown_layout_is_refused(graph: Graph) -> None:
    with pytest.raises(UnknownNameError, match="blocked"):
        cost(graph, "blocked")


def test_shapes_that_depend_on_constants_are_folded(shared: Path) -> None:
    """Paddle's exporters compute the shape of a Reshape in the graph."""
    graph = y10c.load(shared / "models" / "ppocr_cls.onnx", shapes={"x": [1, 3, 48, 192]})
    assert busy(cost(graph)) > 0


def test_the_command_takes_a_layout_and_prints_one_object(
    graph: Graph, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onnx.save(export_model(graph), tmp_path / "small.onnx")
    busy_ms = {}
    for layout in ("nchw", "auto"):
        assert main(["cost", str(tmp_path / "small.onnx"), "--layout", layout, "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        busy_ms[layout] = report["summary"]["bpu_busy_ms"]
        low, high = report["summary"]["bpu_busy_ms_band"]
        assert low < busy_ms[layout] < high
    assert busy_ms["auto"] < busy_ms["nchw"]


def test_the_command_refuses_cores_that_are_not_there(
    graph: Graph, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onnx.save(export_model(graph), tmp_path / "small.onnx")
    assert main(["cost", str(tmp_path / "small.onnx"), "--cores", "3"]) == 2
    assert "it has one" in capsys.readouterr().err


def test_the_estimate_is_of_the_graph_that_is_compiled(graph_of: Build) -> None:
    """Transposes that undo each other would cost two conversions in NCHW, if they were not folded first."""
    nodes = [
        node("Conv", ["x", "w0"], ["c"], pads=[1, 1, 1, 1]),
        node("Identity", ["c"], ["i"]),
        node("Transpose", ["i"], ["t"], perm=[0, 2, 3, 1]),
        node("Transpose", ["t"], ["u"], perm=[0, 3, 1, 2]),
        node("Conv", ["u", "w0"], ["y"], pads=[1, 1, 1, 1]),
    ]
    spelled = cost(graph_of(nodes, {"y": [1, 16, 32, 32]}), "nchw")
    assert [layer.kind for layer in spelled.result.layers] == ["conv", "conv"]


def test_the_cores_of_a_config_work_on_the_estimate(graph: Graph) -> None:
    def cycles(cores: int) -> float:
        config = parse_config(CONFIG.format(cores=cores), "c.yaml")
        result = y10c.compile(export_model(graph), "j6", march="nash-p", config=config)
        assert result.cost is not None
        return sum(layer.cycles for layer in result.cost.result.layers)

    assert cycles(4) < cycles(2) < cycles(1)
