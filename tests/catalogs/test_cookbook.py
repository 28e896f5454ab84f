"""Every recipe of docs/sql.md answers its question on a small catalog."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prototype_rows import decision, learn, publish_decisions
from sql_catalog import fill, mask, publish

from maskmill.catalogs.query import query
from maskmill.catalogs.sql_functions import SQL_FUNCTIONS
from maskmill.catalogs.store import Catalog
from maskmill.catalogs.views import VIEWS
from maskmill.schemas.samples import image_id
from maskmill.schemas.tables import TABLES

DOCS = (Path(__file__).parents[2] / "docs" / "sql.md").read_text("utf-8")

# Question -> one row of the answer, by name of column.
ANSWERS: dict[str, dict[str, Any]] = {
    "How many masks has each class, and how unbalanced are they?": {
        "label": "sofa",
        "images": 1,
        "image_share": 1 / 6,
        "mean_score": 0.8,
        "times_rarer": 3.0,
    },
    "Which class weights balance the loss?": {
        "label": "sofa",
        "frequency": 0.5,
        "weight": 1664 / 7200 / 0.5,
    },
    "How many masks are small?": {"label": "dog", "small": 2, "medium": 1, "large": 0, "small_share": 2 / 3},
    "Which images are good enough to train on?": {
        "corpus": "web",
        "key": "a",
        "labels": ["cat", "sofa"],
        "worst_score": 0.8,
        "covered": 0.875,
    },
    "How do I split off a validation set that never changes?": {
        "image_id": image_id("web", "c"),
        "corpus": "web",
        "key": "c",
        "split": "val",
    },
    "What was each student trained on, and how good is it?": {
        "student_id": "student@1",
        "catalog_version": 5,
        "label_run_id": "label-new",
        "images": 3,
        "protocol": "vocabulary",
        "dataset_uri": "held-out",
        "miou": 0.6,
    },
    "How good is each segmenter on each dataset, by every number that was measured?": {
        "dataset": "voc",
        "protocol": "groupvit",
        "subject_id": "clip@1",
        "mode": "paper",
        "miou": 0.5,
        "metric": "harmonic_miou",
        "value": 0.25,
    },
    "Which masks is the segmenter least sure of?": {
        "corpus": "web",
        "key": "c",
        "label": "dog",
        "score": 0.6,
        "entropy": None,
        "area_fraction": 0.5,
    },
    "Which prototypes should get a name first?": {
        "prototype_id": "p4",
        "masks": 1,
        "nearest_word": "animal",
        "exemplar": image_id("web", "p"),
    },
    "What was decided about each prototype, and by whom?": {
        "prototype_id": "p1",
        "decision": "name",
        "name": "zebra",
        "merge_into": None,
        "reason": "stripes",
        "decided_by": "Ada",
        "decided_at": ...,
        "called_now": "zebra",
    },
    "Which masks did a decision rename or leave out?": {
        "corpus": "web",
        "key": "of p2",
        "stored": "p2",
        "called_now": "zebra",
    },
    "Which images have no mask, and why?": {
        "corpus": "web",
        "key": "f",
        "why": "nothing_found",
        "run_id": "review-1",
    },
    "Which classes occur together?": {"one": "cat", "other": "sofa", "images": 1, "lift": 2.0},
    "Which captions name a thing that has no mask?": {"key": "f", "entity": "sofa", "caption": "a sofa"},
    "Which named things are found, and which are not?": {
        "entity": "sofa",
        "images_that_name_it": 2,
        "with_mask": 1,
        "found_share": 0.5,
    },
    "How do two runs differ, image by image?": {
        "key": "a",
        "label": "cat",
        "masks": "both",
        "iou": 2 / 3,
        "score_change": 0.5,
    },
    "Where do people correct the segmenter most?": {
        "label": "cat",
        "human": 1,
        "machine": 2,
        "mean_iou": 0.9 / 2,
    },
    "Which masks of one image are nearly the same, under two names?": {
        "key": "d",
        "one": "cat",
        "other": "dog",
        "iou": 18 / 19,
    },
    "Which images are the same file?": {"sha256": "of a", "images": 3, "keys": ["books/a", "web/a", "web/e"]},
    "Where does a mask come from?": {
        "corpus": "web",
        "key": "a",
        "label": "sofa",
        "segmenter": "clip@1",
        "run_id": "label-new",
        "kind": "label",
        "finished_at": ...,
        "code_version": "0.1.0",
        "config_hash": "c0ffee",
        "weights": ...,
        "filter_run": "filter-1",
    },
    "Which errors happened, and to what?": {
        "run_id": "label-new",
        "stage": "label",
        "reason": "truncated_image",
        "errors": 2,
        "shards": 1,
        "key": "g",
        "detail": "bad",
    },
    "How fast was each run?": {
        "run_id": "label-new",
        "kind": "label",
        "status": "finished",
        "reason": None,
        "seconds": 2.0,
        "images": 6,
        "masks": 5,
        "errors": 3,
        "images_per_second": 3.0,
        "captions_per_second": None,
    },
    "Which share of every shard is labelled?": {
        "run_id": "label-new",
        "shard_id": "00000",
        "labelled": 4,
        "of_images": 8,
        "labelled_share": 0.5,
    },
    "Why were captions dropped?": {"run_id": "filter-1", "reason": "no_entity", "captions": 1, "share": 0.2},
    "What did the configurations of two runs say?": {
        "run_id": "label-old",
        "vocabulary": "captions",
        "segmenter": "clip",
        "config_hash": "c0ffee",
    },
    "Is every mask sound?": {"run_id": "label-new", "masks": 5, "damaged": 0, "wrong_area": 0},
}

# Of a catalog with prototypes and a judged segmenter.
OF_PROTOTYPES = {
    "How good is each segmenter on each dataset, by every number that was measured?",
    "Which prototypes should get a name first?",
    "What was decided about each prototype, and by whom?",
    "Which masks did a decision rename or leave out?",
}


def recipes() -> dict[str, str]:
    """Return question -> statement of the SQL blocks in the cookbook."""
    found: dict[str, str] = {}
    for section in DOCS.split("\n### ")[1:]:
        question, _, body = section.partition("\n")
        _, fence, statement = body.partition("```sql\n")
        assert fence, f"{question!r} has no answer"
        found[question] = statement.partition("```")[0]
    return found


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> str:
    return fill(Catalog.create_or_open(str(tmp_path_factory.mktemp("cookbook") / "c"))).uri


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Prototypes that are named, merged, rejected and undecided, and a segmenter judged by a protocol."""
    catalog = Catalog.create_or_open(str(tmp_path_factory.mktemp("learnt") / "c"))
    learn(catalog, "p1", "p2", "p3", "p4")
    named = decision("p1", "name", 1, name="zebra", reason="stripes", decided_by="Ada")
    others = [decision("p2", "merge", 2, merge_into="p1"), decision("p3", "reject", 3)]
    publish_decisions(catalog, "1", named, *others)
    judged = {"subject": "teacher", "subject_id": "clip@1", "protocol": "groupvit", "dataset": "voc"}
    words = {"vocabulary": "voc21", "vocabulary_hash": "h", "dataset_uri": "x", "mode": "paper"}
    metrics = [{"name": "harmonic_miou", "value": 0.25}]
    quality = {"images": 1, "miou": 0.5, "pixel_accuracy": 0.9, "classes": [], "metrics": metrics}
    publish(catalog, "evaluate-1", 30, {"evaluations": [judged | words | quality]})
    return catalog.uri


