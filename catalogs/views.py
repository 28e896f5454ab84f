"""The views of a catalog version beside its tables: SQL over the tables and over each other."""

from __future__ import annotations

from dataclasses import dataclass

# Statuses of images that somebody looked at: a segmenter, or a person. The others say why nobody did.
SEEN = ("labelled", "reviewed")
# COCO calls an object small below 32 x 32 pixels.
SMALL_AREA = 32 * 32

_SEEN = ", ".join(f"'{status}'" for status in SEEN)

# Of the rows that several runs have of one image, the one with the highest weight speaks for it: bit 62 says
# that it was seen, the bits from 40 on hold its run's place among the runs, and the lower ones tell apart the
# shards of a corpus that holds a key twice. (The maximum of a struct of the three takes twice as long.)
# The view holds those that do not: most images of most catalogs have one row, which no join has to find.
# People drew on the pixels of one file: their review is stale where the label run that would speak for the
# image has another file under its key. Of the sha256, which are long, only those of reviewed images are read.
_SUPERSEDED = f"""
WITH ranked AS (
    SELECT run_id, kind = 'review' AS review,
        row_number() OVER (ORDER BY kind = 'review', finished_at, run_id)::UBIGINT AS place
    FROM runs WHERE status = 'finished' AND kind IN ('label', 'review')),
repeated AS MATERIALIZED (
    SELECT hash(image_id) AS hashed FROM speaking_images GROUP BY hashed HAVING count(*) > 1),
candidates AS MATERIALIZED (
    SELECT image_id, run_id, shard_id, review,
        ((status IN ({_SEEN}))::UBIGINT << 62) + (place << 40) + (hash(shard_id) >> 24) AS weight
    FROM speaking_images JOIN ranked USING (run_id) WHERE hash(image_id) IN (SELECT hashed FROM repeated)),
reviewed AS MATERIALIZED (SELECT DISTINCT image_id FROM candidates WHERE review),
files AS MATERIALIZED (
    SELECT image_id, run_id, review, weight, sha256
    FROM speaking_images JOIN (FROM candidates SEMI JOIN reviewed USING (image_id))
        USING (image_id, run_id, shard_id)),
labelled AS (
    SELECT image_id, arg_max(sha256, weight) AS sha256 FROM files WHERE NOT review GROUP BY image_id),
stale AS (
    SELECT image_id, run_id FROM files JOIN labelled USING (image_id)
    WHERE review AND files.sha256 <> labelled.sha256),
chosen AS (
    SELECT image_id, max(weight) AS weight
    FROM candidates ANTI JOIN stale USING (image_id, run_id) GROUP BY image_id)
SELECT image_id, run_id, shard_id FROM candidates ANTI JOIN chosen USING (image_id, weight)
"""  # noqa: S608 - no value comes from outside
_NONE_SUPERSEDED = "SELECT image_id, run_id, shard_id FROM speaking_images WHERE false"

# Narrow: others join it to what they read, so that no column is read that nobody asks for.
_LATEST_SOURCES = f"""
SELECT image_id, run_id, shard_id, status IN ({_SEEN}) AS seen FROM speaking_images {{but_superseded}}
"""  # noqa: S608 - no value comes from outside

_LATEST_IMAGES = "FROM speaking_images {but_superseded}"

# Of the decisions on a prototype the newest counts. Merges are followed to their end, whose own decision then
# counts for all. Two people who merge two prototypes into each other at the same moment make a circle without
# an end: UNION stops there, and as long as nobody decides anew these keep their ids.
_PROTOTYPE_NAMES = """
WITH RECURSIVE ranked AS (SELECT run_id, finished_at FROM runs),
known AS (
    SELECT prototype_id, arg_max({'kind': kind, 'name': name}, {'at': finished_at, 'run': run_id}) AS one
    FROM prototypes JOIN ranked USING (run_id) GROUP BY prototype_id),
decided AS (
    SELECT prototype_id,
        arg_max(
            {'decision': decision, 'name': prototype_decisions.name, 'into': merge_into, 'by': decided_by,
                'at': decided_at},
            {'decided_at': decided_at, 'at': finished_at, 'id': decision_id}) AS newest
    FROM prototype_decisions JOIN ranked USING (run_id) GROUP BY prototype_id),
steps AS (
    SELECT prototype_id, prototype_id AS reached FROM known
    UNION
    SELECT steps.prototype_id, newest.into FROM steps JOIN decided ON decided.prototype_id = reached
    WHERE newest.decision = 'merge'),
ends AS (
    SELECT steps.prototype_id, reached, newest.decision AS decision, newest.name AS name FROM steps
    LEFT JOIN decided ON decided.prototype_id = reached WHERE newest.decision IS DISTINCT FROM 'merge')
SELECT known.prototype_id,
    CASE WHEN ends.decision = 'reject' THEN NULL
        ELSE coalesce(CASE WHEN ends.decision = 'name' THEN ends.name END, target.one.name, reached,
            known.prototype_id) END AS label,
    known.one.kind AS kind, nullif(newest.decision, 'reset') AS decision, newest.into AS merge_into,
    reached AS merged_to, newest.by AS decided_by, newest.at AS decided_at
FROM known LEFT JOIN decided USING (prototype_id) LEFT JOIN ends USING (prototype_id)
    LEFT JOIN known AS target ON target.prototype_id = reached
ORDER BY known.prototype_id
"""

