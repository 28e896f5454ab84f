from __future__ import annotations

import hashlib
import io
import json
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from maskmill.catalogs.dataset import MaskDataset, MaskRecord, MaskStream
from maskmill.catalogs.files import write_rows
from maskmill.catalogs.maintenance import compact, tag
from maskmill.catalogs.rle import encode_mask
from maskmill.catalogs.store import Catalog
from maskmill.schemas.config import CorpusConfig
from maskmill.schemas.errors import CatalogError, CorpusError
from maskmill.schemas.labelmap import IGNORE
from maskmill.schemas.samples import image_id

SIZE = (8, 12)
Masks = dict[str, list[tuple[str, float, Any]]]  # key -> (label, score, slices)
LEFT, RIGHT, ALL = np.s_[:, :6], np.s_[:, 6:], np.s_[:, :]


def _png(value: int) -> bytes:
    packed = io.BytesIO()
    Image.fromarray(np.full((*SIZE, 3), value, np.uint8)).save(packed, "PNG")
    return packed.getvalue()


def _write_tar(path: Path, images: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for key, data in images.items():
            info = tarfile.TarInfo(f"{key}.png")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def _label(catalog: Catalog, corpus: Path, run_id: str, shards: dict[str, Masks]) -> int:
    """Commit and publish a label run over tars that :func:`_write_tar` wrote."""
    for shard_id, masks in shards.items():
        identity = {
            k: {"image_id": image_id("c", k), "corpus": "c", "key": k, "shard_id": shard_id} for k in masks
        }
        images = [
            {
                **identity[key],
                "shard_uri": str(corpus / f"{shard_id}.tar"),
                "width": SIZE[1],
                "height": SIZE[0],
                "sha256": hashlib.sha256(_png(int(key))).hexdigest(),
                "status": "labelled" if found is not None else "no_vocabulary",
                "vocabulary": [],
                "masks": len(found or ()),
            }
            for key, found in masks.items()
        ]
        rows = [
            _mask_row(identity[key], label, score, where)
            for key, found in masks.items()
            for label, score, where in found or ()
        ]
        catalog.commit([write_rows(catalog.uri, "masks", run_id, shard_id, rows)] if rows else [])
        catalog.commit([write_rows(catalog.uri, "images", run_id, shard_id, images)])
    now = datetime.now(UTC)
    texts = dict.fromkeys(("config", "weights", "libraries", "counts"), "{}")
    run = {
        **dict.fromkeys(("reason", "corpus_fingerprint", "parent_run_id")),
        **texts,
        "kind": "label",
        "status": "finished",
        "corpus": "c",
        "corpus_uri": str(corpus),
        "config_hash": "0",
        "code_version": "0",
        "started_at": now,
        "finished_at": now,
        "seconds": 1.0,
    }
    return catalog.publish(run, run_id)


def _mask_row(identity: dict[str, str], label: str, score: float, where: Any) -> dict[str, Any]:
    mask = np.zeros(SIZE, bool)
    mask[where] = True
    return {
        **identity,
        "label": label,
        "label_kind": "vocabulary",
        "segmenter": "s",
        "height": SIZE[0],
        "width": SIZE[1],
        "rle": encode_mask(mask),
        "bbox_x": 0,
        "bbox_y": 0,
        "bbox_w": 1,
        "bbox_h": 1,
        "area": int(mask.sum()),
        "area_fraction": 0.5,
        "components": 1,
        "score": score,
    }


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    _write_tar(tmp_path / "c" / "00000.tar", {k: _png(int(k)) for k in ("10", "11", "12")})
    _write_tar(tmp_path / "c" / "00001.tar", {"20": _png(20)})
    return tmp_path / "c"


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog.create_or_open(str(tmp_path / "catalog"))


@pytest.fixture
def labelled(catalog: Catalog, corpus: Path) -> Catalog:
    first: Any = {"10": [("dog", 0.9, LEFT), ("cat", 0.4, RIGHT)], "11": [], "12": None}
    _label(catalog, corpus, "label-1", {"00000": first, "00001": {"20": [("cat", 0.8, ALL)]}})
    return catalog


def test_masks_become_class_ids_in_the_order_of_the_names(labelled: Catalog) -> None:
    stream = MaskStream(labelled.uri)
    assert stream.classes == ("background", "cat", "dog")
    assert (stream.version, stream.run_id) == (1, "label-1")
    labels = {record.key: record.labels() for record in stream}
    expected = np.zeros(SIZE, np.uint16)
    expected[LEFT], expected[RIGHT] = 2, 1
    assert np.array_equal(labels["10"], expected)
    assert (labels["20"] == 1).all()


def test_an_image_without_masks_is_background_and_one_without_vocabulary_is_left_out(
    labelled: Catalog,
) -> None:
    records = {record.key: record for record in MaskStream(labelled.uri)}
    assert sorted(records) == ["10", "11", "20"]
    assert not records["11"].labels().any()


def test_masks_below_the_score_are_ignored_pixels(labelled: Catalog) -> None:
    record = next(iter(MaskStream(labelled.uri, min_score=0.5)))
    assert (record.labels()[RIGHT] == IGNORE).all()
    assert (record.labels()[LEFT] == 2).all()


def test_given_classes_set_the_ids_and_other_labels_are_ignored(labelled: Catalog) -> None:
    record = next(iter(MaskStream(labelled.uri, classes=("background", "bird", "dog"))))
    assert (record.labels()[LEFT] == 2).all()
    assert (record.labels()[RIGHT] == IGNORE).all()


def test_where_masks_overlap_the_surer_one_lies_on_top(catalog: Catalog, corpus: Path) -> None:
    _label(catalog, corpus, "label-1", {"00001": {"20": [("cat", 0.9, LEFT), ("dog", 0.5, ALL)]}})
    labels = next(iter(MaskStream(catalog.uri))).labels()
    assert (labels[LEFT] == 1).all()
    assert (labels[RIGHT] == 2).all()


def test_a_pinned_version_does_not_see_later_runs(labelled: Catalog, corpus: Path) -> None:
    second = _label(labelled, corpus, "label-2", {"00001": {"20": [("tree", 0.8, ALL)]}})
    assert MaskStream(labelled.uri).run_id == "label-2"
    assert MaskStream(labelled.uri, version=second - 1).run_id == "label-1"
    assert MaskStream(labelled.uri, version=second, run_id="label-1").classes == ("background", "cat", "dog")
    with pytest.raises(CatalogError, match=r"no finished label run 'label-2'; it has: label-1"):
        MaskStream(labelled.uri, version=second - 1, run_id="label-2")


def test_a_run_without_masks_cannot_be_learnt_from(catalog: Catalog, corpus: Path) -> None:
    _label(catalog, corpus, "label-1", {"00001": {"20": []}})
    with pytest.raises(CatalogError, match="has no masks to learn from"):
        MaskStream(catalog.uri)


def test_a_changed_image_is_refused(labelled: Catalog, corpus: Path) -> None:
    _write_tar(corpus / "00001.tar", {"20": _png(99)})
    with pytest.raises(CatalogError, match=r"image '20' has changed since run 'label-1'"):
        list(MaskStream(labelled.uri))


def test_a_lost_image_is_missed(labelled: Catalog, corpus: Path) -> None:
    _write_tar(corpus / "00000.tar", {"10": _png(10)})
    with pytest.raises(CatalogError, match="has lost image '11'"):
        list(MaskStream(labelled.uri))


def test_a_lost_shard_is_missed(labelled: Catalog, corpus: Path) -> None:
    (corpus / "00001.tar").unlink()
    with pytest.raises(CatalogError, match="has no shard '00001'"):
        list(MaskStream(labelled.uri))


def test_a_corpus_that_moved_is_read_where_it_is_said_to_lie(labelled: Catalog, corpus: Path) -> None:
    corpus.rename(corpus.parent / "moved")
    with pytest.raises(CorpusError):
        list(MaskStream(labelled.uri))
    moved = CorpusConfig(uri=str(corpus.parent / "moved"))
    assert [r.key for r in MaskStream(labelled.uri, corpus=moved)] == ["10", "11", "20"]


def test_new_images_in_the_corpus_do_not_matter(labelled: Catalog, corpus: Path) -> None:
    _write_tar(corpus / "00002.tar", {"30": _png(30)})
    assert [r.key for r in MaskStream(labelled.uri)] == ["10", "11", "20"]


def test_the_dataset_decodes_what_it_is_asked_for(labelled: Catalog) -> None:
    dataset = MaskDataset(MaskStream(labelled.uri))
    image, labels = dataset[2]
    assert len(dataset) == 3
    assert dataset.key(2) == "20"
    assert (image == 20).all()
    assert image.shape == (*SIZE, 3)
    assert (labels == 1).all()
    assert labels.dtype == np.uint16


def test_an_image_that_decodes_to_another_size_is_refused() -> None:
    record = MaskRecord("10", _png(10), 5, 5, ())
    with pytest.raises(CatalogError, match="is 12 x 8, its masks are 5 x 5"):
        MaskDataset([record])[0]


def test_reading_needs_no_torch() -> None:
    import subprocess
    import sys

    code = "import sys, maskmill.catalogs.dataset; print(json.dumps('torch' in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", f"import json; {code}"], capture_output=True, text=True, cwd="/"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) is False


def test_a_compacted_run_and_a_tag_give_the_same_records(labelled: Catalog) -> None:
    before = list(MaskStream(labelled.uri))
    tag(labelled.uri, "before")
    assert compact(labelled.uri).version == 2
    assert len(labelled.files("images")) == 1
    assert list(MaskStream(labelled.uri)) == list(MaskStream(labelled.uri, "before")) == before
    assert MaskStream(labelled.uri).classes == ("background", "cat", "dog")
    assert (MaskStream(labelled.uri).version, MaskStream(labelled.uri, "before").version) == (2, 1)
