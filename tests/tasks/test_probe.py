"""Probes: what is stored, what is done once, and what is refused before a model is loaded."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import timm
import torch
import torch.nn.functional as F
from datasets_on_disk import write_image, write_list, write_png, write_voc
from numpy.typing import NDArray
from tiny import write_clip
from torch import Tensor

from maskmill.catalogs.query import query
from maskmill.schemas.config import CorpusConfig
from maskmill.schemas.errors import ConfigError, CorpusError, MaskmillError, WeightsError
from maskmill.schemas.probe_config import ProbeConfig, ProbeKind
from maskmill.schemas.vocabulary import Vocabulary
from maskmill.tasks import dense_features
from maskmill.tasks.dense_features import DenseFeatures, feature_files, load_features
from maskmill.tasks.probe import ProbeSummary, probe_run
from maskmill.tasks.progress import SilentProgress

CONFIG = ProbeConfig(clip="demo", neighbours=3, device="cpu")


def _colours(image: NDArray[np.uint8]) -> Tensor:
    """Mean colour of cells of 4 x 4 pixels, and a constant."""
    pixels = torch.from_numpy(image.copy()).permute(2, 0, 1).float()[None] / 255
    mean = F.avg_pool2d(pixels, 4)[0]
    return torch.cat([mean, torch.full_like(mean[:1], 0.3)])


def _embed(vocabulary: Vocabulary) -> Tensor:
    dark, red = torch.tensor([0.08, 0.08, 0.08, 0.3]), torch.tensor([0.98, 0.04, 0.04, 0.3])
    return torch.stack([-red, red, dark])  # background, waterbird, landbird


@pytest.fixture
def colours(monkeypatch: pytest.MonkeyPatch) -> list[ProbeConfig]:
    """The configurations with which a backbone was loaded; it sees mean colours."""
    loaded: list[ProbeConfig] = []

    def load(config: ProbeConfig) -> DenseFeatures:
        loaded.append(config)
        return DenseFeatures("colours@1", {"colours": "abc"}, _colours, _embed)

    monkeypatch.setattr(dense_features, "load_features", load)
    return loaded


def _voc(root: Path) -> str:
    """One image to learn from, one to be judged on."""
    maps: dict[str, Any] = {}
    for key, left in (("learnt", 4), ("judged", 12)):
        ids = np.zeros((24, 32), np.uint8)
        ids[8:20, left : left + 12] = 1
        maps[key] = ids
    write_voc(root, maps)
    for split, key in (("train", "learnt"), ("val", "judged")):
        write_list(root / "ImageSets" / "Segmentation" / f"{split}.txt", [key])
    return f"voc:{root}"


def _davis(root: Path) -> str:
    for frame in range(5):
        ids = np.zeros((24, 48), np.uint8)
        ids[8:16, 4 * frame : 4 * frame + 8] = 1
        write_image(root / "JPEGImages" / "480p" / "walk" / f"{frame:05d}.jpg", 24, 48, red=ids == 1)
        write_png(root / "Annotations" / "480p" / "walk" / f"{frame:05d}.png", ids)
    write_list(root / "ImageSets" / "2017" / "val.txt", ["walk"])
    return str(root)


def _birds(root: Path) -> str:
    lines = ["img_id,img_filename,y,split,place,place_filename"]
    for i, (bird, place) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        write_image(root / f"{i}.jpg", 8, 8, red=np.full((8, 8), place == 1))
        lines.append(f"{i},{i}.jpg,{bird},2,{place},p")
    (root / "metadata.csv").write_text("\n".join(lines))
    return str(root)


def _probe(root: Path, kind: ProbeKind, uri: str, **more: Any) -> ProbeSummary:
    config = CONFIG.model_copy(update=more)
    return probe_run(kind, CorpusConfig(uri=uri), str(root / "catalog"), config)


@pytest.mark.parametrize(("kind", "least"), [("knn", 0.95), ("linear", 0.8)])
def test_pixels_are_labelled_by_another_splits_features(
    kind: ProbeKind, least: float, colours: list[ProbeConfig], tmp_path: Path
) -> None:
    summary = _probe(tmp_path, kind, _voc(tmp_path / "VOC2012"))
    assert least < summary.miou <= 1
    assert summary.metrics == {"learnt_cells": 48.0}
    assert summary.line().startswith(f"colours@1, {kind} on voc: mIoU {100 * summary.miou:.1f}, pixel")
    (row,) = query(str(tmp_path / "catalog"), "SELECT * FROM evaluations").to_pylist()
    assert (row["subject"], row["protocol"], row["dataset"], row["images"]) == ("features", kind, "voc", 1)
    assert row["vocabulary"] == "voc21"
    assert {c["label"] for c in row["classes"] if c["iou"] is not None} == {"background", "aeroplane"}
    assert json.loads(row["details"])["neighbours"] == 3
    assert json.loads(row["weights"])["colours"] == "abc"


def test_davis_stores_j_and_f(colours: list[ProbeConfig], tmp_path: Path) -> None:
    summary = _probe(tmp_path, "davis", _davis(tmp_path / "DAVIS"))
    assert summary.images == 5
    assert summary.metrics["objects"] == 1
    assert summary.metrics["j_and_f"] == pytest.approx((summary.metrics["j"] + summary.metrics["f"]) / 2)
    assert summary.miou == summary.metrics["j"]
    assert "mIoU" not in summary.line()


def test_birds_told_by_their_place_have_deltas_of_one(colours: list[ProbeConfig], tmp_path: Path) -> None:
    summary = _probe(tmp_path, "waterbirds", _birds(tmp_path))
    assert math.isnan(summary.miou)
    assert summary.metrics == {
        "accuracy": 0.5,
        "worst_group_accuracy": 0.0,
        "waterbird_delta": 1.0,
        "landbird_delta": 1.0,
    }
    assert "nan" not in summary.line()
    sql = "SELECT m.value FROM evaluations, UNNEST(metrics) AS t(m) WHERE m.name = 'waterbird_delta'"
    assert query(str(tmp_path / "catalog"), sql).to_pylist() == [{"value": 1.0}]


def test_a_probe_is_made_once_and_again_when_anything_has_changed(
    colours: list[ProbeConfig], tmp_path: Path
) -> None:
    root = tmp_path / "VOC2012"
    uri = _voc(root)
    first, again = (_probe(tmp_path, "knn", uri) for _ in range(2))
    assert (first.run.resumed, again.run.resumed, len(colours)) == (False, True, 1)
    assert (again.miou, again.metrics, again.images) == (first.miou, first.metrics, 1)
    assert _probe(tmp_path, "knn", uri, device="auto").run.resumed  # where it runs is no matter
    assert not _probe(tmp_path, "knn", uri, neighbours=1).run.resumed
    assert not _probe(tmp_path, "linear", uri).run.resumed
    birds = _birds(tmp_path)
    assert not _probe(tmp_path, "waterbirds", birds).run.resumed
    (tmp_path / "metadata.csv").write_text((tmp_path / "metadata.csv").read_text().rpartition("\n")[0])
    fewer = _probe(tmp_path, "waterbirds", birds)
    assert (fewer.run.resumed, fewer.images) == (False, 3)


def test_progress_counts_everything_that_is_looked_at(colours: list[ProbeConfig], tmp_path: Path) -> None:
    class Watch(SilentProgress):
        def __init__(self) -> None:
            self.total, self.done, self.images = 0, 0, 0

        def start(self, stage: str, total: int, unit: str = "shards") -> None:
            self.total += total

        def advance(self, done: int, **counts: int) -> None:
            self.done += done
            self.images += counts["images"]

    kinds: tuple[tuple[ProbeKind, str, int], ...] = (
        ("knn", _voc(tmp_path / "VOC2012"), 2),
        ("davis", _davis(tmp_path / "DAVIS"), 5),
        ("waterbirds", _birds(tmp_path), 4),
    )
    for kind, uri, images in kinds:
        watch = Watch()
        probe_run(kind, CorpusConfig(uri=uri), str(tmp_path / "catalog"), CONFIG, watch)
        assert watch.done == watch.total > 0
        assert watch.images == images


@pytest.mark.parametrize(
    ("kind", "config", "error", "says"),
    [
        ("knn", {"backbone": "dino"}, ConfigError, "no backbone 'dino': give clip, or timm:NAME"),
        ("knn", {"backbone": "timm:"}, ConfigError, "no backbone"),
        ("knn", {"clip": "no-clip"}, WeightsError, "no CLIP 'no-clip'"),
        ("knn", {"train_split": "val"}, ConfigError, "judged on what it has learnt from"),
        ("knn", {"split": "test"}, CorpusError, "test"),
        ("knn", {"train": "context59"}, ConfigError, "do not have the same classes"),
        ("waterbirds", {"backbone": "timm:vit"}, ConfigError, "told apart by texts, and 'timm:vit' has none"),
        ("davis", {}, CorpusError, "ImageSets/2017/val.txt"),
    ],
)
def test_what_cannot_be_probed_is_said_before_a_model_is_loaded(
    kind: ProbeKind,
    config: dict[str, Any],
    error: type[MaskmillError],
    says: str,
    colours: list[ProbeConfig],
    tmp_path: Path,
) -> None:
    uri = _voc(tmp_path / "VOC2012")
    if "train" in config:
        config = {"train": f"context59:{_context(tmp_path)}", "train_split": "val"}
    with pytest.raises(error, match=says):
        _probe(tmp_path, kind, uri if kind == "knn" else str(tmp_path), **config)
    assert not colours


def _context(root: Path) -> Path:
    folder = root / "VOC2010"
    write_image(folder / "JPEGImages" / "c.jpg", 8, 8)
    write_png(folder / "SegmentationClassContext" / "c.png", np.ones((8, 8), np.uint8))
    write_list(folder / "ImageSets" / "SegmentationContext" / "val.txt", ["c"])
    return folder


def test_the_features_of_a_clip_lie_in_the_space_of_its_texts(tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"clip": str(write_clip(tmp_path / "clip")), "short_side": 64})
    features = load_features(config)
    grid = features.encode(np.full((128, 160, 3), 90, np.uint8))
    assert features.embed is not None
    texts = features.embed(Vocabulary.of(["cat"]))
    assert grid.shape == (texts.shape[1], 2, 3)  # 64 x 80 pixels in cells of 32
    assert torch.allclose(grid.norm(dim=0), torch.ones(2, 3), atol=1e-4)
    assert feature_files(config)["clip"] == features.weights["clip"]


def test_a_timm_folder_has_features_and_no_texts(tmp_path: Path) -> None:
    name, folder = "vit_tiny_patch16_224", tmp_path / "vit"
    sizes = {"embed_dim": 24, "depth": 2, "num_heads": 2}
    model = timm.create_model(name, num_classes=0, dynamic_img_size=True, **sizes)
    folder.mkdir()
    safetensors.torch.save_file(model.state_dict(), folder / "model.safetensors")
    config_file = {"architecture": name, "num_classes": 0, "model_args": sizes, "pretrained_cfg": {}}
    (folder / "config.json").write_text(json.dumps(config_file))
    config = CONFIG.model_copy(update={"backbone": f"timm:{folder}", "short_side": 32})
    features = load_features(config)
    assert features.embed is None
    assert features.encode(np.zeros((40, 60, 3), np.uint8)).shape == (24, 2, 3)
    assert feature_files(config)["backbone"].startswith(features.id.partition("@")[2])
    assert feature_files(config.model_copy(update={"backbone": f"timm:{name}"})) == {}
