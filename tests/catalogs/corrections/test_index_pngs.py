from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from maskmill.catalogs.corrections import Fault, Region, ReviewReason, open_corrections
from maskmill.schemas.errors import CorpusError

IDS = np.array([[0, 1, 1], [2, 0, 1]], np.uint8)
CLASSES = [{"id": 0, "name": "background"}, {"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]


def folder(tmp_path: Path, image: Image.Image | bytes | None = None, name: str = "a.png") -> str:
    root = tmp_path / "pngs"
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    if isinstance(image, bytes):
        (root / name).write_bytes(image)
    else:
        (image or Image.fromarray(IDS)).save(root / name)
    (root / "classes.json").write_text(json.dumps(CLASSES))
    return str(root)


def drawn(uri: str) -> list[Region | Fault]:
    (image,) = open_corrections(uri, "index-png").images
    return list(image.draw(2, 3))


def test_ids_are_regions(tmp_path: Path) -> None:
    uri = folder(tmp_path, name="x/a.png")
    found = open_corrections(uri, "index-png")
    assert (found.classes, [image.names for image in found.images]) == (("cat", "dog"), [("x/a.png",)])
    regions = {r.label: r.mask for r in drawn(uri) if isinstance(r, Region)}
    assert regions.keys() == {"cat", "dog"}
    assert np.array_equal(regions["cat"], IDS == 1)


def test_palettes_and_sixteen_bits_are_read(tmp_path: Path) -> None:
    palette = Image.fromarray(IDS, "L").convert("P")
    palette.putdata(IDS.ravel().tolist())
    palette.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    assert {r.label for r in drawn(folder(tmp_path, palette)) if isinstance(r, Region)} == {"cat", "dog"}
    wide = Image.fromarray(np.where(IDS == 2, 65535, IDS.astype(np.uint16)).astype(np.uint16))
    assert {r.label for r in drawn(folder(tmp_path, wide)) if isinstance(r, Region)} == {"cat", None}


def test_255_is_undecided_in_eight_bits_only(tmp_path: Path) -> None:
    (region,) = drawn(folder(tmp_path, Image.fromarray(np.where(IDS == 2, 255, 0).astype(np.uint8))))
    assert isinstance(region, Region)
    assert (region.label, int(region.mask.sum())) == (None, 1)
    (fault,) = drawn(folder(tmp_path, Image.fromarray(np.where(IDS == 2, 255, 0).astype(np.uint16))))
    assert isinstance(fault, Fault)
    assert fault.reason == ReviewReason.UNKNOWN_LABEL


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (Image.new("L", (2, 3)), ReviewReason.WRONG_SIZE),
        (Image.new("RGB", (3, 2)), ReviewReason.BAD_REGION),
        (Image.new("L", (3, 2), 7), ReviewReason.UNKNOWN_LABEL),
        (b"", ReviewReason.BAD_REGION),
        (b"\x89PNG\r\n\x1a\n\x00", ReviewReason.BAD_REGION),
        (b"GIF89a", ReviewReason.BAD_REGION),
    ],
)
def test_pngs_that_cannot_be_taken_are_faults(tmp_path: Path, image: Any, reason: ReviewReason) -> None:
    (fault,) = drawn(folder(tmp_path, image))
    assert isinstance(fault, Fault)
    assert fault.reason == reason


def test_a_png_that_is_cut_short_is_a_fault(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 3, (64, 64), np.uint8)
    uri = folder(tmp_path, Image.fromarray(noise))
    path = Path(uri) / "a.png"
    path.write_bytes(path.read_bytes()[:-200])
    (image,) = open_corrections(uri, "index-png").images
    (fault,) = image.draw(64, 64)
    assert isinstance(fault, Fault)
    assert "the PNG cannot be read" in fault.detail


def test_the_layout_of_an_export_is_understood(tmp_path: Path) -> None:
    folder(tmp_path, name="annotations/a.png")
    folder(tmp_path, name="images/a.png")
    root = tmp_path / "pngs"
    (root / "classes.json").unlink()
    (root / "labels.txt").write_text("background\nbird\nhorse\n")
    found = open_corrections(str(root), "index-png")
    assert ([image.names for image in found.images], found.classes) == ([("a.png",)], ("bird", "horse"))


def test_the_digest_follows_the_content(tmp_path: Path) -> None:
    uri = folder(tmp_path)
    first = open_corrections(uri, "index-png").sha256
    listed = tmp_path / "classes.txt"
    listed.write_text("background\ncat\ndog\n")
    assert open_corrections(uri, "index-png", str(listed)).sha256 == first
    listed.write_text("background\ncat\nhorse\n")
    assert open_corrections(uri, "index-png", str(listed)).sha256 != first
    folder(tmp_path, Image.fromarray(np.flipud(IDS)))
    assert open_corrections(uri, "index-png").sha256 != first


@pytest.mark.parametrize("classes", ["{", "{}", "[]", "[3]", '[{"id": 1}]', '[{"id": "1", "name": "cat"}]'])
def test_a_list_of_classes_that_is_none_is_refused(tmp_path: Path, classes: str) -> None:
    uri = folder(tmp_path)
    (Path(uri) / "classes.json").write_text(classes)
    with pytest.raises(CorpusError, match=r"classes\.json"):
        open_corrections(uri, "index-png")


def test_repeated_ids_and_missing_lists_are_refused(tmp_path: Path) -> None:
    uri = folder(tmp_path)
    (Path(uri) / "classes.json").write_text(json.dumps([*CLASSES, {"id": 2, "name": "horse"}]))
    with pytest.raises(CorpusError, match="whole number of its own"):
        open_corrections(uri, "index-png")
    (Path(uri) / "classes.json").unlink()
    with pytest.raises(CorpusError, match=r"no classes\.json or labels\.txt"):
        open_corrections(uri, "index-png")
    (Path(uri) / "a.png").unlink()
    with pytest.raises(CorpusError, match="no index PNGs"):
        open_corrections(uri, "index-png")