def test_every_recipe_is_tested() -> None:
    assert list(recipes()) == list(ANSWERS)
    assert DOCS.count("```sql") == len(ANSWERS)


@pytest.mark.parametrize("question", ANSWERS)
def test_a_recipe_answers_its_question(filled: str, learnt: str, question: str) -> None:
    expected = ANSWERS[question]
    answer = query(learnt if question in OF_PROTOTYPES else filled, recipes()[question])
    assert answer.column_names == list(expected)
    assert any(_alike(row, expected) for row in answer.to_pylist()), answer.to_pylist()


def _alike(row: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Compare numbers as close as FLOAT allows; ``...`` is any value but NULL."""
    return all(
        row[name] is not None if value is ... else row[name] == _near(value)
        for name, value in expected.items()
    )


def _near(value: Any) -> Any:
    return pytest.approx(value, rel=1e-6) if isinstance(value, float) else value


def test_damage_is_found_by_the_recipe_for_it(tmp_path: Path) -> None:
    catalog = Catalog.create_or_open(str(tmp_path / "c"))
    box = (0, 0, 9, 9)
    masks = [
        mask("a", "cat", box, 0.5),
        mask("b", "cat", box, 0.5, rle=b"\x00"),
        mask("c", "cat", box, 0.5, area=5),
    ]
    publish(catalog, "label-1", 1, {"masks": masks})
    found = query(catalog.uri, recipes()["Is every mask sound?"]).to_pylist()
    assert found == [{"run_id": "label-1", "masks": 3, "damaged": 1, "wrong_area": 1}]


@pytest.mark.parametrize("name", [*TABLES, *VIEWS, *(f.name for f in SQL_FUNCTIONS), "bbox_iou"])
def test_every_table_view_and_function_is_explained(name: str) -> None:
    assert f"`{name}`" in DOCS or f"| `{name}(" in DOCS
