"""Class names that are hard to write down stand in every format as they are, and so do keys."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from exporting import Drawn, Mask, commit_run, disc, jpeg
from PIL import Image
from pycocotools.coco import COCO

from maskmill.catalogs.corrections import open_corrections
from maskmill.catalogs.exporters import ExportConfig, ExportSummary, export
from maskmill.catalogs.store import Catalog
from maskmill.schemas.errors import ConfigError

NAMES = [
    "a 'quoted' \"one\"",
    "two\nlines",
    "../a/b",
    "x, y; z: #1 - {a} [b] & <c>",
    "größe 🐈 \u2028 \x85",
    "- a",
]
NAMES += ["null", "1e3", "&amp;", "C:\\x", "%s {}", "\ttab "]
KEYS = ["..", "a/b", "a b", "ü/🐈" * 60, "x" * 300, "line\nbreak", "a\\b", "/etc/passwd"]
Export = Callable[..., ExportSummary]

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def _disc(number: int) -> Mask:
    return disc(8 + 10 * number, 20, 4)


@pytest.fixture
def hostile(catalog: Catalog, tmp_path: Path) -> Export:
    """Export images of hard keys; each shows one class, the first image all, in discs of their own."""
    shown = {key: (number,) for number, key in enumerate(KEYS)} | {KEYS[0]: tuple(range(len(NAMES)))}
    drawn = {
        key: Drawn(jpeg(0), tuple((NAMES[n], 0.5, _disc(n)) for n in numbers))
        for key, numbers in shown.items()
    }
    commit_run(catalog, tmp_path / "corpus", {"00000": drawn})

    def run(**config: Any) -> ExportSummary:
        return export(catalog.uri, tmp_path / "out", ExportConfig(**{"images": "none"} | config))

    return run


@pytest.mark.parametrize("kind", ["coco", "coco-panoptic"])
def test_coco(hostile: Export, kind: str) -> None:
    out = hostile(format=kind).out
    (file,) = (out / "annotations").glob("*.json")
    body = json.loads(file.read_bytes())
    assert {c["name"] for c in body["categories"]} == set(NAMES)
    assert [i["key"] for i in body["images"]] == KEYS
    if kind == "coco":
        coco = COCO(str(file))
        (number,) = coco.getCatIds(catNms=[NAMES[1]])
        (found, *_) = coco.loadAnns(coco.getAnnIds(catIds=[number]))
        assert (coco.annToMask(found).astype(bool) == _disc(1)).all()


@pytest.mark.parametrize("layout", ["mmseg", "cityscapes"])
def test_index_png(hostile: Export, layout: str) -> None:
    out = hostile(format="index-png", layout=layout).out
    read = [open_corrections(str(out), "index-png")]
    read.append(open_corrections(str(out), "index-png", str(out / "labels.txt")))
    for found in read:
        assert set(found.classes) == set(NAMES)
        assert sorted(image.names for image in found.images) == sorted((key,) for key in KEYS)
        regions = {image.names[0]: list(image.draw(96, 128)) for image in found.images}
        drawn = {region.label: region.mask for region in regions[".."]}  # type: ignore[union-attr]
        assert all((drawn[name] == _disc(number)).all() for number, name in enumerate(NAMES))
    assert read[0].sha256 == read[1].sha256


def test_yolo(hostile: Export) -> None:
    out = hostile(format="yolo-seg").out
    text = (out / "data.yaml").read_text("utf-8")
    names = yaml.safe_load(text)["names"]
    assert sorted(names.values()) == sorted(NAMES)
    # ultralytics takes out what YAML 1.1 calls unprintable before it reads.
    assert len(text.splitlines()) == 3 + len(NAMES)
    keys = [json.loads(line) for line in (out / "keys.jsonl").read_text("utf-8").split("\n")[:-1]]
    assert [entry["key"] for entry in keys] == KEYS
    files = sorted(p.relative_to(out / "labels").with_suffix("").as_posix() for p in out.rglob("*.txt"))
    assert files == sorted(entry["name"] for entry in keys)


def test_label_studio(hostile: Export) -> None:
    out = hostile(format="labelstudio").out
    view = ET.fromstring((out / "labels.xml").read_text("utf-8"))
    assert {label.get("value") for label in view.iter("Label")} == set(NAMES)
    (task, *_) = json.loads((out / "tasks" / "tasks-00000.json").read_bytes())
    regions = task["predictions"][0]["result"]
    assert {region["value"]["brushlabels"][0] for region in regions} == set(NAMES)


def test_hugging_face(hostile: Export) -> None:
    out = hostile(format="hf").out
    (file,) = (out / "data").iterdir()
    features = json.loads(pq.read_schema(file).metadata[b"huggingface"])["info"]["features"]
    assert set(features["labels"][0]["names"]) == {"background", *NAMES}
    assert pq.read_table(file)["key"].to_pylist() == KEYS
    assert len((out / "README.md").read_text("utf-8").split("---\n")) == 3


def test_webdataset(hostile: Export) -> None:
    out = hostile(format="webdataset").out
    classes = json.loads((out / "classes.json").read_bytes())
    assert {entry["name"] for entry in classes} == {"background", *NAMES}


def test_a_name_that_no_xml_holds_is_refused_before_anything_is_written(
    catalog: Catalog, tmp_path: Path
) -> None:
    commit_run(catalog, tmp_path, {"00000": {"a": Drawn(jpeg(0), (("a\x01b", 0.5, _disc(0)),))}})
    with pytest.raises(ConfigError, match=r"class 'a\\x01b' has a control character"):
        export(catalog.uri, tmp_path / "out", ExportConfig(format="labelstudio", images="none"))
    assert not (tmp_path / "out").exists()
    summary = export(catalog.uri, tmp_path / "out", ExportConfig(format="index-png", images="none"))
    assert (summary.out / "labels.txt").read_text("utf-8") == "background\na\x01b\n"


@pytest.mark.parametrize("kind", ["free_text", "prototype"])
def test_free_text_and_prototypes_are_labels_like_any_other(
    catalog: Catalog, tmp_path: Path, kind: str
) -> None:
    label = "a red kite, seen from below"
    drawn = Drawn(jpeg(0), ((label, 0.5, _disc(0)),), kind=kind)
    commit_run(catalog, tmp_path, {"00000": {"a": drawn}})
    summary = export(catalog.uri, tmp_path / "out", ExportConfig(format="index-png", images="none"))
    assert summary.classes == ("background", label)
    png = (summary.out / "annotations" / "train" / "00000" / "a.png").read_bytes()
    assert ((np.asarray(Image.open(io.BytesIO(png))) == 1) == _disc(0)).all()
