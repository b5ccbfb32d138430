"""Whatever stands in the file: it is read, or refused with a place."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from y10c.config.load import parse_config
from y10c.config.template import template
from y10c.errors import ConfigError

CORPUS = [
    path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).parents[2] / "config" / "valid").glob("*.yaml"))
]
TEXTS = [template(full=True), *CORPUS]
PIECES = st.sampled_from(
    [
        "{",
        "}",
        "[",
        "]",
        ": ",
        ";",
        ",",
        "'",
        '"',
        "&a ",
        "*a",
        "!x ",
        "- ",
        "\n  ",
        "null",
        "1e999",
        "\t",
        "<<: ",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)


def refusal(text: str) -> ConfigError | None:
    try:
        parse_config(text, "c.yaml")
    except ConfigError as error:
        return error
    return None


def read(text: str) -> None:
    error = refusal(text)
    if error is not None:
        assert error.render().startswith("error[Y2002]")
        assert error.where is not None
        assert error.where.startswith("c.yaml")


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_damaged_file(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(TEXTS))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        until = min(len(text), at + data.draw(st.integers(0, 12)))
        text = text[:at] + data.draw(PIECES) + text[until:]
    read(text)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_value_at_any_key(data: st.DataObject) -> None:
    import io

    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    content = yaml.load(data.draw(st.sampled_from(CORPUS)))
    group = data.draw(st.sampled_from(sorted(content)))
    keys = sorted(content[group] or {"jobs": 1})
    content[group] = {**(content[group] or {}), data.draw(st.sampled_from(keys)): data.draw(VALUES)}
    stream = io.StringIO()
    yaml.dump(content, stream)
    read(stream.getvalue())
