"""The page in a real browser: skipped where no Chromium is installed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from browser import NAMES, Browser, chromium, executable
from picture_page import COMPARED, CUTOUTS, PICTURES, large_page

from maskmill.catalogs.report.data import ReportData
from maskmill.catalogs.report.page import render_page
from maskmill.catalogs.report.thumbnails import Beside

SCREENSHOTS = os.environ.get("MASKMILL_SCREENSHOTS")
_BROKEN = "[...document.images].filter((image) => !image.complete || !image.naturalWidth).length"
_VISIBLE = "[...document.querySelectorAll('{}')].filter((e) => e.checkVisibility()).length"
_PHOTOS = """
Promise.all([...document.querySelectorAll('.row')].map((row) => new Promise((done) => {
  const image = new Image();
  image.onload = () => done(image.naturalWidth > 1);
  image.onerror = () => done(false);
  image.src = row.style.getPropertyValue('--photo').slice(4, -1).replaceAll('"', '');
}))).then((loaded) => loaded.length && loaded.every(Boolean))
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(large_page(), "utf-8")
    return path


@pytest.fixture(scope="module")
def tab() -> Iterator[Browser]:
    path = executable()
    if path is None:
        pytest.skip(f"no Chromium: none of {', '.join(NAMES)} is on PATH")
    with chromium(path) as browser:
        yield browser


@pytest.fixture
def opened(tab: Browser, page: Path) -> Iterator[Browser]:
    """The page as it is after loading; no test may leave an error in the console."""
    tab.scheme("light")
    tab.run("try { localStorage.clear() } catch {}")
    tab.open(page)
    yield tab
    assert tab.problems == []


def shown(tab: Browser, selector: str) -> int:
    return int(tab.run(_VISIBLE.format(selector)))


def overflow(tab: Browser, selector: str, side: str = "Width") -> int:
    """Return by how many pixels an element is too small for what is in it."""
    element = f"document.querySelector({selector!r})"
    return int(tab.run(f"{element}.scroll{side} - {element}.client{side}"))


def test_two_hundred_thumbnails_stay_below_five_megabytes(page: Path) -> None:
    assert PICTURES + CUTOUTS + COMPARED == 200
    assert 1_000_000 < page.stat().st_size < 5_000_000


def test_every_picture_loads(opened: Browser) -> None:
    assert opened.run("document.images.length") == PICTURES + 2 * CUTOUTS + 3 * COMPARED
    assert opened.run(_BROKEN) == 0
    assert opened.run(_PHOTOS) is True


def test_pictures_beside_the_page_load_too(tab: Browser, tmp_path: Path) -> None:
    beside = Beside()
    (tmp_path / "index.html").write_text(large_page(beside, pictures=2), "utf-8")
    (tmp_path / beside.folder).mkdir()
    for name, body in beside.files.items():
        (tmp_path / beside.folder / name).write_bytes(body)
    tab.open(tmp_path / "index.html")
    assert tab.run(_BROKEN) == 0
    assert tab.run(_PHOTOS) is True
    assert tab.problems == []


def test_a_class_filters_pictures_classes_and_comparison(opened: Browser) -> None:
    assert shown(opened, ".picture") == PICTURES
    opened.click("#classes .chip[data-class='0']")
    assert shown(opened, ".picture") == PICTURES // 4
    assert shown(opened, ".class") == 1
    assert (
        opened.run("document.getElementById('shown').textContent")
        == f"{PICTURES // 4} of {PICTURES} pictures"
    )
    assert opened.run("document.querySelectorAll('.chip[aria-pressed=true]').length") == 2
    opened.click("#classes .reset")
    assert (shown(opened, ".picture"), shown(opened, ".class")) == (PICTURES, 4)


def test_a_chosen_class_stays_where_it_was_pressed(opened: Browser) -> None:
    top = "document.querySelector(\"#classes .chip[data-class='0']\").getBoundingClientRect().top"
    opened.run("document.getElementById('classes').scrollIntoView({behavior: 'instant'})")
    before = opened.run(top)
    for _ in range(2):
        opened.click("#classes .chip[data-class='0']", scroll=False)
        assert abs(opened.run(top) - before) < 2


def test_search_and_groups_filter_pictures(opened: Browser) -> None:
    opened.press("/")
    assert opened.run("document.activeElement.id") == "find"
    for key in "number 13":
        opened.press(key)
    assert shown(opened, ".picture") == 3
    opened.click("[data-group='random']")
    assert shown(opened, ".picture") == 1
    opened.click("#pictures .reset")
    assert shown(opened, ".picture") == PICTURES


def test_keys_go_through_pictures_and_enlarge_one(opened: Browser) -> None:
    focused = (
        "document.activeElement.closest('[data-card]').querySelector('h3').firstChild.textContent.trim()"
    )
    for key, expected in (("j", "00000"), ("j", "00001"), ("ArrowRight", "00002"), ("k", "00001")):
        opened.press(key)
        assert opened.run(focused) == expected
    opened.press("Enter")
    assert opened.run("document.getElementById('large').open") is True
    opened.press("j")
    assert "00002" in opened.run("document.querySelector('.stage').textContent")
    opened.press("Escape")
    assert opened.run("document.getElementById('large').open") is False
    assert opened.run(focused) == "00002"
    opened.press(" ")
    assert opened.run("document.querySelector('.stage img').naturalWidth") > 1


