from __future__ import annotations

import io
import pickle
import tarfile
from pathlib import Path

import pytest
import torch
from filter_runs import caption_row, publish_filter
from hypothesis import given
from hypothesis import strategies as st
from loadable_triplets import LoadableTriplets

from maskmill.catalogs.files import write_rows
from maskmill.catalogs.maintenance import compact
from maskmill.catalogs.store import Catalog
from maskmill.catalogs.triplets import Mention, Triplet, TripletStream, masked
from maskmill.schemas.config import CorpusConfig
from maskmill.schemas.errors import CatalogError
from maskmill.schemas.samples import image_id

CAPTIONS = {
    "00000": {
        "a": ["so nice", "a [cat] \N{CAT FACE} and a [dog]", "one [cat]"],
        "b": ["what a view"],
        "c": ["two [dog]s, [dog]s"],
    },
    "00001": {"d": [f"[bird] {i}" for i in range(5)], "e": ["a [cat]"]},
    "00002": {"f": ["nothing"]},
}


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    catalog = Catalog.create_or_open(str(tmp_path / "catalog"))
    publish_filter(catalog, "filter-1", CAPTIONS)
    return catalog


def keys(stream: TripletStream) -> list[str]:
    return [triplet.key for triplet in stream]


def drawn(stream: TripletStream) -> dict[str, int]:
    return {triplet.key: triplet.caption_index for triplet in stream}


def test_each_image_with_a_kept_caption_comes_once(catalog: Catalog) -> None:
    stream = TripletStream(catalog.uri)
    assert (stream.version, stream.run_id) == (1, "filter-1")
    assert keys(stream) == ["a", "c", "d", "e"]
    assert {t.key: t.shard_id for t in stream} == {"a": "00000", "c": "00000", "d": "00001", "e": "00001"}


def test_a_triplet_holds_what_the_catalog_holds(catalog: Catalog) -> None:
    triplets = {(t.key, t.caption_index): t for e in range(20) for t in TripletStream(catalog.uri, epoch=e)}
    assert triplets["a", 1] == Triplet(
        image_id=image_id("c", "a"),
        key="a",
        shard_id="00000",
        caption_index=1,
        caption="a cat \N{CAT FACE} and a dog",
        entities=("cat", "dog"),
        spans=(Mention(2, 5, "cat"), Mention(14, 17, "dog")),
    )
    assert ("a", 0) not in triplets
    for triplet in triplets.values():
        assert all(triplet.caption[s.start : s.end] == s.entity for s in triplet.spans)


def test_the_caption_depends_on_seed_epoch_and_image_alone(catalog: Catalog) -> None:
    first = drawn(TripletStream(catalog.uri, seed=3, epoch=7))
    halves = [drawn(TripletStream(catalog.uri, seed=3, epoch=7, shard=(rank, 2))) for rank in range(2)]
    assert halves[0] | halves[1] == first
    assert drawn(TripletStream(catalog.uri, seed=3).at_epoch(7)) == first
    seen = {drawn(TripletStream(catalog.uri, seed=seed).at_epoch(1))["d"] for seed in range(20)}
    assert seen == set(range(5))


def test_ranks_share_the_files_out(catalog: Catalog) -> None:
    shares = [keys(TripletStream(catalog.uri, shard=(rank, 2))) for rank in range(2)]
    assert shares == [["a", "c"], ["d", "e"]]
    assert keys(TripletStream(catalog.uri, shard=(4, 5))) == []


@pytest.mark.parametrize("shard", [(-1, 2), (2, 2), (0, 0)])
def test_a_rank_that_cannot_be_is_refused(catalog: Catalog, shard: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="ranks"):
        TripletStream(catalog.uri, shard=shard)


@pytest.mark.slow
def test_workers_of_a_loader_share_their_ranks_files(catalog: Catalog) -> None:
    stream = TripletStream(catalog.uri, seed=1)
    loader = torch.utils.data.DataLoader(
        LoadableTriplets(stream), batch_size=None, num_workers=2, multiprocessing_context="spawn"
    )
    assert sorted(loader) == sorted(f"{key}{index}" for key, index in drawn(stream).items())


