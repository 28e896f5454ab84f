"""The label stage on small corpora, with a segmenter that needs no model."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from PIL import Image

from maskmill.catalogs.maintenance import compact
from maskmill.catalogs.query import query
from maskmill.catalogs.rle import decode_mask
from maskmill.catalogs.store import Catalog
from maskmill.schemas.config import CorpusConfig, FilterConfig, LabelConfig, PoolConfig, SegmenterConfig
from maskmill.schemas.errors import ConfigError, CorpusError, StageError
from maskmill.schemas.labelmap import LabelMap
from maskmill.schemas.vocabulary import Vocabulary
from maskmill.tasks.caption_filter import filter_run
from maskmill.tasks.label import label_run
from maskmill.tasks.pool import WorkerFault

BLUE, GREEN, BROKEN = (10, 10, 200), (10, 200, 10), (1, 2, 3)


class ColourSegmenter:
    """The left half of an image is the first class of its vocabulary that is no background."""

    id = "colour@1"

    def __init__(self, config: SegmenterConfig) -> None:
        self.weights = {"colour": "abc"}

    def __call__(
        self, images: Sequence[NDArray[np.uint8]], vocabularies: Sequence[Vocabulary]
    ) -> list[LabelMap]:
        return [self._one(image, v) for image, v in zip(images, vocabularies, strict=True)]

    def _one(self, image: NDArray[np.uint8], vocabulary: Vocabulary) -> LabelMap:
        if tuple(image[0, 0]) == BROKEN:
            raise ValueError("a colour that breaks the segmenter")
        labels = np.zeros(image.shape[:2], np.uint16)
        labels[:, : image.shape[1] // 2] = 1
        return LabelMap(labels, np.full(labels.shape, 0.5, np.float16), vocabulary.names)


def png(colour: tuple[int, int, int]) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (16, 12), colour).save(file, "PNG")
    return file.getvalue()


def write_tar(path: Path, samples: dict[str, tuple[bytes, str | None]]) -> None:
    with tarfile.open(path, "w") as archive:
        for key, (image, caption) in samples.items():
            parts = {"png": image} | ({} if caption is None else {"txt": caption.encode()})
            for suffix, body in parts.items():
                member = tarfile.TarInfo(f"{key}.{suffix}")
                member.size = len(body)
                archive.addfile(member, io.BytesIO(body))


@pytest.fixture
def corpus(tmp_path: Path) -> CorpusConfig:
    """Four shards of three images each."""
    folder = tmp_path / "birds"
    folder.mkdir()
    for shard in range(4):
        keys = [f"{shard}{n}" for n in range(3)]
        write_tar(folder / f"{shard:05d}.tar", {key: (png(BLUE), "a photo of a dog") for key in keys})
    return CorpusConfig(uri=str(folder))


@pytest.fixture
def catalog(tmp_path: Path) -> str:
    return str(tmp_path / "catalog")


def config(**fields: Any) -> LabelConfig:
    pool = PoolConfig(**{"backend": "inline", **fields.pop("pool", {})})
    return LabelConfig(**{"vocabulary": "demo", "batch_images": 2, "pool": pool, **fields})


def rows(catalog: str, sql: str) -> list[dict[str, Any]]:
    return query(catalog, sql).to_pylist()


class Watcher:
    """A progress that remembers, and may act on each advance."""

    def __init__(self, on_advance: Callable[[], None] = lambda: None) -> None:
        self.said: list[str] = []
        self.stages: list[tuple[str, int]] = []
        self.counts = {"images": 0, "masks": 0, "errors": 0}
        self.on_advance = on_advance

    def start(self, stage: str, total: int, unit: str = "shards") -> None:
        self.stages.append((stage, total))

    def advance(self, done: int, **counts: int) -> None:
        for name, number in counts.items():
            self.counts[name] += number
        self.on_advance()

    def finish(self) -> None:
        self.stages.append(("finished", 0))

    def say(self, line: str) -> None:
        self.said.append(line)


def test_every_image_is_labelled_once(corpus: CorpusConfig, catalog: str) -> None:
    watcher = Watcher()
    summary = label_run(corpus, catalog, config(), progress=watcher, segmenter_factory=ColourSegmenter)
    assert summary.counts == {"images": 12, "masks": 12, "errors": 0, "labels": 1, "repeated": 0, "shards": 4}
    assert summary.version == Catalog.open(catalog).version()
    assert (summary.kind, summary.resumed, summary.corpus) == ("label", False, "birds")
    (image,) = rows(catalog, "FROM images WHERE key = '01'")
    assert (image["width"], image["height"], image["status"], image["masks"]) == (16, 12, "labelled", 1)
    assert "background" not in image["vocabulary"]
    (mask,) = rows(catalog, "FROM masks WHERE key = '01'")
    assert mask["image_id"] == image["image_id"]
    assert (mask["segmenter"], mask["label_kind"], mask["score"]) == ("colour@1", "vocabulary", 0.5)
    expected = np.zeros((12, 16), bool)
    expected[:, :8] = True
    np.testing.assert_array_equal(decode_mask(mask["rle"], mask["height"], mask["width"]), expected)
    assert watcher.stages == [("label", 4), ("finished", 0)]
    assert watcher.counts == {"images": 12, "masks": 12, "errors": 0}


def test_the_run_row_names_the_weights_and_counts(corpus: CorpusConfig, catalog: str) -> None:
    summary = label_run(corpus, catalog, config(), segmenter_factory=ColourSegmenter)
    row = Catalog.open(catalog).run(summary.run_id)
    assert row is not None
    assert (row["status"], row["weights"], row["counts"]) == ("finished", {"colour": "abc"}, summary.counts)


def test_a_finished_run_is_not_repeated(corpus: CorpusConfig, catalog: str) -> None:
    def never(config: SegmenterConfig) -> ColourSegmenter:
        raise AssertionError("no model is needed")

    first = label_run(corpus, catalog, config(), segmenter_factory=ColourSegmenter)
    again = label_run(corpus, catalog, config(batch_images=7), segmenter_factory=never)
    assert again.resumed
    assert (again.run_id, again.version, again.counts) == (first.run_id, first.version, first.counts)


def test_another_vocabulary_is_another_run(corpus: CorpusConfig, catalog: str) -> None:
    first = label_run(corpus, catalog, config(), segmenter_factory=ColourSegmenter)
    second = label_run(corpus, catalog, config(vocabulary="voc21"), segmenter_factory=ColourSegmenter)
    assert second.run_id != first.run_id
    assert rows(catalog, "SELECT count(*) AS n FROM images") == [{"n": 24}]


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


def test_an_image_the_segmenter_fails_on_is_an_error_row(corpus: CorpusConfig, catalog: str) -> None:
    write_tar(Path(corpus.uri, "00001.tar"), {k: (png(BROKEN if k == "y" else BLUE), None) for k in "xyz"})
    summary = label_run(corpus, catalog, config(), segmenter_factory=ColourSegmenter)
    assert (summary.counts["images"], summary.counts["errors"]) == (11, 1)
    (error,) = rows(catalog, "FROM errors")
    assert (error["stage"], error["key"], error["reason"]) == ("label", "y", "segmenter_failed")
    assert "a colour that breaks the segmenter" in error["detail"]
    assert rows(catalog, "SELECT key FROM images WHERE shard_id = '00001' ORDER BY key") == [
        {"key": "x"},
        {"key": "z"},
    ]


def test_a_shard_that_vanishes_is_one_error_row_and_the_rest_is_labelled(
    corpus: CorpusConfig, catalog: str
) -> None:
    def vanishing(settings: SegmenterConfig) -> ColourSegmenter:
        Path(corpus.uri, "00002.tar").unlink()
        return ColourSegmenter(settings)

    watcher = Watcher()
    settings = config(pool={"error_limit": 0.5})
    summary = label_run(corpus, catalog, settings, progress=watcher, segmenter_factory=vanishing)
    assert (summary.counts["images"], summary.counts["errors"], summary.counts["shards"]) == (9, 1, 3)
    (error,) = rows(catalog, "FROM errors")
    assert (error["shard_id"], error["key"], error["reason"]) == ("00002", None, "shard_quarantined")
    assert "00002.tar" in error["detail"]
    assert any(line.startswith("shard 00002 is given up") for line in watcher.said)


def test_a_shard_under_which_a_worker_breaks_is_tried_again(corpus: CorpusConfig, catalog: str) -> None:
    built: list[int] = []

    class Breaking(ColourSegmenter):
        def __call__(self, images: Any, vocabularies: Any) -> list[LabelMap]:
            if len(built) == 1:
                raise WorkerFault("the GPU failed")
            return super().__call__(images, vocabularies)

    def factory(settings: SegmenterConfig) -> ColourSegmenter:
        built.append(1)
        return Breaking(settings)

    watcher = Watcher()
    summary = label_run(corpus, catalog, config(), progress=watcher, segmenter_factory=factory)
    assert (summary.counts["images"], len(built)) == (12, 2)
    assert "shard 00000: the GPU failed; it is tried again" in watcher.said


def test_too_many_bad_samples_fail_the_run_and_a_higher_limit_takes_it_up(
    corpus: CorpusConfig, catalog: str
) -> None:
    for shard in range(4):
        pictures = {f"{shard}{n}": (b"" if n < 2 else png(BLUE), None) for n in range(3)}
        write_tar(Path(corpus.uri, f"{shard:05d}.tar"), pictures)
    with pytest.raises(StageError, match=r"2 of 3 samples are bad.*10%.*empty_file \(2\)"):
        label_run(corpus, catalog, config(pool={"error_limit": 0.1}), segmenter_factory=ColourSegmenter)
    assert rows(catalog, "SELECT status FROM runs") == [{"status": "failed"}]
    assert rows(catalog, "FROM images") == []
    watcher = Watcher()
    settings = config(pool={"error_limit": 0.9})
    summary = label_run(corpus, catalog, settings, progress=watcher, segmenter_factory=ColourSegmenter)
    assert watcher.said[0] == "1 of 4 shards are labelled already"
    assert watcher.stages[0] == ("label", 3)
    assert (summary.counts["images"], summary.counts["errors"]) == (4, 8)
    assert rows(catalog, "SELECT status FROM runs") == [{"status": "finished"}]


def test_a_run_that_failed_at_its_last_shard_fails_again(corpus: CorpusConfig, catalog: str) -> None:
    write_tar(Path(corpus.uri, "00003.tar"), {f"{n}": (b"", None) for n in range(3)})
    for _ in range(2):
        with pytest.raises(StageError, match="3 of 12 samples are bad"):
            label_run(corpus, catalog, config(), segmenter_factory=ColourSegmenter)


@pytest.mark.parametrize(
    ("fault", "error"),
    [({"vocabulary": "no-such-file.txt"}, ConfigError), ({"uri": "/nowhere/at/all"}, CorpusError)],
)
def test_a_wrong_configuration_fails_before_anything_is_made(
    corpus: CorpusConfig, catalog: str, fault: dict[str, str], error: type[Exception]
) -> None:
    where = CorpusConfig(uri=fault.get("uri", corpus.uri))
    settings = config(**{k: v for k, v in fault.items() if k != "uri"})
    with pytest.raises(error):
        label_run(where, catalog, settings, segmenter_factory=ColourSegmenter)
    assert not Path(catalog).exists()


def test_a_run_id_keeps_its_configuration(corpus: CorpusConfig, catalog: str) -> None:
    label_run(corpus, catalog, config(), run_id="mine", segmenter_factory=ColourSegmenter)
    with pytest.raises(ConfigError, match="'mine' exists with another configuration"):
        label_run(corpus, catalog, config(min_area=5), run_id="mine", segmenter_factory=ColourSegmenter)


def test_an_interrupted_run_id_keeps_its_configuration(corpus: CorpusConfig, catalog: str) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        label_run(
            corpus,
            catalog,
            config(),
            run_id="mine",
            progress=Watcher(interrupt),
            segmenter_factory=ColourSegmenter,
        )
    with pytest.raises(ConfigError, match="'mine' exists with another configuration"):
        label_run(corpus, catalog, config(min_area=5), run_id="mine", segmenter_factory=ColourSegmenter)
    summary = label_run(corpus, catalog, config(), run_id="mine", segmenter_factory=ColourSegmenter)
    assert (summary.counts["images"], summary.resumed) == (12, False)


def test_a_driver_that_dies_between_two_tables_leaves_no_row_twice(
    corpus: CorpusConfig, catalog: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tar(Path(corpus.uri, "00001.tar"), {k: (png(BROKEN if k == "y" else BLUE), None) for k in "xyz"})
    commit = Catalog.commit

    def dying(self: Catalog, adds: Any) -> int:
        if adds[0].table == "images":
            raise SystemExit
        return commit(self, adds)

    monkeypatch.setattr(Catalog, "commit", dying)
    with pytest.raises(SystemExit):
        label_run(corpus, catalog, config(), segmenter_factory=ColourSegmenter)
    monkeypatch.setattr(Catalog, "commit", commit)

    class Mended(ColourSegmenter):
        def _one(self, image: NDArray[np.uint8], vocabulary: Vocabulary) -> LabelMap:
            return super()._one(np.zeros_like(image), vocabulary)

    summary = label_run(corpus, catalog, config(), segmenter_factory=Mended)
    assert (summary.counts["images"], summary.counts["masks"], summary.counts["errors"]) == (12, 12, 0)
    assert rows(catalog, "FROM errors") == []
    assert rows(catalog, "SELECT count(*) AS n, count(DISTINCT image_id) AS d FROM masks") == [
        {"n": 12, "d": 12}
    ]


def test_a_driver_killed_in_the_middle_is_continued_to_the_same_rows(tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for shard in range(14):
        write_tar(folder / f"{shard:05d}.tar", {f"{shard}{n}": (png(GREEN), None) for n in "ab"})
    arguments = [sys.executable, __file__, str(folder)]
    killed = subprocess.run([*arguments, str(tmp_path / "one"), "12"], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (files,) = (tmp_path / "one" / "images").glob("run_id=*")
    assert len(list(files.glob("*.parquet"))) == 12
    watcher = Watcher()
    corpus = CorpusConfig(uri=str(folder))
    resumed = label_run(
        corpus, str(tmp_path / "one"), config(), progress=watcher, segmenter_factory=ColourSegmenter
    )
    assert "10 of 14 shards are labelled already" in watcher.said
    whole = label_run(corpus, str(tmp_path / "two"), config(), segmenter_factory=ColourSegmenter)
    assert resumed.counts == whole.counts
    assert resumed.run_id == whole.run_id
    for table in ("images", "masks"):
        one, two = (query(str(tmp_path / name), f"FROM {table} ORDER BY image_id") for name in ("one", "two"))
        assert one.equals(two)
    sizes = {
        name: [pq.read_metadata(uri).num_rows for uri in Catalog.open(str(tmp_path / name)).files("masks")]
        for name in ("one", "two")
    }
    assert sizes["one"] == sizes["two"] == [2] * 14


def test_ray_workers_write_the_same_rows(corpus: CorpusConfig, tmp_path: Path) -> None:
    from maskmill.tasks import ray_pool

    ray_pool.ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    for backend in ("inline", "ray"):
        settings = config(pool={"backend": backend, "workers": 2})
        label_run(corpus, str(tmp_path / backend), settings, segmenter_factory=ColourSegmenter)
    for table in ("images", "masks"):
        inline, on_ray = (
            query(str(tmp_path / name), f"FROM {table} ORDER BY image_id") for name in ("inline", "ray")
        )
        assert inline.num_rows == 12
        assert inline.equals(on_ray)
    assert not ray_pool.ray.is_initialized()


def _label_and_die(folder: str, catalog: str, shards: str) -> None:
    """Label until some shards are done, then die as a machine does."""
    left = [None] * int(shards)

    def die() -> None:
        left.pop()
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    label_run(
        CorpusConfig(uri=folder), catalog, config(), progress=Watcher(die), segmenter_factory=ColourSegmenter
    )


if __name__ == "__main__":
    print(json.dumps(sys.argv))
    _label_and_die(*sys.argv[1:])


def test_captions_of_a_compacted_filter_run_are_the_same_vocabulary(tmp_path: Path, catalog: str) -> None:
    folder = tmp_path / "several"
    folder.mkdir()
    for shard, text in enumerate(["a dog", "a cat", "nothing", "dog and cat"]):
        write_tar(folder / f"{shard}.tar", {f"k{shard}": (png(BLUE), text)})
    words = tmp_path / "words.txt"
    words.write_text("cat\ndog\n")
    entities = FilterConfig(entities=str(words), drop_duplicates=False)
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
