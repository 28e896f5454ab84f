"""The label stage with captions as the vocabulary: each image is asked for what its own captions name."""

from __future__ import annotations

from pathlib import Path

from colour_labelling import BLUE, BROKEN, ColourSegmenter, config, png, rows, write_tar
from tiny import INLINE

from maskmill.catalogs.maintenance import compact
from maskmill.catalogs.store import Catalog
from maskmill.schemas.config import CorpusConfig, FilterConfig
from maskmill.tasks.caption_filter import filter_run
from maskmill.tasks.label import label_run


def test_captions_are_the_vocabulary_of_their_image(tmp_path: Path, catalog: str) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    captions = {"a": "a dog and a cat", "b": "nothing to see", "c": None, "d": "A cat."}
    write_tar(folder / "0.tar", {key: (png(BLUE), text) for key, text in captions.items()})
    words = tmp_path / "words.txt"
    words.write_text("cat\ndog\n")
    summary = label_run(
        CorpusConfig(uri=str(folder)),
        catalog,
        config(vocabulary="captions", filter=FilterConfig(entities=str(words), drop_duplicates=False)),
        segmenter_factory=ColourSegmenter,
    )
    assert rows(catalog, "SELECT key, status, vocabulary, masks FROM images ORDER BY key") == [
        {"key": "a", "status": "labelled", "vocabulary": ["dog", "cat"], "masks": 1},
        {"key": "b", "status": "no_vocabulary", "vocabulary": [], "masks": 0},
        {"key": "c", "status": "no_vocabulary", "vocabulary": [], "masks": 0},
        {"key": "d", "status": "labelled", "vocabulary": ["cat"], "masks": 1},
    ]
    assert rows(catalog, "SELECT key, label FROM masks ORDER BY key") == [
        {"key": "a", "label": "dog"},
        {"key": "d", "label": "cat"},
    ]
    assert summary.counts["captions_kept"] == 2
    parent = Catalog.open(catalog).run(summary.run_id)["parent_run_id"]  # type: ignore[index]
    assert parent.startswith("filter-")


def test_an_image_that_was_there_before_has_a_row_and_is_not_labelled_again(
    tmp_path: Path, catalog: str
) -> None:
    folder = tmp_path / "twice"
    folder.mkdir()
    write_tar(folder / "0.tar", {"a": (png(BLUE), "a dog"), "b": (png(BROKEN), "a cat")})
    write_tar(folder / "1.tar", {"c": (png(BLUE), "a dog"), "b": (png(BLUE), "the key was taken")})
    words = tmp_path / "words.txt"
    words.write_text("cat\ndog\n")
    entities = FilterConfig(entities=str(words))
    settings = config(vocabulary="captions", filter=entities, pool={"error_limit": 0.6})
    label_run(CorpusConfig(uri=str(folder)), catalog, settings, segmenter_factory=ColourSegmenter)
    found = rows(catalog, "SELECT key, shard_id, status, masks FROM images ORDER BY key")
    assert found == [
        {"key": "a", "shard_id": "0", "status": "labelled", "masks": 1},
        {"key": "c", "shard_id": "1", "status": "duplicate_image", "masks": 0},
    ]
    reasons = rows(catalog, "SELECT stage, key, shard_id, reason FROM errors ORDER BY stage, shard_id")
    assert [tuple(r.values()) for r in reasons] == [
        ("filter", "b", "1", "duplicate_key"),
        ("label", "b", "0", "segmenter_failed"),
        ("label", "b", "1", "not_filtered"),
    ]


def test_captions_of_a_compacted_filter_run_are_the_same_vocabulary(tmp_path: Path, catalog: str) -> None:
    folder = tmp_path / "several"
    folder.mkdir()
    for shard, text in enumerate(["a dog", "a cat", "nothing", "dog and cat"]):
        write_tar(folder / f"{shard}.tar", {f"k{shard}": (png(BLUE), text)})
    words = tmp_path / "words.txt"
    words.write_text("cat\ndog\n")
    entities = FilterConfig(entities=str(words), drop_duplicates=False, pool=INLINE)
    corpus = CorpusConfig(uri=str(folder))
    filtered = filter_run(corpus, catalog, entities)
    compact(catalog, filtered.run_id)
    assert len(Catalog.open(catalog).files("captions")) == 1
    settings = config(vocabulary="captions", filter=entities)
    label_run(corpus, catalog, settings, segmenter_factory=ColourSegmenter)
    assert rows(catalog, "SELECT key, vocabulary FROM images ORDER BY key") == [
        {"key": "k0", "vocabulary": ["dog"]},
        {"key": "k1", "vocabulary": ["cat"]},
        {"key": "k2", "vocabulary": []},
        {"key": "k3", "vocabulary": ["dog", "cat"]},
    ]
    compact(catalog)
    assert label_run(corpus, catalog, settings, segmenter_factory=ColourSegmenter).resumed