def test_a_stream_can_be_sent_to_another_process(catalog: Catalog) -> None:
    stream = TripletStream(catalog.uri, seed=1)
    assert list(pickle.loads(pickle.dumps(stream))) == list(stream)


def test_an_image_whose_captions_lie_in_two_row_groups_comes_once(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maskmill.catalogs.files.ROW_GROUP", 2)
    rows = [caption_row(key, "0", i, f"a [cat] {i}") for key in "xyz" for i in range(3)]
    catalog.commit([write_rows(catalog.uri, "captions", "filter-2", "0", rows)])
    publish_filter(catalog, "filter-2", {})
    stream = TripletStream(catalog.uri, run_id="filter-2")
    seen = [drawn(stream.at_epoch(epoch)) for epoch in range(40)]
    assert {tuple(found) for found in seen} == {("x", "y", "z")}
    assert {found["y"] for found in seen} == {0, 1, 2}


def test_a_pinned_version_does_not_see_later_runs(catalog: Catalog) -> None:
    publish_filter(catalog, "filter-2", {"00000": {"z": ["a [tree]"]}})
    assert keys(TripletStream(catalog.uri)) == ["z"]
    assert keys(TripletStream(catalog.uri, version=1)) == ["a", "c", "d", "e"]
    assert keys(TripletStream(catalog.uri, version=2, run_id="filter-1")) == ["a", "c", "d", "e"]
    with pytest.raises(CatalogError, match=r"no finished filter run 'filter-2'; it has: filter-1"):
        TripletStream(catalog.uri, version=1, run_id="filter-2")


def test_a_run_of_another_kind_or_a_failed_one_is_no_filter_run(tmp_path: Path) -> None:
    catalog = Catalog.create_or_open(str(tmp_path / "catalog"))
    publish_filter(catalog, "label-1", CAPTIONS, kind="label")
    publish_filter(catalog, "filter-1", CAPTIONS, status="failed")
    with pytest.raises(CatalogError, match="no finished filter run; it has: none"):
        TripletStream(catalog.uri)


def test_a_damaged_file_is_named(catalog: Catalog) -> None:
    (file,) = (f for f in catalog.files("captions") if "00001" in f)
    Path(file).write_bytes(b"PAR1")
    with pytest.raises(CatalogError, match=r"cannot read .*00001\.parquet"):
        list(TripletStream(catalog.uri))


# --- images


def _write_members(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def _write_tar(path: Path, keys: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_members(path, {f"{key}.jpg": f"jpg-{key}".encode() for key in keys})


@pytest.fixture
def with_corpus(tmp_path: Path) -> tuple[Catalog, Path]:
    for shard_id, images in CAPTIONS.items():
        _write_tar(tmp_path / "c" / f"{shard_id}.tar", "".join(images))
    catalog = Catalog.create_or_open(str(tmp_path / "catalog"))
    publish_filter(catalog, "filter-1", CAPTIONS, str(tmp_path / "c"))
    return catalog, tmp_path / "c"


def test_triplets_come_with_their_images(with_corpus: tuple[Catalog, Path]) -> None:
    catalog, _ = with_corpus
    stream = TripletStream(catalog.uri, epoch=5)
    pairs = list(stream.samples())
    assert [(s.key, s.image) for s, _ in pairs] == [(k, f"jpg-{k}".encode()) for k in "acde"]
    assert [t for _, t in pairs] == list(stream)
    assert [t.key for _, t in TripletStream(catalog.uri, shard=(1, 2)).samples()] == ["d", "e"]


def test_a_corpus_that_moved_is_read_where_it_is_said_to_lie(with_corpus: tuple[Catalog, Path]) -> None:
    catalog, corpus = with_corpus
    corpus.rename(corpus.parent / "moved")
    moved = CorpusConfig(uri=str(corpus.parent / "moved"))
    assert [t.key for _, t in TripletStream(catalog.uri).samples(moved)] == ["a", "c", "d", "e"]


def test_a_lost_shard_or_image_is_missed(with_corpus: tuple[Catalog, Path]) -> None:
    catalog, corpus = with_corpus
    _write_tar(corpus / "00000.tar", "ab")
    with pytest.raises(CatalogError, match="shard '00000' has lost image 'c'"):
        list(TripletStream(catalog.uri).samples())
    (corpus / "00001.tar").unlink()
    with pytest.raises(CatalogError, match="has no shard '00001'"):
        list(TripletStream(catalog.uri, shard=(1, 3)).samples())


def test_an_image_that_cannot_be_read_is_left_out(with_corpus: tuple[Catalog, Path]) -> None:
    catalog, corpus = with_corpus
    _write_members(corpus / "00001.tar", {"d.txt": b"a bird", "e.jpg": b"jpg-e"})
    assert [t.key for _, t in TripletStream(catalog.uri, shard=(1, 3)).samples()] == ["e"]


def test_a_shard_without_any_readable_image_is_an_error(with_corpus: tuple[Catalog, Path]) -> None:
    catalog, corpus = with_corpus
    _write_members(corpus / "00001.tar", {"d.txt": b"a bird", "e.txt": b"a cat"})
    with pytest.raises(CatalogError, match=r"none of the 2 images of shard '00001' .*'d': missing"):
        list(TripletStream(catalog.uri, shard=(1, 3)).samples())


# --- masks


def triplet_of(pieces: list[tuple[str, str | None]]) -> Triplet:
    """Make a triplet of pieces of a caption, each with the entity that it names."""
    caption, spans = "", []
    for text, entity in pieces:
        if entity is not None and text:
            spans.append(Mention(len(caption), len(caption) + len(text), entity))
        caption += text
    entities = tuple(dict.fromkeys(span.entity for span in spans))
    return Triplet("0" * 32, "k", "s", 0, caption, entities, tuple(spans))


PIECES = st.lists(st.tuples(st.text(max_size=8), st.sampled_from([None, "cat", "dog"])), max_size=8)


@given(PIECES, st.sampled_from(["cat", "dog", None]), st.text(max_size=6))
def test_every_mention_is_masked_and_nothing_else(
    pieces: list[tuple[str, str | None]], entity: str | None, mask: str
) -> None:
    triplet = triplet_of(pieces)
    hidden = [t != "" and e is not None and entity in (None, e) for t, e in pieces]
    expected = "".join(mask if h else text for (text, _), h in zip(pieces, hidden, strict=True))
    if entity is not None and not any(hidden):
        with pytest.raises(ValueError, match="names no"):
            masked(triplet, entity, mask)
    else:
        assert masked(triplet, entity, mask) == expected


def test_the_mask_is_that_of_the_paper_and_all_entities_are_masked_by_default() -> None:
    triplet = triplet_of([("A ", None), ("kitten", "cat"), (" sees ", None), ("dogs", "dog"), (".", None)])
    assert masked(triplet, "cat") == "A [MASK] sees dogs."
    assert masked(triplet) == "A [MASK] sees [MASK]."


def test_mentions_that_overlap_become_one_mask() -> None:
    spans = (Mention(0, 11, "clock"), Mention(6, 11, "clock"), Mention(15, 20, "clock"))
    triplet = Triplet("0" * 32, "k", "s", 0, "alarm clock or clock", ("clock",), spans)
    assert masked(triplet, "clock", "_") == "_ or _"


def test_a_compacted_run_gives_the_same_triplets(with_corpus: tuple[Catalog, Path]) -> None:
    catalog, _ = with_corpus
    before, pairs = list(TripletStream(catalog.uri)), list(TripletStream(catalog.uri).samples())
    compact(catalog.uri)
    assert len(catalog.files("captions")) == 1
    assert list(TripletStream(catalog.uri)) == before
    assert list(TripletStream(catalog.uri).samples()) == pairs
