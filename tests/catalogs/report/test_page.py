from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from maskmill.catalogs.report.data import CaptionFigures, QualityFigures, ReportData
from maskmill.catalogs.report.items import GalleryItem
from maskmill.catalogs.report.page import catalog_name, render_page

HOSTILE = "<script>alert('x')</script>"
VOID = {"meta", "img", "input", "br", "hr", "link"}


class Page(HTMLParser):
    """The elements of a page, its visible text, and whether every element is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.elements if name == tag]


def test_minimal_data_gives_a_page_that_says_so() -> None:
    page = Page(render_page(ReportData("data/empty", 0)))
    assert "No image is labelled yet." in page.text
    assert "No run was published." in page.text
    assert page.all("table") == []


def test_headline_figures_are_on_the_page(full_data: ReportData, item: GalleryItem) -> None:
    text = Page(render_page(full_data, [item], "My corpus")).text
    for words in (
        "My corpus",
        "1,200",
        "1,150 labelled",
        "of 2,000, 75%",
        "50.0",
        "56.5",
        "+6.5",
        "left out",
    ):
        assert words in text
    assert "6.5 points above its teacher" in text


@pytest.mark.parametrize(
    ("miou", "words"), [(0.5, "as much as its teacher"), (0.47, "3.0 points below its teacher")]
)
def test_a_student_that_does_not_win_is_reported_so(full_data: ReportData, miou: float, words: str) -> None:
    quality = full_data.quality
    assert quality.student is not None
    student = replace(quality.student, miou=miou)
    data = replace(full_data, quality=QualityFigures(quality.columns, (), quality.teacher, student))
    assert words in Page(render_page(data)).text


@pytest.mark.parametrize(("run_id", "said"), [("label-1", True), ("label-of-last-year", False)])
def test_a_student_learned_from_the_masks_of_the_page_or_not(
    full_data: ReportData, run_id: str, said: bool
) -> None:
    students = (replace(full_data.students[0], label_run_id=run_id), *full_data.students[1:])
    text = Page(render_page(replace(full_data, students=students))).text
    assert ("the student trained on them reaches 56.5 mIoU" in text) is said
    assert ("the student reaches 56.5 mIoU" in text) is not said


def test_codes_are_told_in_words(full_data: ReportData) -> None:
    text = Page(render_page(full_data)).text
    assert "truncated_image an image cut short" in text
    assert "25%, names no entity" in text


def test_another_protocol_is_said_beside_the_gain(full_data: ReportData) -> None:
    quality = full_data.quality
    data = replace(full_data, quality=replace(quality, teacher=quality.columns[0]))
    assert "judged by another protocol" in Page(render_page(data)).text


def test_a_catalog_with_captions_only_says_so(full_data: ReportData) -> None:
    page = Page(render_page(ReportData("data/catalog", 1, captions=full_data.captions)))
    assert "1,500 of 2,000 captions name an entity; no image is labelled yet." in page.text


def test_words_from_outside_never_become_markup(full_data: ReportData, item: GalleryItem) -> None:
    html = render_page(full_data, [replace(item, key=HOSTILE, group=HOSTILE)], HOSTILE)
    page = Page(html)
    assert html.count("<script>") == 1
    assert not any(name.startswith("on") for _, attrs in page.elements for name in attrs)
    assert HOSTILE in page.text
    chips = [attrs for attrs in page.all("button") if attrs.get("class") == "chip"]
    assert len(chips) == 2


def test_policy_allows_the_script_of_the_page_and_nothing_from_elsewhere(full_data: ReportData) -> None:
    html = render_page(full_data)
    script = re.search(r"<script>(.*)</script>", html, re.S)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script.group(1).encode()).digest()).decode()
    policy = next(m["content"] for m in Page(html).all("meta") if m.get("http-equiv"))
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert f"script-src 'sha256-{digest}'" in policy


def test_page_needs_nothing_from_elsewhere(full_data: ReportData, item: GalleryItem) -> None:
    html = render_page(full_data, [item])
    assert re.findall(r"https?:|//[a-z]+\.[a-z]", html) == []
    for _, attrs in Page(html).elements:
        assert attrs.get("src", "data:").startswith("data:")
        assert attrs.get("href", "#").startswith("#")
    assert re.findall(r"url\((?!data:image/webp;base64,)", html) == []


def test_page_can_be_read_without_seeing_it(full_data: ReportData, item: GalleryItem) -> None:
    page = Page(render_page(full_data, [item]))
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for a in page.all("a")} <= set(ids)
    assert {s["aria-labelledby"] for s in page.all("section")} <= set(ids)
    assert all(image["alt"] for image in page.all("img"))
    assert all(plot["aria-label"] for plot in page.all("svg"))
    assert all(cell["scope"] in ("col", "row") for cell in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    pictures = [
        attrs["aria-label"] for attrs in page.all("div") if attrs.get("class") == "frame" and "role" in attrs
    ]
    assert pictures == [f"Image 00001: {HOSTILE}"]


def test_gallery_row_shows_each_map_with_its_score(full_data: ReportData, item: GalleryItem) -> None:
    page = Page(render_page(full_data, [item]))
    assert "Pseudo-mask 71.0 mIoU" in page.text
    assert "Student 33.3 mIoU" in page.text
    assert "nothing labelled" in page.text
    (row,) = page.all("article")
    assert row["data-classes"] == "0 1"
    assert len(page.all("img")) == 2
    assert "house 6%" in page.all("img")[0]["alt"]


def test_gallery_without_truth_or_student_has_two_columns(item: GalleryItem) -> None:
    plain = GalleryItem(item.key, item.image, teacher=item.teacher)
    html = render_page(ReportData("data/catalog", 1), [plain])
    assert 'style="--columns:2"' in html
    assert "Ground truth" not in html
    assert 'id="order"' not in html


def test_same_data_gives_the_same_page(full_data: ReportData, item: GalleryItem) -> None:
    assert render_page(full_data, [item]) == render_page(full_data, [item])


def test_share_that_is_not_all_is_never_rounded_to_all(full_data: ReportData) -> None:
    data = replace(
        full_data, captions=CaptionFigures(total=1000, kept=999, per_entities=full_data.captions.per_entities)
    )
    assert "of 1,000, >99%" in Page(render_page(data)).text


@pytest.mark.parametrize(
    ("uri", "name"),
    [("data/demo/", "demo"), ("s3://bucket/runs/coco", "coco"), ("s3://bucket", "s3://bucket")],
)
def test_catalog_is_named_by_the_last_part_of_its_uri(uri: str, name: str) -> None:
    assert catalog_name(uri) == name
