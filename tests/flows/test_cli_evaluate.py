"""``maskmill evaluate`` on a dataset in one of the usual layouts."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import invoke
from datasets_on_disk import write_list, write_voc
from fake_segmenter import FAKE
from free_text import Sentences
from tiny import write_clip

from maskmill.catalogs.ground_truth import dataset_layouts
from maskmill.catalogs.query import query
from maskmill.models.zero_guidance import sentences
from maskmill.schemas.protocols import find_protocol, protocol_families
from maskmill.schemas.vocabulary import load_vocabulary, shipped_vocabularies

Captured = pytest.CaptureFixture[str]
PAGE = (Path(__file__).parents[2] / "docs" / "protocols.md").read_text("utf-8")


@pytest.mark.usefixtures("prefect_server")
def test_a_layout_is_judged_by_a_published_protocol(tmp_path: Path, capsys: Captured) -> None:
    ids = np.zeros((24, 32), np.uint8)
    ids[4:20, 4:20] = 1
    root, catalog = write_voc(tmp_path / "VOC2012", {"a": ids}), str(tmp_path / "catalog")
    flags = ["--segmenter", FAKE, "--backend", "inline", "--protocol", "clip-diy", "--unknown", "cat, dog"]
    ran = invoke(capsys, "evaluate", "--dataset", f"voc:{root}", "--catalog", catalog, *flags, "--boundary")
    assert ran.code == 0, ran.err
    assert "clip-diy/bg=class: mIoU" in ran.out
    assert "asked for as pottedplant = potted plant; tvmonitor = tv/monitor" in ran.out
    (row,) = query(catalog, "SELECT * FROM evaluations").to_pylist()
    assert (row["dataset"], row["vocabulary"], row["images"]) == ("voc", "voc21:clip-diy", 1)
    assert json.loads(row["details"])["truth_short_side"] == 448
    assert "boundary_f" in {metric["name"] for metric in row["metrics"]}


@pytest.mark.usefixtures("prefect_server")
def test_free_text_is_judged_and_said_in_every_way_there_is(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def load(spec: str, device: torch.device) -> Sentences:
        asked.append(spec)
        return Sentences()

    monkeypatch.setattr(sentences, "load_sentence_encoder", load)
    ids = np.zeros((24, 32), np.uint8)
    ids[:12, :16] = 1
    root, catalog = write_voc(tmp_path / "VOC2012", {"a": ids}), str(tmp_path / "catalog")
    flags = ["--protocol", "zero-guidance", "--backend", "inline", "--catalog", catalog]
    flags += ["--segmenter", "free_text:SeenQuadrants"]
    ran = invoke(capsys, "evaluate", f"voc20:{root}", *flags, "--sentence-encoder", "small", "--json")
    assert ran.code == 0, ran.err
    assert asked == ["small"]
    found = ("image_iou", "segment_recall", "text_generation_quality", "segment_text_image_iou")
    assert [ran.summary[name] for name in found] == [1.0] * 4
    again = invoke(capsys, "evaluate", f"voc20:{root}", *flags, "--sentence-encoder", "small")
    assert asked == ["small"]
    assert "zero-guidance/text-text: mIoU 100.0" in again.out
    assert "zero-guidance/segment-text: mIoU 100.0" in again.out
    refused = invoke(capsys, "evaluate", f"voc20:{root}", *flags[2:])
    assert (refused.code, refused.out) == (2, "")
    assert "use --protocol zero-guidance" in refused.err


@pytest.mark.usefixtures("prefect_server")
def test_features_are_probed(tmp_path: Path, capsys: Captured) -> None:
    ids = np.zeros((64, 64), np.uint8)
    ids[:, 32:] = 1
    root, catalog = write_voc(tmp_path / "VOC2012", {"a": ids, "b": ids.T}), str(tmp_path / "catalog")
    write_list(root / "ImageSets" / "Segmentation" / "val.txt", ["a"])
    write_list(root / "ImageSets" / "Segmentation" / "train.txt", ["b"])
    clip = str(write_clip(tmp_path / "clip"))
    command = ["probe", "knn", f"voc:{root}", "--catalog", catalog, "--clip", clip, "--device", "cpu"]
    first, again = invoke(capsys, *command, "--json"), invoke(capsys, *command)
    assert (first.code, again.code) == (0, 0), first.err + again.err
    assert first.summary["protocol"] == "knn"
    assert "This probe was made before; nothing was judged again." in again.out
    (row,) = query(catalog, "SELECT subject, subject_id, miou FROM evaluations").to_pylist()
    assert row["subject"] == "features"
    assert row["subject_id"].startswith("clip:clip@")
    assert row["miou"] == first.summary["features_miou"]
    wrong = invoke(capsys, "probe", "waterbirds", str(root), "--catalog", catalog, "--backbone", "timm:vit")
    assert wrong.code == 2
    assert "told apart by texts" in wrong.err


def test_help_and_documentation_name_every_layout_and_family(capsys: Captured) -> None:
    shown = re.sub(r"\s+", " ", invoke(capsys, "evaluate", "--help").out)
    for name in (*dataset_layouts(), *protocol_families()):
        assert name in shown
        assert f"`{name}`" in PAGE


def test_the_documentation_says_what_the_protocols_are() -> None:
    rows = [line.split("|")[1:-1] for line in PAGE.splitlines() if line.startswith("| `")]
    families = {cells[0].strip().strip("`"): cells for cells in rows}
    for family in ("groupvit", "ovsegmentor", "tcl", "sclip"):
        protocol = find_protocol(family, "voc21")
        assert protocol.window is not None
        cells = [cell.strip() for cell in families[family]]
        assert cells[1:4] == [
            f"short side {protocol.size}",
            f"{protocol.window.crop} / {protocol.window.stride}",
            f"`bg={protocol.background}`",
        ]


def test_the_documentation_lists_the_vocabularies() -> None:
    for name in set(shipped_vocabularies()) - {"cc4m", "cc4m_released", "demo", "waterbirds"}:
        count = len(load_vocabulary(name).names) - (not load_vocabulary(name).has_background)
        assert re.search(rf"\| `{name}` \| {count} \|", PAGE), name
