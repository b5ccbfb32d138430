"""Files and folders appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from y10c import atomic
from y10c.errors import OutputError


def tree(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def test_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    with atomic.file(tmp_path / "a" / "m.onnx") as temporary:
        temporary.write_text("whole")
        assert temporary.suffix == ".onnx"
        assert not (tmp_path / "a" / "m.onnx").exists()
    assert tree(tmp_path) == {"a", "a/m.onnx"}
    assert (tmp_path / "a" / "m.onnx").read_text() == "whole"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_early_end_leaves_nothing_and_keeps_what_was(tmp_path: Path, error: type[BaseException]) -> None:
    (tmp_path / "old.txt").write_text("old")
    for name in ("old.txt", "new/deep/new.txt"):
        with pytest.raises(error), atomic.file(tmp_path / name) as temporary:
            temporary.write_text("half")
            raise error
    assert tree(tmp_path) == {"old.txt"}
    assert (tmp_path / "old.txt").read_text() == "old"


def test_symlink_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    atomic.write_text(tmp_path / "link.txt", "new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


def test_device_is_written_directly() -> None:
    atomic.write_bytes(os.devnull, b"gone")
    assert not Path(os.devnull).is_file()


def test_folder_fills_at_once_and_keeps_strangers(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "sub").mkdir(parents=True)
    (out / "sub" / "stranger").write_text("stays")
    (out / "m.onnx").write_text("old")
    with atomic.folder(out) as temporary:
        (temporary / "sub").mkdir()
        (temporary / "sub" / "x").write_text("x")
        (temporary / "m.onnx").write_text("new")
        assert (out / "m.onnx").read_text() == "old"
    assert tree(out) == {"sub", "sub/stranger", "sub/x", "m.onnx"}
    assert (out / "m.onnx").read_text() == "new"


def test_failed_folder_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), atomic.folder(tmp_path / "a" / "b") as temporary:
        (temporary / "half").write_text("half")
        raise KeyboardInterrupt
    assert tree(tmp_path) == set()


@pytest.mark.parametrize("write", [atomic.file, atomic.folder])
def test_impossible_place_is_refused_before_the_work(tmp_path: Path, write: Any) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="Not a directory") as caught, write(tmp_path / "file" / "out"):
        pytest.fail("the block must not run")
    assert caught.value.exit_code == 2
    assert tree(tmp_path) == {"file"}


def test_file_in_the_place_of_a_folder_and_back(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="is a file"), atomic.folder(tmp_path / "file"):
        pytest.fail("the block must not run")
    with pytest.raises(OutputError, match="is a folder"), atomic.file(tmp_path):
        pytest.fail("the block must not run")
