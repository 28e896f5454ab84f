"""What people corrected, as trainers see it."""

from __future__ import annotations

from pathlib import Path

import pytest
from mask_catalog import ALL, LEFT, RIGHT, commit

from maskmill.catalogs import MaskDataset, MaskStream
from maskmill.catalogs.maintenance import compact
from maskmill.catalogs.store import Catalog


@pytest.fixture
def reviewed(labelled: Catalog, corpus: Path) -> Catalog:
    """People found a bird on image 10, looked at 12, which no segmenter saw, and found nothing on 20."""
    masks = {"00000": {"10": [("bird", 1.0, LEFT)], "12": [("dog", 1.0, ALL)]}, "00001": {"20": []}}
    commit(labelled, corpus, "review-1", masks, "review")  # type: ignore[arg-type]
    return labelled


def test_masks_by_people_replace_those_of_the_run(reviewed: Catalog) -> None:
    dataset = MaskDataset(reviewed.uri)
    assert dataset.review_run_ids == ("review-1",)
    assert dataset.classes == ("background", "bird", "cat", "dog")
    samples = {dataset.key(i): dataset[i] for i in range(len(dataset))}
    assert sorted(samples) == ["10", "11", "12", "20"]
    assert (samples["10"].labels[LEFT] == 1).all()
    assert not samples["10"].labels[RIGHT].any()
    assert (samples["10"].weights == 1).all()
    assert (samples["12"].labels == 3).all()
    assert not samples["20"].labels.any()
    assert {key: s.human for key, s in samples.items()} == {"10": True, "11": False, "12": True, "20": True}


def test_the_run_alone_is_there_on_demand(reviewed: Catalog) -> None:
    alone = MaskDataset(reviewed.uri, corrections=False)
    assert (alone.review_run_ids, alone.classes) == ((), ("background", "cat", "dog"))
    before = MaskDataset(reviewed.uri, 1)
    assert [alone.record(i) for i in range(len(alone))] == [before.record(i) for i in range(len(before))]
    assert before.review_run_ids == ()


def test_of_several_reviews_the_last_counts(reviewed: Catalog, corpus: Path) -> None:
    commit(reviewed, corpus, "review-0", {"00000": {"10": [("cat", 1.0, ALL)]}}, "review")
    stream = MaskStream(reviewed.uri)
    assert stream.review_run_ids == ("review-1", "review-0")
    labels = {sample.key: sample.labels for sample in stream}
    assert (labels["10"] == stream.classes.index("cat")).all()
    assert (labels["12"] == stream.classes.index("dog")).all()


def test_reviews_of_another_corpus_and_failed_ones_do_not_count(labelled: Catalog, corpus: Path) -> None:
    masks = {"00000": {"10": [("bird", 1.0, LEFT)]}}
    commit(labelled, corpus, "review-1", masks, "review", {"corpus": "other"})  # type: ignore[arg-type]
    failed = {"status": "failed", "reason": "x"}
    commit(labelled, corpus, "review-2", masks, "review", failed)  # type: ignore[arg-type]
    assert MaskDataset(labelled.uri).review_run_ids == ()


def test_the_lowest_score_that_is_taken_never_drops_what_people_drew(reviewed: Catalog) -> None:
    labels = {s.key: s.labels for s in MaskStream(reviewed.uri, min_score=1)}
    assert (labels["12"] == 3).all()


def test_corrections_survive_compaction(reviewed: Catalog) -> None:
    before = list(MaskStream(reviewed.uri).records())
    assert compact(reviewed.uri).version == 3
    assert list(MaskStream(reviewed.uri).records()) == before
