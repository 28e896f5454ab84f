from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from filter_runs import caption_row, publish_filter
from hypothesis import given
from hypothesis import strategies as st

from maskmill.catalogs.files import write_rows
from maskmill.catalogs.query import connect
from maskmill.catalogs.report.data import Bin, CaptionExample, CaptionFigures, EntityFigures, ReportData
from maskmill.catalogs.report.figures_captions import by_decade, caption_figures, cut
from maskmill.catalogs.report.page import render_page
from maskmill.catalogs.store import Catalog

CAPTIONS = {
    "0": {
        "a": ["a [cat] and a [dog]", "a [cat]", "so nice"],
        "b": ["what a view", "what a sight"],
        "c": ["two [dog]", "the [cat]"],
    },
    "1": {str(i): [f"photo number {i}"] for i in range(30)},
}
NOUNS = [
    ("cat", 900, True, "kept"),
    ("dog", 800, True, "kept"),
    ("tree", 500, True, "kept"),
    ("view", 700, False, "abstract"),
    ("photo", 950, False, "listed_no_region"),
]


def span(start: int, end: int, entity: str = "cat") -> dict[str, object]:
    return {"start": start, "end": end, "entity": entity}


def entity_row(rank: int, name: str, count: int, keep: bool, reason: str) -> dict[str, object]:
    known = {"entity_set": "s", "entity": name, "count": count, "rank": rank, "synonyms": []}
    return known | {"keep": keep, "reason": reason}


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    catalog = Catalog.create_or_open(str(tmp_path / "catalog"))
    nouns = [entity_row(rank, *noun) for rank, noun in enumerate(NOUNS, 1)]
    catalog.commit([write_rows(catalog.uri, "entities", "filter-1", "entities", nouns)])
    publish_filter(catalog, "filter-1", CAPTIONS)
    publish_filter(catalog, "filter-2", {"0": {"z": ["a [zebra]"]}})
    return catalog


@pytest.fixture
def db(catalog: Catalog) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(catalog.uri) as connection:
        yield connection


@pytest.fixture
def figures(db: duckdb.DuckDBPyConnection) -> CaptionFigures:
    return caption_figures(db, ["filter-1"])


def test_captions_and_images_are_counted(figures: CaptionFigures) -> None:
    assert (figures.total, figures.kept) == (37, 4)
    assert (figures.images, figures.images_kept) == (33, 2)
    assert figures.reasons == (Bin("no_entity", 33), Bin("kept", 4))
    assert figures.per_entities[:3] == (Bin("0", 33), Bin("1", 3), Bin("2", 1))


def test_entities_are_ranked_by_the_captions_that_were_kept(figures: CaptionFigures) -> None:
    assert figures.entities == (Bin("cat", 3), Bin("dog", 2), Bin("tree", 0))
    assert figures.per_entity == (Bin("0", 1), Bin("1-9", 2))


def test_rejected_nouns_come_by_frequency_with_their_reason(figures: CaptionFigures) -> None:
    assert figures.rejected == (
        EntityFigures("photo", 950, "listed_no_region"),
        EntityFigures("view", 700, "abstract"),
    )
    assert figures.entity_reasons == (Bin("kept", 3), Bin("abstract", 1), Bin("listed_no_region", 1))


def test_an_image_gives_one_example(figures: CaptionFigures) -> None:
    marked = {piece for example in figures.kept_examples for piece in example.pieces if piece[1]}
    assert len(figures.kept_examples) == 2
    assert marked == {("cat", "cat"), ("dog", "dog")}
    assert len(figures.dropped_examples) == 20
    assert len({example.pieces for example in figures.dropped_examples}) == 20
    assert {example.reason for example in figures.dropped_examples} == {"no_entity"}


def test_several_runs_are_counted_together(db: duckdb.DuckDBPyConnection) -> None:
    both = caption_figures(db, ["filter-1", "filter-2"])
    assert (both.total, both.kept, both.images, both.images_kept) == (38, 5, 34, 3)
    assert Bin("zebra", 1) in both.entities
    assert caption_figures(db, ["filter-2"]).images_kept == 1


def test_without_a_run_there_are_no_figures(db: duckdb.DuckDBPyConnection) -> None:
    assert caption_figures(db, []) == CaptionFigures()


def test_a_long_caption_is_shown_by_its_beginning(catalog: Catalog) -> None:
    publish_filter(catalog, "filter-3", {"0": {"a": ["a [cat] " + "\N{CAT FACE}" * 1000 + "[dog]"]}})
    with connect(catalog.uri) as db:
        (example,) = caption_figures(db, ["filter-3"]).kept_examples
    assert example.pieces[:2] == (("a ", None), ("cat", "cat"))
    assert example.pieces[-1] == ("…", None)
    assert len("".join(text for text, _ in example.pieces)) == 401


