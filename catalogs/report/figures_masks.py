"""Figures about labelled images and their masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import duckdb

from .data import Bin, Cooccurrence, ImageFigures, LabelFigures, MaskFigures

_IMAGES = """
SELECT count(*), count(*) FILTER (status = 'labelled') FROM images WHERE list_contains($runs, run_id)
"""
_PER_IMAGE = """
SELECT least(masks, 8) AS n, count(*) FROM images WHERE list_contains($runs, run_id) GROUP BY n
"""
# The masks are read once; all the rest is asked of these few rows. A score that is no number has no bin.
_CELLS = """
CREATE OR REPLACE TEMP TABLE report_cells AS
SELECT label, CASE WHEN NOT isnan(score) THEN least(floor(score * 20), 19)::INTEGER END AS score_bin,
    CASE WHEN area_fraction < 0.01::FLOAT THEN 0 WHEN area_fraction < 0.02::FLOAT THEN 1
         WHEN area_fraction < 0.05::FLOAT THEN 2 WHEN area_fraction < 0.1::FLOAT THEN 3
         WHEN area_fraction < 0.2::FLOAT THEN 4 WHEN area_fraction <= 0.5::FLOAT THEN 5 ELSE 6
    END AS area_bin,
    count(*) AS masks, sum(score) AS score, sum(area_fraction) AS area
FROM masks WHERE list_contains($runs, run_id) GROUP BY ALL
"""
_LABELS = """
SELECT label, sum(masks)::BIGINT AS n, sum(score) / n, sum(area) / n
FROM report_cells GROUP BY label ORDER BY n DESC, label
"""
_SCORES = "SELECT score_bin, sum(masks)::BIGINT FROM report_cells WHERE score_bin IS NOT NULL GROUP BY 1"
_AREAS = "SELECT area_bin, sum(masks)::BIGINT FROM report_cells GROUP BY 1"
_OF_LABELS = """
SELECT label, score_bin, area_bin, masks FROM report_cells WHERE list_contains($labels, label)
"""
# Which of the labels an image has is one number, a bit for each: many images share few such numbers.
# Images are told apart by hashes of 8 bytes, which group faster than two texts: among ten million images the
# chance that any two are counted as one is below one in 300,000.
_TOGETHER = """
WITH chosen AS (SELECT unnest($labels) AS label, unnest(range(len($labels))) AS place),
per_image AS (
    SELECT bit_or(1::BIGINT << place) AS present FROM masks JOIN chosen USING (label)
    WHERE list_contains($runs, run_id) GROUP BY hash(run_id, image_id)),
sets AS (SELECT present, count(*) AS images FROM per_image GROUP BY present)
SELECT a.place, b.place, sum(images)::BIGINT
FROM sets, chosen a, chosen b WHERE (present >> a.place) & (present >> b.place) & 1 = 1 GROUP BY ALL
"""
_AREA_NAMES = ("<1%", "1-2", "2-5", "5-10", "10-20", "20-50", ">50%")
_SCORE_BINS = 20
_MANY = 8
_DRAWN_LABELS = 300
_TOGETHER_LABELS = 25


def image_figures(db: duckdb.DuckDBPyConnection, runs: Sequence[str]) -> ImageFigures:
    """Count images and how many masks they have; `runs` are label runs."""
    given = {"runs": list(runs)}
    total, labelled = db.execute(_IMAGES, given).fetchall()[0]
    if not total:
        return ImageFigures()
    counts = dict(db.execute(_PER_IMAGE, given).fetchall())
    names = [str(n) for n in range(_MANY)] + [f"{_MANY}+"]
    return ImageFigures(total, labelled, tuple(Bin(name, counts.get(n, 0)) for n, name in enumerate(names)))


def mask_figures(db: duckdb.DuckDBPyConnection, runs: Sequence[str]) -> MaskFigures:
    """Count masks by label, by share of the image and by score; `runs` are label runs."""
    db.execute(_CELLS, {"runs": list(runs)})
    labels = [LabelFigures(*row) for row in db.execute(_LABELS).fetchall()]
    if not labels:
        return MaskFigures()
    names = [label.label for label in labels[:_DRAWN_LABELS]]
    drawn = _histograms(db, names)
    areas, scores = (dict(db.execute(statement).fetchall()) for statement in (_AREAS, _SCORES))
    return MaskFigures(
        total=sum(label.masks for label in labels),
        labels=tuple(_with_histograms(label, drawn) for label in labels),
        areas=tuple(Bin(name, areas.get(i, 0)) for i, name in enumerate(_AREA_NAMES)),
        scores=tuple(Bin(f"{i / _SCORE_BINS:.2f}", scores.get(i, 0)) for i in range(_SCORE_BINS)),
        together=_together(db, runs, names[:_TOGETHER_LABELS]),
    )


_Histograms = dict[str, tuple[list[int], list[int]]]


def _with_histograms(label: LabelFigures, drawn: _Histograms) -> LabelFigures:
    if label.label not in drawn:
        return label
    scores, areas = drawn[label.label]
    return replace(label, scores=tuple(scores), areas=tuple(areas))


def _histograms(db: duckdb.DuckDBPyConnection, labels: Sequence[str]) -> _Histograms:
    """Return, for each label, the masks in every bin of score and in every bin of area."""
    found: _Histograms = {label: ([0] * _SCORE_BINS, [0] * len(_AREA_NAMES)) for label in labels}
    for label, score, area, masks in db.execute(_OF_LABELS, {"labels": list(labels)}).fetchall():
        found[label][1][area] += masks
        if score is not None:
            found[label][0][score] += masks
    return found


def _together(db: duckdb.DuckDBPyConnection, runs: Sequence[str], labels: Sequence[str]) -> Cooccurrence:
    given = {"runs": list(runs), "labels": list(labels)}
    cells = {(a, b): n for a, b, n in db.execute(_TOGETHER, given).fetchall()}
    places = range(len(labels))
    return Cooccurrence(tuple(labels), tuple(tuple(cells.get((i, j), 0) for j in places) for i in places))
