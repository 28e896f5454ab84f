from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from maskmill.catalogs.corpora.image_files import ImageFiles, image_folder, measured
from maskmill.schemas.errors import CorpusError, ErrorReason
from maskmill.schemas.samples import BadSample


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_is_that_of_the_upright_image(jpeg: Callable[..., bytes], orientation: int) -> None:
    data = jpeg(6, 4, orientation)
    size = (4, 6) if orientation >= 5 else (6, 4)
    assert measured(data) == (hashlib.sha256(data).hexdigest(), *size)


@pytest.mark.parametrize("data", [b"", b"text", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n" + b"x" * 40])
def test_what_is_no_image_has_a_digest_and_no_size(data: bytes) -> None:
    assert measured(data) == (hashlib.sha256(data).hexdigest(), None, None)


def test_images_lie_where_told_else_beside(tmp_path: Path) -> None:
    uri = str(tmp_path / "a.csv")
    assert image_folder(uri, None)[1] == str(tmp_path)
    (tmp_path / "images").mkdir()
    assert image_folder(uri, None)[1] == str(tmp_path / "images")
    assert image_folder(uri, str(tmp_path))[1] == str(tmp_path)
    with pytest.raises(CorpusError, match="no image folder '/nowhere'"):
        image_folder(uri, "/nowhere")


def test_names_are_paths_below_the_folder_or_uris(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"A")
    fs = fsspec.filesystem("memory")
    fs.pipe_file("/pictures/b c.jpg", b"B")
    images = ImageFiles(str(tmp_path / "x.csv"), None)
    assert images.load("a", "a.jpg") == b"A"
    assert images.load("a", str(tmp_path / "a.jpg")) == b"A"
    assert images.load("a", f"file://{tmp_path}/a.jpg") == b"A"
    assert images.load("b", "memory://pictures/b c.jpg") == b"B"
    fs.rm("/pictures", recursive=True)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.jpg", ErrorReason.MISSING_IMAGE),
        ("/missing.jpg", ErrorReason.MISSING_IMAGE),
        ("nosuch://x/a.jpg", ErrorReason.MISSING_IMAGE),
        ("http://127.0.0.1:9/a.jpg", ErrorReason.MISSING_IMAGE),
        ("../a.jpg", ErrorReason.BAD_METADATA),
        ("", ErrorReason.BAD_METADATA),
    ],
)
def test_what_cannot_be_opened_is_a_bad_sample(tmp_path: Path, name: str, reason: ErrorReason) -> None:
    bad = ImageFiles(str(tmp_path / "x.csv"), None).load("k", name)
    assert isinstance(bad, BadSample)
    assert (bad.key, bad.reason) == ("k", reason)