def test_blank_captions_are_no_examples(catalog: Catalog) -> None:
    rows = [caption_row(str(i), "0", 0, words) for i, words in enumerate(("", "  "))]
    rows.append(caption_row("2", "0", 0, "") | {"caption": None, "reason": "no_caption"})
    catalog.commit([write_rows(catalog.uri, "captions", "filter-4", "0", rows)])
    publish_filter(catalog, "filter-4", {})
    with connect(catalog.uri) as db:
        figures = caption_figures(db, ["filter-4"])
    assert (figures.total, figures.images_kept, figures.dropped_examples) == (3, 0, ())
    assert "Dropped, for example" not in page_text(figures)


def page_text(figures: CaptionFigures) -> str:
    html = render_page(ReportData("data/catalog", 1, captions=figures))
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html.partition('<section id="captions"')[2]))


def test_the_page_says_all_of_it(figures: CaptionFigures) -> None:
    text = page_text(figures)
    for words in (
        "Captions: 4 of 37 kept (11%)",
        "Images: 2 of 33 kept (6%)",
        "no_entity 33 89%",
        "cat 3",
        "tree 0",
        "photo 950 listed_no_region",
        "Captions by number of entities",
        "Entities by number of captions",
        "photo number 7 no_entity",
    ):
        assert words in text


def test_the_page_marks_entity_words_and_names_them_where_they_differ() -> None:
    example = CaptionExample((("A ", None), ("kitten", "cat"), (" and a ", None), ("Dog", "dog")), "kept")
    figures = CaptionFigures(1, 1, per_entities=(Bin("2", 1),), kept_examples=(example,))
    html = render_page(ReportData("c", 1, captions=figures))
    assert '<mark title="cat">kitten<span class="canon">cat</span></mark>' in html
    assert '<mark title="dog">Dog</mark>' in html


@pytest.mark.parametrize(
    ("counts", "names"),
    [([], {}), ([0], {"0": 1}), ([9, 10, 0], {"0": 1, "1-9": 1, "10-99": 1}), ([10**9, 10**6], {"1M+": 2})],
)
def test_counts_fall_into_decades(counts: list[int], names: dict[str, int]) -> None:
    assert {b.name: b.count for b in by_decade(counts) if b.count} == names


@given(st.lists(st.integers(0, 10**8), max_size=20))
def test_every_count_falls_into_one_decade(counts: list[int]) -> None:
    bins = by_decade(counts)
    assert sum(b.count for b in bins) == len(counts)
    assert not bins or bins[-1].count


def test_a_noun_of_two_runs_is_one_noun(tmp_path: Path) -> None:
    catalog = Catalog.create_or_open(str(tmp_path / "catalog"))
    for run_id, other in (("filter-1", "dog"), ("filter-2", "zebra")):
        nouns = [entity_row(1, "cat", 9, True, "kept"), entity_row(2, other, 5, True, "kept")]
        catalog.commit([write_rows(catalog.uri, "entities", run_id, "entities", nouns)])
        publish_filter(catalog, run_id, CAPTIONS)
    with connect(catalog.uri) as db:
        figures = caption_figures(db, ["filter-1", "filter-2"])
    assert figures.entity_reasons == (Bin("kept", 3),)


def test_entities_are_cut_out_in_order() -> None:
    pieces = cut("a cat and a dog", [span(12, 15, "dog"), span(2, 5)])
    assert pieces == (("a ", None), ("cat", "cat"), (" and a ", None), ("dog", "dog"))


def test_of_overlapping_spans_the_first_and_longer_wins() -> None:
    assert cut("alarm clock", [span(6, 11, "clock"), span(0, 5, "alarm"), span(0, 11, "clock")]) == (
        ("alarm clock", "clock"),
    )


@pytest.mark.parametrize("bad", [span(3, 99), span(4, 4), span(5, 2), span(-2, 1)])
def test_a_span_outside_of_the_caption_is_passed_over(bad: dict[str, object]) -> None:
    assert cut("a cat", [bad]) == (("a cat", None),)


@given(st.text(max_size=30), st.lists(st.tuples(st.integers(-3, 33), st.integers(-3, 33)), max_size=8))
def test_pieces_always_add_up_to_the_caption(caption: str, ranges: list[tuple[int, int]]) -> None:
    pieces = cut(caption, [span(a, b) for a, b in ranges])
    assert "".join(text for text, _ in pieces) == caption
    assert all(text for text, _ in pieces)
