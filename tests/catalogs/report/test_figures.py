from __future__ import annotations

from pathlib import Path

import pytest

from maskmill.catalogs.query import connect
from maskmill.catalogs.report.data import Bin, EntityFigures
from maskmill.catalogs.report.figures import gather
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import CatalogError


def test_newest_label_run_and_its_own_filter_run_are_counted(catalog: Catalog) -> None:
    data = gather(catalog.uri)
    assert [r.run_id for r in data.runs if r.counted] == ["label-new", "filter-1"]
    assert len(data.runs) == 6
    assert data.corpora == ("demo",)


def test_figures_equal_sql_on_the_catalog(catalog: Catalog) -> None:
    data = gather(catalog.uri)

    def number(sql: str) -> int:
        with connect(catalog.uri) as db:
            return int(db.execute(sql).fetchall()[0][0])

    assert data.images.total == number("SELECT count(*) FROM images WHERE run_id = 'label-new'") == 3
    assert data.images.labelled == 2
    assert data.masks.total == number("SELECT count(*) FROM masks WHERE run_id = 'label-new'") == 3
    assert (
        data.captions.kept == number("SELECT count(*) FROM captions WHERE run_id = 'filter-1' AND keep") == 1
    )
    assert data.captions.total == 3
    assert data.error_total == number("SELECT count(*) FROM errors") == 3
    assert data.version == catalog.version()


def test_masks_are_counted_by_label_area_and_score(catalog: Catalog) -> None:
    data = gather(catalog.uri)
    cat, dog = data.masks.labels
    assert (cat.label, cat.masks, dog.masks) == ("cat", 2, 1)
    assert cat.score == pytest.approx(0.95)
    assert cat.area_fraction == pytest.approx(0.35)
    assert {b.name: b.count for b in data.masks.areas if b.count} == {"2-5": 1, "10-20": 1, ">50%": 1}
    assert {b.name: b.count for b in data.masks.scores if b.count} == {"0.50": 1, "0.90": 1, "0.95": 1}
    assert data.images.per_masks[:3] == (Bin("0", 1), Bin("1", 1), Bin("2", 1))


def test_captions_and_nouns_come_with_reasons_and_examples(catalog: Catalog) -> None:
    captions = gather(catalog.uri).captions
    assert {b.name: b.count for b in captions.reasons} == {"kept": 1, "no_entity": 1, "no_caption": 1}
    assert captions.entities == (Bin("cat", 1), Bin("dog", 0))
    assert captions.rejected == (EntityFigures("time", 5, "not_visual"),)
    assert captions.entity_reasons == (Bin("kept", 2), Bin("not_visual", 1))
    assert [e.pieces for e in captions.kept_examples] == [(("a ", None), ("kitten", "cat"))]
    assert [e.pieces for e in captions.dropped_examples] == [(("so nice", None),)]


def test_errors_come_by_reason_with_examples(catalog: Catalog) -> None:
    most, least = gather(catalog.uri).errors
    assert (most.reason, most.count, least.reason, least.count) == ("truncated_image", 2, "too_large", 1)
    assert [e.key for e in most.examples] == ["d", "e"]


def test_gain_compares_the_student_with_the_teacher_of_its_protocol(catalog: Catalog) -> None:
    quality = gather(catalog.uri).quality
    assert [(e.subject, e.protocol) for e in quality.columns] == [
        ("teacher", "captions"),
        ("teacher", "vocabulary"),
        ("student", "vocabulary"),
    ]
    assert quality.gain == pytest.approx(10.0)
    assert quality.student is not None
    assert quality.student.ious == {"cat": None}


def test_training_record_beside_the_weights_is_read(catalog: Catalog) -> None:
    (student,) = gather(catalog.uri).students
    assert student.history == ((1.0, 2.5), (2.0, 1.5))
    assert (student.classes, student.final_loss) == (2, 0.5)


def test_an_older_version_shows_what_was_there_then(catalog: Catalog) -> None:
    versions = {r.run_id: i for i, r in enumerate(reversed(gather(catalog.uri).runs))}
    first = catalog.version() - len(versions) + 1
    data = gather(catalog.uri, first)
    assert [r.run_id for r in data.runs] == ["filter-1"]
    assert data.images.total == 0
    assert data.masks.labels == ()
    assert data.quality.columns == ()


def test_a_failed_run_is_listed_and_not_counted(failed_catalog: Catalog) -> None:
    data = gather(failed_catalog.uri)
    assert data.runs[0].reason == "too many errors"
    assert not data.runs[0].counted
    assert data.masks.total == 3


def test_a_folder_that_is_no_catalog_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CatalogError):
        gather(str(tmp_path))
