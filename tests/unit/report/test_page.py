"""The page and the picture: whole, self-contained, and alive in a browser."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from y10c.cost.report import ReportData
from y10c.cost.report.palette import BOUNDS, UNITS
from y10c.cost.report.picture import WIDTH, write_png
from y10c.cost.report.render import bound_shares, to_html, write_html

REFUSED = "no latency of nvdla was published, so nothing is fitted"
VOID = {"meta", "link", "br", "input"}


class Page(HTMLParser):
    """The open elements, and what the tests ask about."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.rows: dict[str, int] = {}
        self.table = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        self.ids += [str(given["id"])] if "id" in given else []
        self.targets += [str(v) for k, v in attrs if k in ("src", "href")]
        self.table = str(given.get("id", "")) if tag == "table" else self.table
        if tag == "tr" and "tbody" in self.open:
            self.rows[self.table] = self.rows.get(self.table, 0) + 1

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Elements of SVG that close themselves."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_its_ids_are_unique(data: ReportData) -> None:
    page = Page(to_html(data))
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))


def test_the_page_needs_nothing_else(data: ReportData) -> None:
    text = to_html(data)
    assert not re.search(r"https?://|//cdn|@import|url\(", text)
    assert all(target.startswith(("#", "data:,")) for target in Page(text).targets)


def test_links_lead_somewhere(data: ReportData) -> None:
    page = Page(to_html(data))
    assert {target[1:] for target in page.targets if target.startswith("#")} <= set(page.ids)


def test_tables_have_a_row_a_layer_and_a_row_a_node(data: ReportData) -> None:
    rows = Page(to_html(data)).rows
    assert rows["table"] == len(data.cost.layers)
    assert rows["nodes"] == len(data.nodes)


def test_names_and_sentences_are_escaped(data: ReportData) -> None:
    hostile = replace(data.cost, model="<script>alert(1)</script>")
    text = to_html(replace(data, cost=hostile))
    assert "<script>alert" not in text
    assert "&lt;attention&gt; &amp; co." in text


def test_the_page_says_what_was_assumed_and_what_to_mistrust(data: ReportData) -> None:
    text = to_html(data)
    for words in (
        "on-chip memory",
        "Calibrated on synthetic images",
        "Y5001",
        "had not seen",
        "fold-batchnorm 3",
    ):
        assert words in text


def test_the_bare_estimate_makes_a_page_without_quantization(data: ReportData) -> None:
    text = to_html(ReportData(cost=data.cost))
    assert 'id="quantization"' not in text
    assert 'class="warnings"' not in text


def test_without_advice_the_longest_layers_stand_there(data: ReportData) -> None:
    assert "The longest layers" not in to_html(data)
    assert "The longest layers" in to_html(replace(data, cost=replace(data.cost, advice=())))


def test_refused_times_show_no_milliseconds(data: ReportData) -> None:
    text = to_html(replace(data, times_refused=REFUSED))
    assert REFUSED in text
    assert "FPS" not in text
    told = re.sub(r'<section id="about".*?</section>', "", text, flags=re.DOTALL)  # the chip's own numbers
    assert not re.search(r"\d (ms|µs)\b", told)


def test_yolov10x_stays_under_three_megabytes(large: ReportData, tmp_path: Path) -> None:
    write_html(large, tmp_path / "x.html")
    assert (tmp_path / "x.html").stat().st_size < 3_000_000


def test_a_network_without_layers_is_no_trouble(data: ReportData, tmp_path: Path) -> None:
    empty = replace(data.cost, layers=(), timeline=(), memory=(), placements=(), advice=())
    write_html(ReportData(cost=empty), tmp_path / "empty.html")
    write_png(ReportData(cost=empty), tmp_path / "empty.png")


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.2."""

    def luminance(shade: str) -> float:
        parts = [int(shade[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_colours_stand_out_from_their_ground(data: ReportData) -> None:
    grounds = re.search(r"--card: light-dark\((#\w+), (#\w+)\)", to_html(data))
    assert grounds
    for shade in (*UNITS.values(), *BOUNDS.values()):
        assert contrast(shade.light, grounds[1]) >= 3
        assert contrast(shade.dark, grounds[2]) >= 3


def test_words_can_be_read_on_their_ground(data: ReportData) -> None:
    text = to_html(data)
    of = {
        name: re.search(rf"--{name}: light-dark\((#\w+), (#\w+)\)", text)
        for name in ("ink", "soft", "accent")
    }
    for ground in ("paper", "card"):
        under = re.search(rf"--{ground}: light-dark\((#\w+), (#\w+)\)", text)
        for name, over in of.items():
            assert under is not None
            assert over is not None
            assert min(contrast(over[i], under[i]) for i in (1, 2)) >= 4.5, name


def test_the_shares_of_the_time_add_up(data: ReportData) -> None:
    shares = bound_shares(data)
    assert sum(one.share for one in shares) == pytest.approx(1.0)
    assert sum(one.time_us for one in shares) == pytest.approx(1e3 * data.cost.summary.bpu_busy_ms)


def test_the_picture_is_light_and_shows_every_unit(data: ReportData, tmp_path: Path) -> None:
    write_png(data, tmp_path / "t.png")
    with Image.open(tmp_path / "t.png") as image:
        assert image.width == WIDTH
        colours = {pixel for _, pixel in image.getcolors(1 << 24) or []}
        assert image.getpixel((0, 0)) == (255, 255, 255)
    for unit in {interval.unit for interval in data.cost.timeline}:
        hexed = UNITS[unit].light
        assert tuple(int(hexed[i : i + 2], 16) for i in (1, 3, 5)) in colours


def test_passes_without_work_are_named_in_one_line(data: ReportData) -> None:
    text = to_html(data)
    assert '<th scope="row">canonicalize</th>' in text
    assert '<th scope="row">int8</th>' not in text
    assert "Nothing to do for int8." in text
