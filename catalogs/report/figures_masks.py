"""Figures about labelled images and their masks."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from .data import Bin, ImageFigures, LabelFigures, MaskFigures

_IMAGES = """
SELECT count(*), count(*) FILTER (status = 'labelled') FROM images WHERE list_contains($runs, run_id)
"""
_PER_IMAGE = """
SELECT least(masks, 8) AS n, count(*) FROM images WHERE list_contains($runs, run_id) GROUP BY n
"""
_LABELS = """
SELECT label, count(*), avg(score), avg(area_fraction)
FROM masks WHERE list_contains($runs, run_id)
GROUP BY label ORDER BY count(*) DESC, label
"""
_SCORES = """
SELECT least(floor(score * 20), 19)::INTEGER AS bin, count(*)
FROM masks WHERE list_contains($runs, run_id) AND NOT isnan(score) GROUP BY bin
"""
_AREAS = """
SELECT CASE WHEN area_fraction < 0.01::FLOAT THEN 0 WHEN area_fraction < 0.02::FLOAT THEN 1
            WHEN area_fraction < 0.05::FLOAT THEN 2 WHEN area_fraction < 0.1::FLOAT THEN 3
            WHEN area_fraction < 0.2::FLOAT THEN 4 WHEN area_fraction <= 0.5::FLOAT THEN 5 ELSE 6 END AS bin,
       count(*)
FROM masks WHERE list_contains($runs, run_id) GROUP BY bin
"""
_AREA_NAMES = ("<1%", "1-2", "2-5", "5-10", "10-20", "20-50", ">50%")
_MANY = 8


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
    given = {"runs": list(runs)}
    labels = tuple(LabelFigures(*row) for row in db.execute(_LABELS, given).fetchall())
    if not labels:
        return MaskFigures()
    areas = dict(db.execute(_AREAS, given).fetchall())
    scores = dict(db.execute(_SCORES, given).fetchall())
    return MaskFigures(
        total=sum(label.masks for label in labels),
        labels=labels,
        areas=tuple(Bin(name, areas.get(i, 0)) for i, name in enumerate(_AREA_NAMES)),
        scores=tuple(Bin(f"{i / 20:.2f}", scores.get(i, 0)) for i in range(20)),
    )
