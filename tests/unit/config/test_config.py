"""Reading, origins, remarks, levels of quant_config, and what is generated from the table of keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from y10c import diagnostics
from y10c.config.document import without_comments
from y10c.config.keys import DEPRECATED, GROUPS
from y10c.config.load import parse_config, read_config
from y10c.config.problems import ConfigProblems
from y10c.config.schema import json_schema
from y10c.config.template import reference, render, template
from y10c.errors import ConfigError

ROOT = Path(__file__).parents[3]
VALID = sorted((ROOT / "tests" / "config" / "valid").glob("*.yaml"))

LENIENT = {"layer_dump_words", "quoted_numbers"}

BASE = """model_parameters: {onnx_model: model.onnx, march: nash-e}
input_parameters: {input_type_rt: nv12, input_type_train: rgb, input_layout_train: NCHW}
calibration_parameters:
  cal_data_dir: ./calibration
compiler_parameters: {}
"""


def with_calibration(*lines: str) -> str:
    return BASE.replace("./calibration\n", "./calibration\n" + "".join(f"  {line}\n" for line in lines))


def remarks(text: str) -> list[str]:
    with diagnostics.collect() as found:
        parse_config(text, "c.yaml").findings.warn_remarks()
    return [one.message for one in found]


def test_problems_are_rendered_one_after_the_other_in_the_order_of_the_file() -> None:
    text = BASE.replace("nash-e", "nash-x").replace("NCHW", "NCWH")
    with pytest.raises(ConfigProblems) as caught:
        parse_config(text, "c.yaml")
    lines = caught.value.render().splitlines()
    columns = [text.splitlines()[i].index(word) + 1 for i, word in enumerate(("nash-x", "NCWH"))]
    assert [line for line in lines if "-->" in line] == [
        f"  --> c.yaml:{i}:{column}" for i, column in enumerate(columns, 1)
    ]
    assert "   = help: did you mean 'NCHW'?" in lines
    told = caught.value.as_dict()
    assert told["message"] == "the config has 2 problems"
    assert str(told["help"]).count("\n") == 1


def test_a_help_names_the_alias_of_a_chip() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(BASE.replace("nash-e", "S100P"), "c.yaml")
    assert caught.value.help == "S100P is 'nash-m' here"


def test_origins_are_told() -> None:
    config = parse_config(BASE, "c.yaml", {"model_parameters.march": ("nash-m", "--march")})
    settings = config.settings
    assert (config["model_parameters.march"], settings["model_parameters.march"].origin) == (
        "nash-m",
        "--march",
    )
    assert settings["calibration_parameters.cal_data_dir"].origin == "c.yaml:4:17"
    assert settings["compiler_parameters.jobs"].origin == "default"
    assert config["compiler_parameters.jobs"] == 16


def test_the_command_line_gives_what_a_file_lacks() -> None:
    text = BASE.replace(", march: nash-e", "")
    with pytest.raises(ConfigError, match="the march is missing"):
        parse_config(text, "c.yaml")
    parse_config(text, "c.yaml", {"model_parameters.march": ("nash-e", "--march")})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BASE.replace("march:", "log_level: 1, march:"), "log_level: deprecated and not read"),
        (BASE.replace("compiler_parameters: {}", "compiler_parameters: {jobs: 3}"), "no effect here: jobs"),
        (with_calibration("calibration_type: mix"), "mix is deprecated"),
        (with_calibration("calibration_type: skip"), "not read, since calibration_type is skip"),
        (
            with_calibration("calibration_type: kl", "max_percentile: 0.9"),
            "no effect without calibration_type",
        ),
        (with_calibration("optimization: run_fast"), "no effect here: run_fast"),
        (
            with_calibration("quant_config: {model_config: {layerwise_search: {metric: mse}}}"),
            "no effect here: model_config.layerwise_search",
        ),
        (with_calibration("num_sampels: 3"), "num_sampels is no known key"),
        (BASE.replace("  cal_data_dir: ./calibration\n", "  {}\n"), "no calibration data"),
        (
            with_calibration("run_on_cpu: a").replace("march:", "node_info: {a: {ON: BPU}}, march:"),
            "node_info puts a on the BPU, and wins",
        ),
    ],
)
def test_what_has_no_effect_is_told(text: str, said: str) -> None:
    assert any(said in message for message in remarks(text)), remarks(text)


def test_a_plain_config_has_no_remarks() -> None:
    assert remarks(BASE) == []


def test_a_json_file_is_read_with_its_comments_and_places(tmp_path: Path) -> None:
    (tmp_path / "q.json").write_text(
        '{\n  // about "qtype": "int9"\n  "op_config": { /* many\nlines */\n'
        '    "Softmax": {"qtype": "int9"}\n  }\n}\n'
    )
    (tmp_path / "c.yaml").write_text(with_calibration("quant_config: q.json"))
    with pytest.raises(ConfigError) as caught:
        read_config(tmp_path / "c.yaml")
    assert caught.value.where == f"{tmp_path / 'q.json'}:5:26"
    assert "'int9' is no type" in caught.value.message


@settings(deadline=None)
@given(st.text(alphabet='ab"/*\\\n{}: ', max_size=40))
def test_blanking_comments_keeps_every_place(text: str) -> None:
    bare = without_comments(text)
    assert len(bare) == len(text)
    assert [i for i, c in enumerate(bare) if c == "\n"] == [i for i, c in enumerate(text) if c == "\n"]


def test_a_string_may_look_like_a_comment() -> None:
    assert without_comments('{"a": "http://x", "b": 1} // c') == '{"a": "http://x", "b": 1}     '


def wish(levels: str, node: str = "n", op: str = "Conv") -> tuple[Any, ...]:
    quant = parse_config(with_calibration(f"quant_config: {levels}"), "c.yaml")[
        "calibration_parameters.quant_config"
    ]
    found = quant.wish(node, op, quant.subgraphs)
    return (None, None, None) if found is None else (found.output, found.input(0), found.input(1))


@pytest.mark.parametrize(
    ("levels", "wanted"),
    [
        ("{op_config: {Add: {qtype: int16}}}", (None, None, None)),
        ("{model_config: {all_node_type: int16}}", ("int16", "int16", "int16")),
        ("{model_config: {all_node_type: int16}, op_config: {conv: {qtype: int8}}}", ("int8",) * 3),
        (
            "{op_config: {Conv: {qtype: int8}}, subgraph_config: {s: {outputs: b, qtype: int16}}}",
            ("int16",) * 3,
        ),
        (
            "{subgraph_config: {s: {qtype: int16}}, node_config: {n: {InputType0: int8, OutputType: int8}}}",
            ("int8", "int8", "int16"),
        ),
        ("{node_config: {n: {InputType: int16, InputType1: int8}}}", (None, "int16", "int8")),
        ("{node_config: {n: {qtype: int16, OutputType: int8}}}", ("int8", "int16", "int16")),
    ],
)
def test_the_more_precise_level_wins_key_by_key(levels: str, wanted: tuple[Any, ...]) -> None:
    assert wish(levels) == wanted


@pytest.mark.parametrize("full", [False, True])
def test_the_template_is_valid(full: bool) -> None:
    text = template(full=full)
    config = parse_config(text, "c.yaml")
    assert config["model_parameters.march"] == "nash-e"
    named = {key.name for group in GROUPS for key in group.keys if key.effect != DEPRECATED}
    assert {name for name in named if f"{name}:" in text} == named or not full


def test_every_line_of_the_full_template_may_be_taken_into_use() -> None:
    """Uncommenting an optional key gives its default, which is valid: none is refused by itself."""
    lines = template(full=True).splitlines()
    for index, line in enumerate(lines):
        name, _, value = line.strip().removeprefix("# ").partition(": ")
        is_key = line.startswith("  # ") and any(g.key(name) for g in GROUPS if g.required)
        if is_key and value not in ('""', "{}"):
            changed = [*lines[:index], f"  {name}: {value}", *lines[index + 1 :]]
            parse_config("\n".join(changed), "c.yaml")


def test_what_is_rendered_reads_back() -> None:
    values = {
        "model_parameters": {
            "onnx_model": "a b.onnx",
            "march": "nash-p",
            "node_info": {"x:y": {"ON": "CPU"}},
        },
        "input_parameters": {"input_type_rt": "featuremap", "input_type_train": "featuremap"},
        "calibration_parameters": {"cal_data_dir": "it's"},
        "compiler_parameters": {"debug": False, "extra_params": {"input_no_padding": True}},
    }
    config = parse_config(render(values, "a note\nof two lines"), "c.yaml")
    assert config["model_parameters.onnx_model"] == "a b.onnx"
    assert config["model_parameters.node_info"][0].name == "x:y"
    assert config["calibration_parameters.cal_data_dir"] == ("it's",)
    assert config["compiler_parameters.debug"] is False
    assert config["compiler_parameters.extra_params"] == {"input_no_padding": True}


def test_the_reference_page_is_that_of_the_table() -> None:
    page = ROOT / "docs" / "reference" / "config.md"
    assert page.read_text(encoding="utf-8") == reference(), "write it: y10c config reference"


def accepts(content: Any) -> bool:
    return bool(jsonschema.Draft202012Validator(json_schema()).is_valid(content))


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("path", VALID, ids=lambda p: p.stem)
def test_the_schema_accepts_what_is_valid(path: Path) -> None:
    from ruamel.yaml import YAML

    content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    if path.stem in LENIENT:
        pytest.skip("the reader also takes words and numbers in quotes, which editors may underline")
    assert accepts(content)


@pytest.mark.parametrize(
    ("group", "key", "value"),
    [
        ("model_parameters", "march", "nash-x"),
        ("compiler_parameters", "optimize_level", "O3"),
        ("compiler_parameters", "core_num", 9),
        ("compiler_parameters", "max_time_per_fc", 5),
        ("calibration_parameters", "quant_config", {"ops": {}}),
        ("model_parameters", "node_info", {"a": {"Type": "int8"}}),
        ("model_parameters", "unknown", 1),
    ],
)
def test_the_schema_refuses_what_is_wrong_by_itself(group: str, key: str, value: Any) -> None:
    from ruamel.yaml import YAML

    content = YAML(typ="safe", pure=True).load(BASE)
    assert accepts(content)
    content[group][key] = value
    assert not accepts(content)