_LATEST_MASKS = "FROM speaking_masks {but_superseded}"
_NAMED_MASKS = """
SELECT masks.* REPLACE (coalesce(prototype_names.label, masks.label) AS label)
FROM speaking_masks AS masks {but_superseded}
    LEFT JOIN prototype_names ON label_kind = 'prototype' AND prototype_id = masks.label
WHERE prototype_id IS NULL OR prototype_names.label IS NOT NULL
"""

# Labels are counted as they are stored, and named afterwards: they are few, the masks are many. An image has
# a stored label once, but may have two that are now called the same: only of these are images counted apart.
_CLASS_STATS = f"""
WITH looked_at AS (SELECT count(*) AS total FROM latest_sources WHERE seen),
spoken AS (FROM speaking_masks {{with_kind}} {{but_superseded}}),
stored AS (
    SELECT label, label_kind = 'prototype' AS learnt, count(*) AS number, sum(area) AS area,
        sum(area_fraction) AS fractions, sum(score) FILTER (kind = 'label') AS scores,
        count(*) FILTER (kind = 'label') AS scored, count(*) FILTER (area < {SMALL_AREA}) AS small,
        count(*) FILTER (kind = 'review') AS reviewed
    FROM spoken GROUP BY label, learnt),
named AS MATERIALIZED (
    SELECT stored.* EXCLUDE (label), stored.label AS stored_label,
        coalesce(names.label, stored.label) AS label,
        count(*) OVER (PARTITION BY coalesce(names.label, stored.label)) AS parts
    FROM stored LEFT JOIN prototype_names AS names ON learnt AND names.prototype_id = stored.label
    WHERE names.prototype_id IS NULL OR names.label IS NOT NULL),
shared AS (
    SELECT named.label AS label, count(DISTINCT image_id) AS images
    FROM spoken JOIN (FROM named WHERE parts > 1) AS named
        ON spoken.label = stored_label AND (label_kind = 'prototype') = learnt
    GROUP BY named.label),
classes AS (
    SELECT label, coalesce(any_value(shared.images), sum(number))::BIGINT AS images,
        sum(area)::BIGINT AS pixels, sum(fractions) / sum(number) AS mean_area_fraction,
        sum(scores) / nullif(sum(scored), 0) AS mean_score, sum(small)::BIGINT AS small,
        sum(reviewed)::BIGINT AS reviewed
    FROM named LEFT JOIN shared USING (label) GROUP BY label)
SELECT label, images, images / total AS image_share, pixels, pixels / sum(pixels) OVER () AS pixel_share,
    mean_area_fraction, mean_score, small, reviewed
FROM classes, looked_at ORDER BY images DESC, label
"""  # noqa: S608 - no value comes from outside

_ERROR_SUMMARY = """
SELECT run_id, stage, corpus, reason, count(*) AS errors, count(DISTINCT shard_id) AS shards,
    arg_min({'key': key, 'detail': detail}, {'shard': shard_id, 'key': coalesce(key, '')}) AS example
FROM errors GROUP BY ALL ORDER BY errors DESC, run_id, stage, corpus, reason
"""

