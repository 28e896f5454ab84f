from __future__ import annotations

from pathlib import Path

import pytest

from maskmill.catalogs.corrections import Fault, ReviewReason
from maskmill.catalogs.files import write_rows
from maskmill.tasks.review_match import ImageNames, KnownImage

KEYS = ("0001", "cats/1", "dogs/1", "cats/a.b", "deep/er/x", "0001.png")


def images(tmp_path: Path, run_id: str = "label-1", sha256: str = "ab", keys: tuple[str, ...] = KEYS) -> str:
    size = {"width": 4, "height": 3, "sha256": sha256, "status": "labelled", "vocabulary": [], "masks": 0}
    rows = [
        {"image_id": f"id-{key}", "corpus": "c", "key": key, "shard_id": "0", "shard_uri": "u"} | size
        for key in keys
    ]
    add = write_rows(str(tmp_path), "images", run_id, "0", rows)
    return f"{tmp_path}/images/{add.path}"


def find(tmp_path: Path, *names: str) -> str | ReviewReason:
    found = ImageNames([images(tmp_path)], names).find(names)
    return found.reason if isinstance(found, Fault) else found.key


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("0001", "0001"),
        ("0001.jpg", "0001"),
        ("0001.JPG", "0001"),
        ("0001.png", "0001.png"),  # a key that looks like a file is meant before one without its suffix
        ("images/train/0001.jpg", "0001"),
        ("./cats/1.jpg", "cats/1"),
        ("images\\cats\\1.jpg", "cats/1"),
        ("/abs/dogs/1.webp", "dogs/1"),
        ("cats/a.b.jpg", "cats/a.b"),
        ("a.b", "cats/a.b"),
        ("er/x.png", "deep/er/x"),
        ("x.png", "deep/er/x"),
    ],
)
def test_names_mean_keys(tmp_path: Path, name: str, key: str) -> None:
    assert find(tmp_path, name) == key


@pytest.mark.parametrize("key", ["a\\b", "/0001", "./0001", "..", "a\nb/c", "a/", " ", "cats/1.jpg"])
def test_a_key_means_itself_before_it_is_taken_for_a_path(tmp_path: Path, key: str) -> None:
    files = [images(tmp_path, keys=(*KEYS, key))]
    found = ImageNames(files, [key]).find([key])
    assert isinstance(found, KnownImage)
    assert found.key == key


@pytest.mark.parametrize("name", ["2.jpg", "birds/x.png", "00011.jpg", "001", "0001.txt", "r/x.png", ""])
def test_names_of_nothing_are_unknown(tmp_path: Path, name: str) -> None:
    assert find(tmp_path, name) == ReviewReason.UNKNOWN_IMAGE


def test_a_name_that_may_mean_several_is_ambiguous(tmp_path: Path) -> None:
    found = ImageNames([images(tmp_path)], ["1.jpg"]).find(["1.jpg"])
    assert found == Fault(
        ReviewReason.AMBIGUOUS_IMAGE, "'1.jpg' may mean 'cats/1', 'dogs/1'; give more of the path"
    )


def test_the_first_name_that_means_something_counts(tmp_path: Path) -> None:
    assert find(tmp_path, "gone", "cats/1", "dogs/1") == "cats/1"


def test_later_files_count(tmp_path: Path) -> None:
    files = [images(tmp_path, "label-2", "old"), images(tmp_path, "label-1", "new", ("0001",))]
    names = ImageNames(files, ["0001.jpg", "cats/1"])
    found = {name: names.find([name]) for name in ("0001.jpg", "cats/1")}
    assert {n: f.row["sha256"] for n, f in found.items() if isinstance(f, KnownImage)} == {
        "0001.jpg": "new",
        "cats/1": "old",
    }


def test_only_what_may_be_meant_is_kept(tmp_path: Path) -> None:
    names = ImageNames([images(tmp_path)], ["dogs/1.jpg"])
    assert isinstance(names.find(["0001"]), Fault)
    assert isinstance(names.find(["cats/1"]), KnownImage)  # the same last part
