"""The corpus: valid files are taken, each invalid one is refused at its line and column, for its reason.

An invalid file begins with its expectations: `# expect LINE:COLUMN message`, one for each problem and no
more; the message may be the beginning of the real one.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from y10c.config.load import parse_config, read_config
from y10c.config.problems import ConfigProblems
from y10c.errors import ConfigError

HERE = Path(__file__).parent
VALID = sorted((HERE / "valid").glob("*.yaml"))
INVALID = sorted((HERE / "invalid").glob("*.yaml"))
EXPECT = re.compile(r"# expect (?:(\d+:\d+) )?(.*)")


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(VALID) >= 40
    assert len(INVALID) >= 60


@pytest.mark.parametrize("path", VALID, ids=lambda p: p.stem)
def test_valid_files_are_taken(path: Path) -> None:
    config = read_config(path)
    assert config["model_parameters.march"].startswith("nash-")


def problems_of(text: str) -> list[tuple[str, str]]:
    try:
        parse_config(text, "c.yaml")
    except ConfigProblems as error:
        found = [problem.as_error() for problem in error.problems]
    except ConfigError as error:
        found = [error]
    else:
        return []
    return [((one.where or "").removeprefix("c.yaml:"), one.message) for one in found]


@pytest.mark.parametrize("path", INVALID, ids=lambda p: p.stem)
def test_invalid_files_are_refused_where_and_why(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    expected = [EXPECT.match(line) for line in text.splitlines()]
    wanted = [match.groups() for match in expected if match]
    found = problems_of(text)
    assert len(found) == len(wanted), found
    for (place, message), (where, says) in zip(found, wanted, strict=True):
        assert where is None or place == where, (place, message)
        assert message.startswith(says)


@pytest.mark.parametrize("path", INVALID, ids=lambda p: p.stem)
def test_every_refusal_names_the_file_and_a_line(path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    assert re.search(rf"{re.escape(str(path))}:\d+:\d+", caught.value.render())
