from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from exporting import SHARDS, Drawn, commit_run, disc, drawn_of, jpeg, truth, write_shards
from PIL import Image

from maskmill.catalogs.exporters import ExportConfig, ExportSummary, export
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import ConfigError

Export = Callable[..., ExportSummary]


def _label(summary: ExportSummary, name: str) -> Image.Image:
    return Image.open(io.BytesIO((summary.out / "annotations" / "train" / name).read_bytes()))


def test_every_image_has_a_label_map_by_the_rule_of_mmsegmentation(exported: Export) -> None:
    summary = exported(format="index-png")
    images = sorted((summary.out / "images" / "train").rglob("*.jpg"))
    assert len(images) == 5
    for path in images:
        below = path.relative_to(summary.out / "images" / "train").with_suffix(".png")
        with Image.open(path) as image:
            assert _label(summary, str(below)).size == image.size
            assert image.getexif().get(0x0112, 1) == 1


def test_label_maps_hold_class_ids(exported: Export) -> None:
    summary = exported(format="index-png")
    assert (summary.out / "labels.txt").read_text("utf-8").split("\n") == [
        "background",
        "cat",
        "dog",
        "tree",
        "",
    ]
    for shard, drawn in SHARDS.items():
        for key in [k for k in drawn if k.isdigit()]:
            labels = np.asarray(_label(summary, f"{shard}/{key}.png"))
            assert (labels == truth(drawn_of(key), summary.classes)).all()


def test_a_rotated_image_and_its_label_map_lie_the_same_way(exported: Export) -> None:
    summary = exported(format="index-png")
    (name,) = [p.stem for p in (summary.out / "images" / "train" / "00000").glob("sub_*")]
    labels = np.asarray(_label(summary, f"00000/{name}.png"))
    assert ((labels == 3) == disc(60, 48, 40)).all()
    stored = Image.open(io.BytesIO(SHARDS["00000"]["sub/turned ü"].image))
    shown = np.rot90(np.asarray(stored), -1).astype(int)
    with Image.open(summary.out / "images" / "train" / "00000" / f"{name}.jpg") as image:
        assert np.abs(np.asarray(image) - shown).mean() < 8


def test_masks_that_are_left_out_are_ignored_pixels(exported: Export) -> None:
    summary = exported(format="index-png", min_score=0.6)
    labels = np.asarray(_label(summary, "00000/0000.png"))
    assert (labels[disc(30, 40, 24)] == 1).all()
    assert labels[50, 60] == 255
    assert set(np.unique(labels)) == {0, 1, 255}


def test_classes_come_from_a_vocabulary(exported: Export, tmp_path: Path) -> None:
    names = tmp_path / "names.toml"
    names.write_text('classes = ["tree", {name = "animal", synonyms = ["cat"]}]')
    summary = exported(format="index-png", classes=str(names), unknown="background")
    assert summary.classes == ("background", "tree", "animal")
    labels = np.asarray(_label(summary, "00000/0000.png"))
    assert (labels[disc(30, 40, 24)] == 2).all()
    assert labels[50, 60] == 0  # a dog, which is in no class


def test_more_classes_than_a_png_holds_are_refused_before_anything_is_written(
    catalog: Catalog, tmp_path: Path
) -> None:
    pixel = disc(5, 5, 2)
    shards = {"0": {"0": Drawn(jpeg(0), tuple((f"label {n}", 0.5, pixel) for n in range(255)))}}
    write_shards(tmp_path / "many", shards)
    commit_run(catalog, tmp_path / "many", shards)
    with pytest.raises(ConfigError, match="255 classes do not fit into 8-bit"):
        export(catalog.uri, tmp_path / "out", ExportConfig(format="index-png"))
    assert not (tmp_path / "out").exists()


def test_the_layout_of_cityscapes_by_the_rule_of_mmsegmentation(exported: Export) -> None:
    summary = exported(format="index-png", layout="cityscapes", val_share=0.5, seed=3)
    images = sorted((summary.out / "leftImg8bit").rglob("*"))
    images = [path for path in images if path.is_file()]
    assert len(images) == 5
    assert {path.relative_to(summary.out).parts[1] for path in images} == {"train", "val"}
    for path in images:
        assert path.name.endswith("_leftImg8bit.png")
        # CityscapesDataset: the folder is another, and one suffix is put in the place of the other.
        below = str(path.relative_to(summary.out / "leftImg8bit"))
        label = below.replace("_leftImg8bit.png", "_gtFine_labelTrainIds.png")
        with Image.open(path) as image, Image.open(summary.out / "gtFine" / label) as ids:
            assert (image.format, ids.mode, ids.size) == ("PNG", "P", image.size)
            key = path.name.removesuffix("_leftImg8bit.png")
            if key.isdigit():
                assert (np.asarray(ids) == truth(drawn_of(key), summary.classes)).all()
    assert len(list((summary.out / "gtFine").rglob("*.png"))) == 5


def test_the_table_of_keys_names_both_files(exported: Export) -> None:
    summary = exported(format="index-png")
    lines = (summary.out / "keys.jsonl").read_text("utf-8").split("\n")[:-1]
    entries = [json.loads(line) for line in lines]
    assert [entry["key"] for entry in entries] == [key for shard in SHARDS.values() for key in shard]
    for entry in entries:
        assert (summary.out / "images" / f"{entry['name']}.jpg").is_file()
        assert (summary.out / "annotations" / f"{entry['name']}.png").is_file()
