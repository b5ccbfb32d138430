"""The page of a comparison: complete, self-contained, and alive in a browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

import y10c
from y10c.comparison.page import short, to_html
from y10c.comparison.result import Comparison
from y10c.zoo import yolov10

VOID = {"meta", "link", "img", "input", "br"}


@pytest.fixture(scope="module")
def found(float_model: Path, quantized: Path, data: Path) -> Comparison:
    return y10c.compare(float_model, quantized, data=data)


@pytest.fixture(scope="module")
def detectors() -> Comparison:
    """Two small YOLOv10 with other seeds, so that detections differ."""
    return y10c.compare(yolov10("n", size=64), yolov10("n", size=64, seed=1), samples=1, pictures=2)


class Balanced(HTMLParser):
    """Fails on tags that do not close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, tag


def test_tags_are_balanced_and_ids_unique(found: Comparison) -> None:
    parser = Balanced()
    parser.feed(to_html(found))
    assert parser.open == []
    assert len(parser.ids) == len(set(parser.ids))


def test_nothing_is_loaded_from_elsewhere(found: Comparison, detectors: Comparison) -> None:
    for page in (to_html(found), to_html(detectors)):
        assert not re.search(r'(?:src|href)="(?!#|data:)', page)
        assert not re.search(r"url\((?!['\"]?data:)", page)


def test_every_node_has_its_figures_and_histogram(found: Comparison) -> None:
    page = to_html(found)
    assert page.count('<svg class="histogram"') == len(found.nodes)
    for node in found.nodes:
        assert f"{node.cosine:.5f}" in page
    assert page.count('class="dot narrow"') == len(found.nodes)


def test_pictures_stand_side_by_side(detectors: Comparison) -> None:
    assert detectors.detections is not None
    page = to_html(detectors)
    assert page.count("<figure>") == len(detectors.detections.pictures) == 2
    assert page.count("data:image/jpeg;base64,") == 4


def test_names_are_escaped(float_model: Path, quantized: Path, data: Path) -> None:
    import onnx

    model = onnx.load(quantized)
    model.graph.node[0].name = "<script>alert(1)</script>"
    next(n for n in model.graph.node if n.name == "conv2").name = "<b>conv</b>"
    assert "<b>conv</b>" not in to_html(y10c.compare(float_model, model, data=data))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("/model.23/cv3.2/cv3.2.1/cv3.2.1.0/act/Mul", "model.23/cv3.2.1.0/act/Mul"),
        ("/model.1/conv/Conv", "model.1/conv/Conv"),
        ("conv", "conv"),
        ("/", ""),
    ],
)
def test_names_lose_what_they_repeat(name: str, shown: str) -> None:
    assert short(name) == shown


SCRIPT = """<pre id="found"></pre><script>
const said = {};
const rows = () => [...document.querySelectorAll("#table tbody tr")];
const heads = [...document.querySelectorAll("#table thead button")];
const head = heads.find((one) => one.textContent === "Own SQNR dB");
head.click(); head.click();
said.sorted = rows().map((row) => row.cells[6].textContent);
const find = document.querySelector("#find");
find.value = "conv"; find.dispatchEvent(new Event("input"));
said.shown = rows().filter((row) => !row.hidden).length;
document.querySelector(".open").click();
said.dialog = document.querySelector("#large").open && !!document.querySelector("#large svg");
document.querySelector("#large").close();
const dot = document.querySelector(".growth .dot");
dot.dispatchEvent(new MouseEvent("mousemove", {bubbles: true}));
said.tip = document.querySelector("#tip").textContent;
dot.dispatchEvent(new MouseEvent("click", {bubbles: true}));
said.here = [...document.querySelectorAll("tr.here")].map((row) => row.id);
const paper = () => getComputedStyle(document.body).backgroundColor;
document.documentElement.dataset.theme = "light"; said.light = paper();
document.querySelector("#theme").click(); said.dark = paper();
said.sideways = document.documentElement.scrollWidth > innerWidth;
said.problems = problems;
document.querySelector("#found").textContent = JSON.stringify(said);
</script></body>"""


@pytest.mark.slow  # a browser starts
def test_the_page_lives_in_a_browser(found: Comparison, tmp_path: Path) -> None:
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    first = "<script>window.problems = []; window.onerror = (text) => { problems.push(text); };</script>"
    page = to_html(found).replace("<head>", f"<head>{first}", 1).replace("</body>", SCRIPT)
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1400,900"]
    place = [f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", (tmp_path / "page.html").as_uri()]
    run = subprocess.run([browser, *flags, *place], capture_output=True, text=True, timeout=120, check=True)
    match = re.search(r'<pre id="found">(.*?)</pre>', run.stdout, re.DOTALL)
    assert match, run.stdout[-500:]
    said = json.loads(unescape(match[1]))
    assert said["problems"] == []
    assert said["sorted"] == sorted(said["sorted"], key=float)
    assert said["shown"] == 2
    assert said["dialog"]
    assert "own" in said["tip"]
    assert said["here"] == ["n0"]
    assert said["light"] != said["dark"]
    assert not said["sideways"]
