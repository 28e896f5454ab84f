"""What is exported, edited and imported again is taken for the images that it came from."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from exporting import SHARDS, Drawn, Mask, commit_run, disc, jpeg, write_shards
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from maskmill.catalogs.exporters import ExportConfig, ExportSummary, export
from maskmill.catalogs.exporters.source import ExportSource
from maskmill.catalogs.files import read_files
from maskmill.catalogs.rle import decode_mask, encode_mask
from maskmill.catalogs.store import Catalog
from maskmill.tasks.review_import import ReviewConfig, review_import

KEYS = [
    "..",
    "a/b",
    "a b",
    "a_b",
    "ü/🐈",
    "🐈/🐈",
    "x" * 300,
    "x" * 301,
    "line\nbreak",
    "a\nb/c",
    "a\\b",
    "/a",
]
KEYS += [
    "a/../a",
    "./a",
    "a",
    "a/",
    "A",
    "a.png",
    "a.jpg",
    " ",
    "a~b",
    "\u0065\u0301",
    "\u00e9",
    "%2e%2e",
    "b",
]
LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog.create_or_open(str(tmp_path / "catalog"))


def _mask(number: int) -> Mask:
    return disc(8 + 4 * (number % 28), 12 + 20 * (number // 28), 6)


def _drawn(keys: list[str]) -> dict[str, dict[str, Drawn]]:
    """Give every key an image with a mask that no other has."""
    return {
        "00000": {key: Drawn(jpeg(0), (("cat", 0.5, _mask(n)),)) for n, key in enumerate(keys)},
    }


def _reviewed(catalog: Catalog, run_id: str) -> dict[str, bytes]:
    rows = read_files("masks", catalog.run_files("masks", run_id)).to_pylist()
    return {row["key"]: row["rle"] for row in rows}


def _edit(out: Path, maps: str) -> None:
    """Paint the upper left corner of every label map as a person might, in any program that writes PNGs."""
    for path in (out / maps).rglob("*.png"):
        with Image.open(path) as image:
            ids = np.array(image)
        ids[:2, :2] = 1
        Image.fromarray(ids).save(path)


def _edited(number: int) -> bytes:
    mask = _mask(number).copy()
    mask[:2, :2] = True
    return encode_mask(mask)


@pytest.mark.parametrize(("layout", "maps"), [("mmseg", "annotations"), ("cityscapes", "gtFine")])
def test_index_pngs_of_hard_keys_come_back(catalog: Catalog, tmp_path: Path, layout: str, maps: str) -> None:
    commit_run(catalog, tmp_path, _drawn(KEYS))
    config = ExportConfig(format="index-png", images="none", layout=layout, val_share=0.3)
    summary = export(catalog.uri, tmp_path / "out", config)
    assert len(list((summary.out / maps).rglob("*.png"))) == len(KEYS)
    _edit(summary.out, maps)
    run = review_import(catalog.uri, str(summary.out), ReviewConfig(format="index-png"))
    assert run.counts == {"images": len(KEYS), "masks": len(KEYS), "labels": 1, "errors": 0, "unreviewed": 0}
    assert _reviewed(catalog, run.run_id) == {key: _edited(n) for n, key in enumerate(KEYS)}
    again = ExportSource(catalog.uri, ExportConfig(images="none"))
    assert all(record.corrected for record in again.records("00000"))


def test_a_folder_of_the_pngs_alone_needs_the_table_beside_it(catalog: Catalog, tmp_path: Path) -> None:
    keys = ["a/b", "c"]
    commit_run(catalog, tmp_path, _drawn(keys))
    out = export(catalog.uri, tmp_path / "out", ExportConfig(format="index-png", images="none")).out
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in (out / "annotations").rglob("*.png"):
        shutil.copy(path, flat / path.name)
    shutil.copy(out / "labels.txt", flat)
    bare = review_import(catalog.uri, str(flat), ReviewConfig(format="index-png"))
    assert (bare.counts["images"], bare.counts["errors"]) == (1, 1)
    shutil.copy(out / "keys.jsonl", flat)
    told = review_import(catalog.uri, str(flat), ReviewConfig(format="index-png"))
    assert told.run_id != bare.run_id
    assert _reviewed(catalog, told.run_id).keys() == set(keys)


@pytest.mark.parametrize("kind", ["coco", "labelstudio"])
def test_other_formats_of_hard_keys_come_back(catalog: Catalog, tmp_path: Path, kind: str) -> None:
    keys = [key for key in KEYS if key.strip()]  # a blank key counts as none where people write keys by hand
    commit_run(catalog, tmp_path, _drawn(keys))
    summary = export(catalog.uri, tmp_path / "out", ExportConfig(format=kind, images="none"))
    file = _accepted(summary) if kind == "labelstudio" else summary.out / "annotations/instances_train.json"
    run = review_import(catalog.uri, str(file), ReviewConfig(format=kind))
    assert (run.counts["images"], run.counts["errors"]) == (len(keys), 0)
    assert _reviewed(catalog, run.run_id) == {key: encode_mask(_mask(n)) for n, key in enumerate(keys)}


def _accepted(summary: ExportSummary) -> Path:
    """Do to tasks what Label Studio does when a person takes the predictions as they are."""
    tasks = []
    for path in sorted((summary.out / "tasks").iterdir()):
        for task in json.loads(path.read_bytes()):
            result = task.pop("predictions")[0]["result"]
            tasks.append(task | {"annotations": [{"result": result, "completed_by": 1}]})
    file = summary.out.parent / "project.json"
    file.write_text(json.dumps(tasks), "utf-8")
    return file


def test_label_studio_edits_win_in_the_next_export(catalog: Catalog, tmp_path: Path) -> None:
    write_shards(tmp_path / "corpus", SHARDS)
    commit_run(catalog, tmp_path / "corpus", SHARDS)
    summary = export(catalog.uri, tmp_path / "one", ExportConfig(format="labelstudio", shape="polygon"))
    file = _accepted(summary)
    tasks = json.loads(file.read_bytes())
    box = {"x": 0, "y": 0, "width": 50, "height": 50, "rotation": 0, "rectanglelabels": ["dog"]}
    for task in tasks:
        task["data"]["image"] = f"/data/upload/1/0a1b2c3d-{Path(task['data']['image']).name}"
    (edited,) = [task for task in tasks if task["data"]["key"] == "0000"]
    size = {"original_width": 128, "original_height": 96}
    edited["annotations"][0]["result"] = [{"id": "r", "type": "rectanglelabels", **size, "value": box}]
    file.write_text(json.dumps(tasks))
    review_import(catalog.uri, str(file), ReviewConfig(format="labelstudio", overlap="smaller"))
    second = export(catalog.uri, tmp_path / "two", ExportConfig(format="index-png"))
    assert second.counts["corrected"] == 5
    with Image.open(io.BytesIO((second.out / "annotations/train/00000/0000.png").read_bytes())) as image:
        ids = np.asarray(image)
    assert (ids[:48, :64] == second.classes.index("dog")).all()
    assert not ids[50:].any() and not ids[:, 66:].any()


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(LETTERS, min_size=1, max_size=12), min_size=1, max_size=6, unique=True))
def test_any_keys_come_back(tmp_path_factory: pytest.TempPathFactory, keys: list[str]) -> None:
    folder = tmp_path_factory.mktemp("any")
    catalog = Catalog.create_or_open(str(folder / "catalog"))
    commit_run(catalog, folder, _drawn(keys))
    summary = export(catalog.uri, folder / "out", ExportConfig(format="index-png", images="none"))
    run = review_import(catalog.uri, str(summary.out), ReviewConfig(format="index-png"))
    found = _reviewed(catalog, run.run_id)
    assert {key: decode_mask(rle, 96, 128).sum() for key, rle in found.items()} == {
        key: _mask(n).sum() for n, key in enumerate(keys)
    }
    assert found == {key: encode_mask(_mask(n)) for n, key in enumerate(keys)}
