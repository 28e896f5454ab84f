"""What real corpora hold: every bad sample is an ``errors`` row, and every other image is labelled."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from maskmill.catalogs.query import query
from maskmill.catalogs.store import Catalog
from maskmill.schemas.config import CorpusConfig, LabelConfig, PoolConfig, SegmenterConfig
from maskmill.schemas.errors import StageError
from maskmill.schemas.labelmap import LabelMap
from maskmill.schemas.vocabulary import Vocabulary
from maskmill.tasks.label import label_run
from maskmill.tasks.runs import RunSummary

PICTURE = np.linspace(0, 255, 24 * 36 * 3).astype(np.uint8).reshape(24, 36, 3)


class WholeImage:
    """Gives all of an image the first class that is no background."""

    id = "whole@1"

    def __init__(self, config: SegmenterConfig) -> None:
        self.weights: dict[str, str] = {}

    def __call__(
        self, images: Sequence[NDArray[np.uint8]], vocabularies: Sequence[Vocabulary]
    ) -> list[LabelMap]:
        for image in images:
            assert image.dtype == np.uint8
            assert image.ndim == 3
            assert image.shape[2] == 3
        return [
            LabelMap(np.ones(i.shape[:2], np.uint16), np.ones(i.shape[:2], np.float16), v.names)
            for i, v in zip(images, vocabularies, strict=True)
        ]


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def rotated_by_exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(Image.fromarray(PICTURE), "JPEG", exif=exif)


RGB = Image.fromarray(PICTURE)
GOOD = {
    "cmyk.jpg": encoded(RGB.convert("CMYK"), "JPEG"),
    "deep.png": encoded(Image.fromarray(PICTURE[..., 0].astype(np.uint16) * 257), "PNG"),
    "palette.png": encoded(RGB.convert("P"), "PNG", transparency=3),
    "alpha.png": encoded(RGB.convert("RGBA"), "PNG"),
    "gray.jpg": encoded(RGB.convert("L"), "JPEG"),
    "dot.png": encoded(Image.new("RGB", (1, 1)), "PNG"),
    "wide.png": encoded(Image.new("RGB", (2000, 1)), "PNG"),
    "turned.jpg": rotated_by_exif(),
    "moving.gif": encoded(RGB, "GIF", save_all=True, append_images=[RGB.rotate(90)]),
    "plain.webp": encoded(RGB, "WEBP"),
}
BAD = {
    "cut.jpg": (encoded(RGB, "JPEG")[:-300], "truncated_image"),
    "empty.jpg": (b"", "empty_file"),
    "page.jpg": (b"<html><body>410 Gone</body></html>", "not_an_image"),
    "huge.png": (encoded(Image.new("1", (3000, 1000)), "PNG"), "too_large"),
}


def add(archive: tarfile.TarFile, name: str, body: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(body)
    archive.addfile(member, io.BytesIO(body))


@pytest.fixture
def corpus(tmp_path: Path) -> CorpusConfig:
    """One shard of the files above, one with a null caption and no image, one that is cut short."""
    folder = tmp_path / "wild"
    folder.mkdir()
    with tarfile.open(folder / "00000.tar", "w") as archive:
        for name, body in [*GOOD.items(), *((name, body) for name, (body, _) in BAD.items())]:
            add(archive, name, body)
            add(archive, f"{Path(name).stem}.txt", b"a dog")
    with tarfile.open(folder / "00001.tar", "w") as archive:
        add(archive, "nothing.jpg", encoded(RGB, "JPEG"))
        add(archive, "nothing.json", b'{"caption": null}')
        add(archive, "lonely.txt", b"a dog without a picture")
    with tarfile.open(folder / "00002.tar", "w") as archive:
        for quarter, name in enumerate(("first", "second", "third")):
            add(archive, f"{name}.png", encoded(RGB.rotate(90 * quarter, expand=True), "PNG"))
            add(archive, f"{name}.txt", b"a dog")
    whole = (folder / "00002.tar").read_bytes()
    (folder / "00002.tar").write_bytes(whole[: whole.index(b"third.png") + 700])
    return CorpusConfig(uri=str(folder))


def label(corpus: CorpusConfig, catalog: Path, limit: float = 0.5, **fields: object) -> RunSummary:
    factory = fields.pop("factory", WholeImage)
    pool = PoolConfig(backend="inline", error_limit=limit)
    config = LabelConfig.model_validate({"max_pixels": 2_000_000, "min_area": 1, "pool": pool, **fields})
    return label_run(corpus, str(catalog), config, segmenter_factory=factory)  # type: ignore[arg-type]


def errors_of(catalog: Path) -> dict[tuple[str, str | None], str]:
    rows = query(str(catalog), "FROM errors WHERE stage = 'label'").to_pylist()
    assert all(row["detail"] for row in rows)
    reasons = {(row["shard_id"], row["key"]): row["reason"] for row in rows}
    assert len(reasons) == len(rows)
    return reasons


EXPECTED: dict[tuple[str, str | None], str] = {
    **{("00000", Path(name).stem): reason for name, (_, reason) in BAD.items()},
    ("00001", "lonely"): "missing_image",
    ("00002", None): "truncated_shard",
}
LABELLED = {Path(name).stem for name in GOOD} | {"first", "second"}


def test_every_bad_file_is_an_error_row_and_every_other_image_is_labelled(
    corpus: CorpusConfig, tmp_path: Path
) -> None:
    catalog = tmp_path / "catalog"
    summary = label(corpus, catalog, vocabulary="demo")
    assert errors_of(catalog) == EXPECTED
    images = {row["key"]: row for row in query(str(catalog), "FROM images").to_pylist()}
    assert set(images) == LABELLED | {"nothing"}
    assert {row["masks"] for row in images.values()} == {1}
    assert (images["turned"]["width"], images["turned"]["height"]) == (24, 36)
    assert (images["dot"]["width"], images["dot"]["height"]) == (1, 1)
    assert summary.counts == {
        "images": 13,
        "masks": 13,
        "errors": len(EXPECTED),
        "labels": 1,
        "repeated": 0,
        "shards": 3,
    }


def test_a_run_that_is_tried_again_still_says_why_it_ends(tmp_path: Path) -> None:
    folder = tmp_path / "wild"
    folder.mkdir()
    with tarfile.open(folder / "00000.tar", "w") as archive:
        for name, body in {"good.png": GOOD["dot.png"], "empty.jpg": b"", "other.jpg": b""}.items():
            add(archive, name, body)
    for _ in range(2):
        with pytest.raises(StageError, match=r"2 of 3 samples are bad.*most often: empty_file \(2\)\. Mend"):
            label(CorpusConfig(uri=str(folder)), tmp_path / "catalog", vocabulary="demo")


def test_an_image_without_a_caption_has_no_vocabulary_and_still_a_row(
    corpus: CorpusConfig, tmp_path: Path
) -> None:
    words = tmp_path / "words.txt"
    words.write_text("dog\n")
    catalog = tmp_path / "catalog"
    label(corpus, catalog, vocabulary="captions", filter={"entities": str(words)})
    assert errors_of(catalog) == EXPECTED
    rows = query(str(catalog), "SELECT key, status, masks, width FROM images").to_pylist()
    without = [row for row in rows if row["status"] == "no_vocabulary"]
    assert without == [{"key": "nothing", "status": "no_vocabulary", "masks": 0, "width": 36}]
    assert {row["key"] for row in rows if row["status"] == "labelled"} == LABELLED


def test_clip_diy_takes_every_image_that_can_be_decoded(corpus: CorpusConfig, tmp_path: Path) -> None:
    catalog = tmp_path / "catalog"
    small = {"clip": "demo", "objectness": "none", "options": {"short_side": 64, "patch_sizes": (64, 32)}}
    summary = label(corpus, catalog, vocabulary="demo", segmenter=small, factory=None)
    assert errors_of(catalog) == EXPECTED
    keys = {row["key"] for row in query(str(catalog), "SELECT key FROM images").to_pylist()}
    assert keys == LABELLED | {"nothing"}
    row = Catalog.open(str(catalog)).run(summary.run_id)
    assert row is not None
    assert len(row["weights"]["clip"]) == 64
