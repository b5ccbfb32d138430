"""The page in a headless Chromium, where one is installed: the script runs, tables sort, plots are seen."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from y10c.cost.report import ReportData
from y10c.cost.report.render import to_html

pytestmark = pytest.mark.slow  # a browser starts

FIRST = "<script>window.problems = []; window.onerror = (text) => { problems.push(text); };</script>"

LAST = """<pre id="found"></pre><script>
const heads = [...document.querySelectorAll("#table thead th")];
const head = (title) => heads.find((one) => one.textContent === title);
const rows = () => [...document.querySelectorAll("#table tbody tr")];
const column = (title) => rows().map((row) => row.cells[head(title).cellIndex]);
const times = () => column("Time µs").map((cell) => +cell.dataset.v);
const found = {};
head("Time µs").firstElementChild.click();
found.down = times(); found.downSaid = head("Time µs").getAttribute("aria-sort");
head("Time µs").firstElementChild.click();
found.up = times(); found.upSaid = head("Time µs").getAttribute("aria-sort");
head("Layer").firstElementChild.click();
found.names = column("Layer").map((cell) => cell.textContent);
const find = document.querySelector("#find");
find.value = "softmax"; find.dispatchEvent(new Event("input"));
found.filtered = rows().filter((row) => !row.hidden).map((row) => row.cells[2].textContent);
const boxes = (selector) => [...document.querySelectorAll(selector)].map((e) => e.getBoundingClientRect());
found.plots = boxes("svg.time, svg.roofline, svg.graph, svg.cosine").map((b) => [b.width, b.height]);
const before = boxes("svg.time")[0].width;
document.querySelector('[data-zoom="2"]').click();
found.zoom = boxes("svg.time")[0].width / before;
const paper = () => getComputedStyle(document.body).backgroundColor;
document.documentElement.dataset.theme = "light"; found.light = paper();
document.querySelector("#theme").click(); found.dark = paper();
document.querySelector(".time rect[data-l='3']").dispatchEvent(new MouseEvent("mousemove", {bubbles: true}));
found.tip = document.querySelector("#tip").textContent;
document.querySelector(".time rect[data-l='3']").dispatchEvent(new MouseEvent("click", {bubbles: true}));
found.here = [...document.querySelectorAll("tr.here")].map((row) => row.id);
found.sideways = document.documentElement.scrollWidth > innerWidth;
found.problems = problems;
document.querySelector("#found").textContent = JSON.stringify(found);
</script></body>"""


SPILL = """<pre id="found"></pre><script>
const right = (e) => e.getBoundingClientRect().right;
const spills = (e) => !e.closest(".scroll, .hidden") && right(e) > right(e.closest(".card, .tile"));
const inside = [...document.querySelectorAll(".card *, .tile *")];
const found = {spilled: inside.filter(spills).map((e) => e.outerHTML.slice(0, 80)), width: innerWidth};
document.querySelector("#found").textContent = JSON.stringify(found);
</script></body>"""
"""Which elements stand out of their card, apart from those that scroll."""


def look(page: str, folder: Path, width: int) -> dict[str, Any]:
    """What a script in the page saw, and what Chromium wrote to its console."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    (folder / "page.html").write_text(page, encoding="utf-8")
    flags = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--enable-logging=stderr",
        f"--window-size={width},900",
    ]
    place = [f"--user-data-dir={folder / 'profile'}", "--dump-dom", (folder / "page.html").as_uri()]
    run = subprocess.run([browser, *flags, *place], capture_output=True, text=True, timeout=120, check=True)
    match = re.search(r'<pre id="found">(.*?)</pre>', run.stdout, re.DOTALL)
    assert match, run.stdout[-500:]
    console = [line for line in run.stderr.splitlines() if "CONSOLE" in line]
    return {**json.loads(unescape(match[1])), "console": console}


@pytest.fixture(scope="module")
def found(data: ReportData, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    page = to_html(data).replace("<head>", f"<head>{FIRST}", 1).replace("</body>", LAST)
    return look(page, tmp_path_factory.mktemp("browser"), 1400)


@pytest.mark.parametrize("width", [500, 1280])
def test_long_names_stay_in_their_cards(data: ReportData, tmp_path: Path, width: int) -> None:
    name = "/model.23/" + 6 * "one2one_cv3.0/"
    advice = tuple(replace(one, sentence=f"fuse '{name}': saves 1 ms") for one in data.cost.advice)
    named = replace(data, cost=replace(data.cost, advice=advice), notes=(name, f"16 bits: {5 * name}"))
    assert advice
    assert look(to_html(named).replace("</body>", SPILL), tmp_path, width)["spilled"] == []


def test_nothing_fails(found: dict[str, Any]) -> None:
    assert found["problems"] == []
    assert found["console"] == []


def test_a_click_sorts_and_says_how(found: dict[str, Any]) -> None:
    assert found["down"] == sorted(found["down"], reverse=True)
    assert found["up"] == sorted(found["up"])
    assert (found["downSaid"], found["upSaid"]) == ("descending", "ascending")
    assert found["names"][0].startswith("/model.0/")
    assert found["names"][-1].startswith("/model.14/")


def test_the_filter_leaves_what_fits(found: dict[str, Any]) -> None:
    assert found["filtered"]
    assert set(found["filtered"]) == {"softmax"}


def test_all_four_plots_are_seen(found: dict[str, Any]) -> None:
    assert len(found["plots"]) == 4
    assert all(width > 300 and height > 40 for width, height in found["plots"])


def test_the_timeline_zooms_and_its_bars_lead_to_the_table(found: dict[str, Any]) -> None:
    assert found["zoom"] == pytest.approx(2.0, rel=0.01)
    assert "Conv_3" in found["tip"]
    assert found["here"] == ["l3"]


def test_the_button_changes_the_theme(found: dict[str, Any]) -> None:
    assert found["light"] != found["dark"]


def test_the_page_is_not_wider_than_its_window(found: dict[str, Any]) -> None:
    assert not found["sideways"]
