"""Arrow schemas of the catalog's tables.

Every table is partitioned by ``run_id``, which therefore stands in the path of a file and not inside it
(:data:`PARTITION`). Lengths are pixels of the image as displayed (EXIF rotation applied), times are UTC.

A schema only ever gains nullable columns, at its end, and a catalog only ever gains tables, with a new
``SCHEMA_VERSION``: files of earlier versions stay as they are and read as null there. ``schemas.history``
says what came when.
"""

from __future__ import annotations

import pyarrow as pa

PARTITION = "run_id"
SCHEMA_VERSION = 3

_ID = [
    pa.field("image_id", pa.string(), nullable=False),
    pa.field("corpus", pa.string(), nullable=False),
    pa.field("key", pa.string(), nullable=False),
    pa.field("shard_id", pa.string(), nullable=False),
]
_TIME = pa.timestamp("us", tz="UTC")

# One row per (run, image) that could be read and decoded.
IMAGES = pa.schema(
    [
        *_ID,
        pa.field("shard_uri", pa.string(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),  # of the image file's bytes
        # labelled | no_vocabulary | duplicate_image | too_small | reviewed
        pa.field("status", pa.string(), nullable=False),
        pa.field("vocabulary", pa.list_(pa.string()), nullable=False),  # without the background
        pa.field("masks", pa.int32(), nullable=False),
        pa.field("annotator", pa.string()),  # who reviewed it, where that is known
    ]
)

# One row per caption, kept or not.
CAPTIONS = pa.schema(
    [
        *_ID,
        pa.field("caption_index", pa.int32(), nullable=False),
        pa.field("caption", pa.string()),
        pa.field("keep", pa.bool_(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),  # schemas.errors.CaptionReason
        pa.field("entities", pa.list_(pa.string()), nullable=False),  # canonical names, in order, once each
        pa.field(
            "spans",  # half-open character ranges of the caption
            pa.list_(
                pa.struct(
                    [
                        pa.field("start", pa.int32()),
                        pa.field("end", pa.int32()),
                        pa.field("entity", pa.string()),
                    ]
                )
            ),
            nullable=False,
        ),
    ]
)

# One row per candidate of an entity set.
ENTITIES = pa.schema(
    [
        pa.field("entity_set", pa.string(), nullable=False),  # hash of the set
        pa.field("entity", pa.string(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),  # captions that name it
        pa.field("rank", pa.int32(), nullable=False),  # from 1, by count
        pa.field("keep", pa.bool_(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("synonyms", pa.list_(pa.string()), nullable=False),
    ]
)

# One row per (run, image, label); the background has no row.
MASKS = pa.schema(
    [
        *_ID,
        # a class name, or of label_kind prototype the prototype's id, which stays whatever is decided on it
        pa.field("label", pa.string(), nullable=False),
        pa.field("label_kind", pa.string(), nullable=False),  # vocabulary | free_text | prototype
        pa.field("segmenter", pa.string(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("rle", pa.binary(), nullable=False),  # COCO compressed RLE counts
        pa.field("bbox_x", pa.int32(), nullable=False),
        pa.field("bbox_y", pa.int32(), nullable=False),
        pa.field("bbox_w", pa.int32(), nullable=False),
        pa.field("bbox_h", pa.int32(), nullable=False),
        pa.field("area", pa.int64(), nullable=False),
        pa.field("area_fraction", pa.float32(), nullable=False),  # of the image, (0, 1]
        pa.field("components", pa.int32(), nullable=False),  # 8-connected
        pa.field("score", pa.float32(), nullable=False),  # mean pixel confidence, [0, 1]
        # mean binary entropy of the pixels' confidences, bits in [0, 1]; null where people drew the mask
        pa.field("entropy", pa.float32()),
    ]
)

# One row per sample or shard that has no result.
ERRORS = pa.schema(
    [
        pa.field("stage", pa.string(), nullable=False),
        pa.field("corpus", pa.string(), nullable=False),
        pa.field("shard_id", pa.string(), nullable=False),
        pa.field("key", pa.string()),
        pa.field("image_id", pa.string()),
        pa.field("reason", pa.string(), nullable=False),  # ErrorReason, of a review ReviewReason
        pa.field("detail", pa.string(), nullable=False),
    ]
)

# One row per run; a catalog version is a version of this table.
RUNS = pa.schema(
    [
        # filter | label | review | train | evaluate | prototypes | decisions
        pa.field("kind", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),  # finished | failed
        pa.field("reason", pa.string()),  # why it failed
        pa.field("corpus", pa.string()),
        pa.field("corpus_uri", pa.string()),
        pa.field("corpus_config", pa.string()),  # JSON: how the corpus was read, schemas.config.CorpusConfig
        pa.field("corpus_fingerprint", pa.string()),
        pa.field(
            "parent_run_id", pa.string()
        ),  # the filter run of a label run, the label run of a review or student ...
        pa.field("config", pa.string(), nullable=False),  # JSON
        pa.field("config_hash", pa.string(), nullable=False),
        pa.field("weights", pa.string(), nullable=False),  # JSON: what -> sha256
        pa.field("code_version", pa.string(), nullable=False),
        pa.field("libraries", pa.string(), nullable=False),  # JSON: name -> version
        pa.field("schema_version", pa.int32(), nullable=False),
        pa.field("counts", pa.string(), nullable=False),  # JSON: what -> number
        pa.field(
            "table_versions", pa.string(), nullable=False
        ),  # JSON: table -> version when it was published
        pa.field("started_at", _TIME, nullable=False),
        pa.field("finished_at", _TIME, nullable=False),
        pa.field("seconds", pa.float64(), nullable=False),
    ]
)

# One row per trained student.
STUDENTS = pa.schema(
    [
        pa.field("student_id", pa.string(), nullable=False),
        pa.field("catalog_version", pa.int64(), nullable=False),
        pa.field("label_run_id", pa.string(), nullable=False),
        pa.field("weights_uri", pa.string(), nullable=False),
        pa.field("weights_sha256", pa.string(), nullable=False),
        pa.field("classes", pa.list_(pa.string()), nullable=False),
        pa.field("images", pa.int64(), nullable=False),
        pa.field("steps", pa.int64(), nullable=False),
        pa.field("final_loss", pa.float64(), nullable=False),
        pa.field("seconds", pa.float64(), nullable=False),
    ]
)

# One row per (subject, protocol, dataset).
EVALUATIONS = pa.schema(
    [
        pa.field("subject", pa.string(), nullable=False),  # teacher | student | features
        pa.field("subject_id", pa.string(), nullable=False),  # id of a segmenter, a student or a backbone
        pa.field("protocol", pa.string(), nullable=False),
        pa.field("vocabulary", pa.string(), nullable=False),
        pa.field("vocabulary_hash", pa.string(), nullable=False),
        pa.field("dataset_uri", pa.string(), nullable=False),
        pa.field("images", pa.int64(), nullable=False),
        # both in [0, 1], miou the mean over classes present; nan where images are classified, and no pixels
        pa.field("miou", pa.float64(), nullable=False),
        pa.field("pixel_accuracy", pa.float64(), nullable=False),
        pa.field(
            "classes",
            pa.list_(
                pa.struct(
                    [
                        pa.field("label", pa.string()),
                        pa.field("iou", pa.float64()),  # null where the class occurs in neither map
                        pa.field("intersection", pa.int64()),
                        pa.field("union", pa.int64()),
                    ]
                )
            ),
            nullable=False,
        ),
        pa.field("dataset", pa.string()),  # its name, e.g. voc; dataset_uri says where it lay
        pa.field("mode", pa.string()),  # of the segmenter: paper | released; null where it has but one
        pa.field("weights", pa.string()),  # JSON: what -> sha256 of the weights that were judged
        # JSON: what the protocol fixes: resize, window, background rule, class renames
        pa.field("details", pa.string()),
        pa.field(
            "metrics",  # further numbers, each name once, e.g. harmonic_miou; shares are in [0, 1]
            pa.list_(pa.struct([pa.field("name", pa.string()), pa.field("value", pa.float64())])),
        ),
    ]
)

# One row per (run, prototype): a class that was known before, or one that was found.
PROTOTYPES = pa.schema(
    [
        pa.field("prototype_id", pa.string(), nullable=False),  # in masks.label where label_kind is prototype
        pa.field("kind", pa.string(), nullable=False),  # known | unknown
        pa.field("name", pa.string()),  # of a known class; null of an unknown one
        # of length 1 in the encoder's embedding space, as many numbers as that has dimensions
        pa.field("vector", pa.list_(pa.float32()), nullable=False),
        pa.field("support", pa.int64(), nullable=False),  # segments that belong to it, from 0
        pa.field("share", pa.float32(), nullable=False),  # of all segments of the run, [0, 1]
        pa.field(
            "nearest_words",  # of a noun vocabulary, nearest first; similarity: cosine, [-1, 1]
            pa.list_(pa.struct([pa.field("word", pa.string()), pa.field("similarity", pa.float32())])),
            nullable=False,
        ),
        pa.field(
            "exemplars",  # masks that show it best, best first; label: as in masks, score: [0, 1]
            pa.list_(
                pa.struct(
                    [
                        pa.field("image_id", pa.string()),
                        pa.field("label", pa.string()),
                        pa.field("score", pa.float32()),
                    ]
                )
            ),
            nullable=False,
        ),
        pa.field("encoder", pa.string(), nullable=False),  # id of the weights that made the vectors
    ]
)

# One row per decision of a person; the newest on a prototype counts (catalogs.views, prototype_names).
PROTOTYPE_DECISIONS = pa.schema(
    [
        pa.field("decision_id", pa.string(), nullable=False),
        pa.field("prototype_id", pa.string(), nullable=False),
        pa.field("decision", pa.string(), nullable=False),  # name | merge | reject | reset
        pa.field("name", pa.string()),  # of decision name; null of the others
        pa.field("merge_into", pa.string()),  # of decision merge: a prototype_id; null of the others
        pa.field("reason", pa.string()),  # in the person's words, where given
        pa.field("decided_by", pa.string()),  # where known
        pa.field("decided_at", _TIME, nullable=False),
    ]
)

TABLES: dict[str, pa.Schema] = {
    "images": IMAGES,
    "captions": CAPTIONS,
    "entities": ENTITIES,
    "masks": MASKS,
    "errors": ERRORS,
    "runs": RUNS,
    "students": STUDENTS,
    "evaluations": EVALUATIONS,
    "prototypes": PROTOTYPES,
    "prototype_decisions": PROTOTYPE_DECISIONS,
}