def test_a_large_comparison_is_seen_without_scrolling(opened: Browser) -> None:
    opened.run("document.querySelector('.compared .open').click()")
    assert opened.run("document.querySelectorAll('.stage .frame').length") == 4
    assert overflow(opened, ".stage", "Height") == 0
    opened.press("Escape")


def test_keys_are_explained_and_masks_can_be_hidden(opened: Browser) -> None:
    opened.press("?")
    assert opened.run("document.getElementById('keys').open") is True
    opened.press("Escape")
    opened.press("m")
    visibility = "getComputedStyle(document.querySelector('.picture .layer')).visibility"
    assert opened.run(visibility) == "hidden"
    opened.press("m")
    assert opened.run(visibility) == "visible"


def test_colours_follow_the_system_until_somebody_chooses(opened: Browser) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    light = opened.run(paper)
    opened.scheme("dark")
    dark = opened.run(paper)
    assert dark != light
    opened.scheme("light")
    opened.click("#theme")
    assert opened.run(paper) == dark
    opened.press("t")
    assert opened.run("document.getElementById('theme').getAttribute('aria-label')") == "Colours: light"
    opened.scheme("dark")
    assert opened.run(paper) == light


def test_a_table_is_sorted_by_its_heads(opened: Browser) -> None:
    first = "document.querySelector('#comparison tbody th').textContent"
    assert opened.run(first) == "cat"
    opened.click("#comparison thead th:nth-child(3) button")
    assert opened.run(first) == "dog"


def test_a_narrow_page_does_not_scroll_sideways(opened: Browser) -> None:
    opened.size(400, 800)
    assert opened.run("document.documentElement.scrollWidth") == 400


@pytest.fixture
def tables(tab: Browser, tmp_path: Path, full_data: ReportData) -> Iterator[Browser]:
    """A page with an error that has much to say."""
    (error,) = full_data.errors
    long = replace(error.examples[0], key="a_key_without_a_blank_" * 6, detail="many words " * 30)
    path = tmp_path / "tables.html"
    path.write_text(render_page(replace(full_data, errors=(replace(error, examples=(long,)),))), "utf-8")
    tab.scheme("light")
    tab.open(path)
    yield tab
    assert tab.problems == []


def test_a_long_error_is_broken_into_lines(tables: Browser) -> None:
    assert overflow(tables, "#errors .scroll") == 0


def test_bars_of_one_table_can_be_compared(tables: Browser) -> None:
    widths = tables.run("[...document.querySelectorAll('.quality .bar')].map((bar) => bar.clientWidth)")
    assert len(set(widths)) == 1


def test_arrows_of_sorting_follow_their_words(tables: Browser) -> None:
    tables.size(400, 800)
    before = "((a) => a.previousSibling.textContent.trim())"
    heads = tables.run(f"[...document.querySelectorAll('#masks .arrow')].map({before})")
    assert heads == ["Label", "Masks", "Mean score", "Mean area"]


def test_the_first_column_stays_while_a_table_is_moved(tables: Browser) -> None:
    tables.size(400, 800)
    assert overflow(tables, "#quality .scroll") > 0
    left = "document.querySelector('#quality tbody th').getBoundingClientRect().left"
    before = tables.run(left)
    tables.run("document.querySelector('#quality .scroll').scrollLeft = 60")
    assert tables.run(left) == before


def test_paper_has_every_table_in_full(tables: Browser) -> None:
    tables.size(700, 990)
    tables.call("Emulation.setEmulatedMedia", media="print")
    try:
        assert tables.run("document.documentElement.scrollWidth") == 700
        assert shown(tables, ".arrow") == 0
        assert tables.run("getComputedStyle(document.querySelector('.facts pre')).maxHeight") == "none"
    finally:
        tables.call("Emulation.setEmulatedMedia", media="")


def test_every_button_has_a_name_and_every_image_words(opened: Browser) -> None:
    buttons = "[...document.querySelectorAll('button')]"
    assert opened.run(f"{buttons}.filter((b) => !(b.ariaLabel || b.textContent.trim())).length") == 0
    assert opened.run("[...document.images].filter((i) => !i.hasAttribute('alt')).length") == 0


@pytest.mark.skipif(SCREENSHOTS is None, reason="MASKMILL_SCREENSHOTS names no folder for screenshots")
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 400)])
def test_screenshots(opened: Browser, scheme: str, width: int) -> None:
    opened.scheme(scheme)
    opened.size(width, 1000)
    for section in ("figures", "pictures", "classes", "comparison", "masks"):
        opened.run(f"document.getElementById('{section}').scrollIntoView({{behavior: 'instant'}})")
        target = Path(str(SCREENSHOTS)) / f"{scheme}-{width}-{section}.png"
        opened.screenshot(target)
        assert target.stat().st_size > 5_000
