"""`y10c opt`: files and text in and out, the instruments, the validation ladder."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

from y10c import plugins
from y10c.cli.main import main
from y10c.cli.opt import context_of, sample_of
from y10c.errors import UnknownNameError
from y10c.ir.equal import difference
from y10c.ir.textdata import load_text
from y10c.passes.pipelines import canonicalization
from y10c.pipeline.optimize import OptOptions, run_opt
from y10c.pipeline.textual import parse_pipeline
from y10c.pipeline.validate import MeaningChanged
from y10c.rewrite.passes import PassContext

from . import samples

PASSES = "drop-noops,recognize-functions"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "m.onnx"
    onnx.save(samples.chain("nssr").to_onnx(), path)
    return path


def test_onnx_to_text_and_back_computes_the_same(model: Path, tmp_path: Path) -> None:
    text, back = tmp_path / "m.y10c", tmp_path / "back.onnx"
    assert main(["opt", str(model), "-o", str(text)]) == 0
    assert main(["opt", str(text), "-p", "erase-dead", "-o", str(back)]) == 0
    assert [op.name for op in load_text(text).ops].count("y10c.SiLU") == 2
    direct = tmp_path / "direct.onnx"
    assert main(["opt", str(model), "-o", str(direct)]) == 0
    assert onnx.load(back).graph.node == onnx.load(direct).graph.node


def test_without_output_stdout_is_the_text_alone(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["opt", str(model), "-p", "fold-bn", "--time-passes", "--print-ir-after-all"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("model {")
    assert "# after fold-bn" in err
    assert "verifying" in err


def test_after_change_is_silent_where_nothing_changed(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["opt", str(model), "-p", "fold-bn,drop-noops", "--print-ir-after-change"]) == 0
    err = capsys.readouterr().err
    assert "# after fold-bn: no change" in err
    assert "# after drop-noops\n" in err


def test_json_tells_every_pass_and_rule(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["opt", str(model), "-p", PASSES, "--validate", "L4", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["pipeline"] == PASSES
    assert told["passes"][1]["rules"] == {"recognize-silu": 2}
    assert told["validation"]["rewrites"] == 3
    assert told["validation"]["passes"] == 2


def test_the_limit_counts_rewrites(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["opt", str(model), "-p", PASSES, "--rewrite-limit", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [p["rewrites"] for p in told["passes"]] == [1, 1]


def test_list_passes_names_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["opt", "--list-passes", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["passes"]
    assert {p["name"] for p in listed} == set(plugins.names("y10c.passes"))
    assert all(p["doc"] for p in listed)


@pytest.mark.parametrize("arguments", [["-p", "fold-bm"], ["--validate", "L7"], ["-p", "cse{a=1}"]])
def test_wrong_usage_is_exit_code_2(model: Path, arguments: list[str]) -> None:
    assert main(["opt", str(model), *arguments]) == 2


@pytest.mark.parametrize(("level", "said"), [(1, "the interface changed")])
def test_a_renamed_input_is_caught_by_the_interface(level: int, said: str) -> None:
    graph = samples.chain("r")
    run_opt(samples.chain("r"), [samples.Renaming()], PassContext(), OptOptions())
    with pytest.raises(MeaningChanged, match=said):
        run_opt(graph, [samples.Renaming()], PassContext(), OptOptions(validate=level))


def test_a_wrong_rule_is_caught_at_its_rewrite_with_what_stood_around_it() -> None:
    run_opt(samples.chain("ns"), [samples.Wrong()], PassContext(), OptOptions(validate=1))
    with pytest.raises(MeaningChanged) as caught:
        run_opt(samples.chain("ns"), [samples.Wrong()], PassContext(), OptOptions(validate=2))
    assert "rule wrong-silu" in (caught.value.where or "")
    assert "Sigmoid" in caught.value.message


def test_right_rules_pass_every_level() -> None:
    result = run_opt(samples.chain("nsnsrt"), canonicalization(), PassContext(), OptOptions(validate=4))
    assert result.validation.rewrites >= 4
    assert result.validation.skipped == 0
    assert result.validation.most_steps[0] < 0.001


def test_text_files_come_back_equal(tmp_path: Path) -> None:
    from y10c.pipeline.optimize import read_graph, write_graph

    graph = samples.chain("ns")
    assert difference(graph, read_graph(write_graph(graph, tmp_path / "g.y10c"))) is None


def test_passes_that_quantize_are_reported_and_not_refused() -> None:
    graph = samples.convolution()
    context = context_of(graph, "ort", None, None)
    passes = parse_pipeline("calibrate,quantize-activations,quantize-weights")
    result = run_opt(graph, passes, context, OptOptions(validate=4, feeds=sample_of(context)))
    assert result.validation.passes == 3
    assert 20 < result.validation.lowest_sqnr[0] < 60
    assert result.validation.most_steps[0] > 0.01


def test_a_target_makes_a_graph_legal_by_name() -> None:
    (made,) = parse_pipeline("legalize{march=nash-e}")
    assert str(made) == "legalize{march=nash-e}"
    result = run_opt(samples.chain("sr"), [made], PassContext(), OptOptions(validate=3))
    assert result.validation.passes == 1
    with pytest.raises(UnknownNameError, match="unknown march"):
        run_opt(samples.chain("r"), parse_pipeline("legalize{march=nash-q}"), PassContext(), OptOptions())