_RUN_SUMMARY = f"""
WITH i AS (
    SELECT run_id, count(*) AS images, count(*) FILTER (status IN ({_SEEN})) AS seen_images
    FROM images GROUP BY run_id),
m AS (SELECT run_id, count(*) AS masks FROM masks GROUP BY run_id),
c AS (SELECT run_id, count(*) AS captions, count(*) FILTER (keep) AS kept_captions
    FROM captions GROUP BY run_id),
e AS (SELECT run_id, count(*) AS errors FROM errors GROUP BY run_id)
SELECT run_id, kind, status, reason, corpus, parent_run_id, started_at, finished_at, seconds,
    coalesce(images, 0) AS images, coalesce(seen_images, 0) AS seen_images, coalesce(masks, 0) AS masks,
    coalesce(captions, 0) AS captions, coalesce(kept_captions, 0) AS kept_captions,
    coalesce(errors, 0) AS errors, images / nullif(seconds, 0) AS images_per_second,
    captions / nullif(seconds, 0) AS captions_per_second, code_version, config_hash
FROM runs LEFT JOIN i USING (run_id) LEFT JOIN m USING (run_id) LEFT JOIN c USING (run_id)
    LEFT JOIN e USING (run_id)
ORDER BY finished_at, run_id
"""  # noqa: S608 - no value comes from outside

_LABEL_STATS = """
SELECT label, count(*) AS masks, count(DISTINCT image_id) AS images, avg(score) AS mean_score,
    avg(area_fraction) AS mean_area_fraction
FROM masks GROUP BY label ORDER BY masks DESC, label
"""


@dataclass(frozen=True)
class Shape:
    """What a catalog version holds that its views have to reckon with; what it does not hold costs nothing.

    Args:
        contested: several runs, or one run twice, may have looked at an image.
        reviewed: people reviewed images.
        prototypes: there are prototypes, whose masks go by other names than are stored.
    """

    contested: bool = True
    reviewed: bool = True
    prototypes: bool = True


def shaped_views(shape: Shape) -> dict[str, str]:
    """Return name -> SELECT, in the order in which they build on each other; docs/sql.md explains them.

    They read the tables, and ``speaking_images`` and ``speaking_masks``: the rows of finished label and
    review runs.
    """
    but = "ANTI JOIN superseded USING (image_id, run_id, shard_id)" if shape.contested else ""
    kind = "JOIN (SELECT run_id, kind FROM runs) USING (run_id)" if shape.reviewed else ""
    stats = _CLASS_STATS.replace("{with_kind}", kind).replace("{but_superseded}", but)
    if not shape.reviewed:
        stats = stats.replace("kind = 'label'", "true").replace("kind = 'review'", "false")
    if not shape.prototypes:
        stats = stats.replace("label_kind = 'prototype' AS learnt", "false AS learnt")
    masks = _NAMED_MASKS if shape.prototypes else _LATEST_MASKS
    latest = {
        "superseded": _SUPERSEDED if shape.contested else _NONE_SUPERSEDED,
        "latest_sources": _LATEST_SOURCES.replace("{but_superseded}", but),
        "latest_images": _LATEST_IMAGES.replace("{but_superseded}", but),
        "prototype_names": _PROTOTYPE_NAMES,
        "latest_masks": masks.replace("{but_superseded}", but),
        "class_stats": stats,
    }
    return latest | _PLAIN


_PLAIN: dict[str, str] = {
    "error_summary": _ERROR_SUMMARY,
    "run_summary": _RUN_SUMMARY,
    "label_stats": _LABEL_STATS,
    "unlabelled_images": "SELECT * FROM images WHERE masks = 0",
}
VIEWS = shaped_views(Shape())

# Two boxes without any area have IoU 0, as their masks do in pycocotools. Numbers are made DOUBLE, which
# holds pixels exactly, because the product of two INTEGER sides may not fit INTEGER; and the first case is
# there because `least` and `greatest` pass over NULL.
_SIDES = ("ax", "ay", "aw", "ah", "bx", '"by"', "bw", "bh")
_SHARED = """
greatest(0, least(ax::DOUBLE + aw, bx::DOUBLE + bw) - greatest(ax, bx))
* greatest(0, least(ay::DOUBLE + ah, "by"::DOUBLE + bh) - greatest(ay, "by"))
""".strip()
_BBOX_IOU = f"""
CASE WHEN {" OR ".join(f"{side} IS NULL" for side in _SIDES)} THEN NULL
    ELSE coalesce({_SHARED} / nullif(aw::DOUBLE * ah + bw::DOUBLE * bh - {_SHARED}, 0), 0) END
"""

# Name and parameters -> an expression of plain SQL.
MACROS: dict[str, str] = {f"bbox_iou({', '.join(_SIDES)})": _BBOX_IOU}
