from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from datasets_on_disk import write_image, write_list, write_png, write_voc
from numpy.typing import NDArray
from torch import Tensor

from maskmill.catalogs.ground_truth import Dataset, open_dataset, open_davis, waterbirds
from maskmill.models.propagation import PropagationOptions
from maskmill.schemas.config import CorpusConfig
from maskmill.schemas.errors import StageError
from maskmill.tasks.dense_judging import (
    DenseEncoder,
    feature_bank,
    judge_birds,
    judge_davis,
    linear_probe,
    nearest_neighbours,
    probe_features,
)


def _colours(image: NDArray[np.uint8]) -> Tensor:
    """Mean colour of cells of 4 x 4 pixels, and a constant."""
    pixels = torch.from_numpy(image.copy()).permute(2, 0, 1).float()[None] / 255
    mean = F.avg_pool2d(pixels, 4)[0]
    return torch.cat([mean, torch.full_like(mean[:1], 0.3)])


def _voc(root: Path, lefts: list[int]) -> Dataset:
    maps = {}
    for i, left in enumerate(lefts):
        ids = np.zeros((24, 32), np.uint8)
        ids[8:20, left : left + 12] = 1
        ids[0] = 255
        maps[f"k{i}"] = ids
    return open_dataset(CorpusConfig(uri=f"voc:{write_voc(root, dict(maps))}"))


def _mious(encode: DenseEncoder, train: Dataset, test: Dataset) -> tuple[float, float]:
    """Return the mIoU by nearest neighbours and by a linear probe."""
    bank, labels = feature_bank(encode, train)
    near, probe = nearest_neighbours(bank, labels, 3), linear_probe(bank, labels, 21)
    knn, linear = (probe_features(encode, label, test).matrix.miou() for label in (near, probe))
    return knn, linear


def test_features_that_know_the_classes_label_them_both_ways(tmp_path: Path) -> None:
    train, test = _voc(tmp_path / "train", [4, 8]), _voc(tmp_path / "test", [12, 16])
    knn, linear = _mious(_colours, train, test)
    assert knn > 0.95
    assert linear > 0.8
    assert max(_mious(lambda image: torch.ones_like(_colours(image)), train, test)) < 0.5


def test_zero_is_not_learnt_where_a_vocabulary_has_no_background(tmp_path: Path) -> None:
    voc = _voc(tmp_path, [4])
    without = Dataset(voc.name, voc.reader, voc.truth, "voc20")
    assert set(feature_bank(_colours, voc)[1].tolist()) == {0, 1}
    bank, labels = feature_bank(_colours, without)
    assert set(labels.tolist()) == {1}
    scores = probe_features(_colours, nearest_neighbours(bank, labels, 3), without)
    assert (scores.images, scores.matrix.miou(), int(scores.matrix.counts.sum())) == (1, 1.0, 12 * 12)


def test_a_dataset_without_labelled_cells_is_refused(tmp_path: Path) -> None:
    empty = open_dataset(
        CorpusConfig(uri=f"voc:{write_voc(tmp_path, {'k': np.full((8, 8), 255, np.uint8)})}")
    )
    with pytest.raises(StageError, match="no labelled cell"):
        feature_bank(_colours, empty)


def _davis(root: Path) -> Path:
    for frame in range(5):
        ids = np.zeros((24, 48), np.uint8)
        ids[8:16, 4 * frame : 4 * frame + 8] = 1
        write_image(root / "JPEGImages" / "480p" / "walk" / f"{frame:05d}.jpg", 24, 48, red=ids == 1)
        write_png(root / "Annotations" / "480p" / "walk" / f"{frame:05d}.png", ids)
    write_list(root / "ImageSets" / "2017" / "val.txt", ["walk"])
    return root


def test_a_walking_thing_is_followed_through_its_video(tmp_path: Path) -> None:
    videos = open_davis(str(_davis(tmp_path)))
    sharp = PropagationOptions(context=2, neighbours=2, radius=3, temperature=0.01)
    result = judge_davis(_colours, videos, sharp)
    assert result.objects == 1
    assert result.j > 0.8
    assert result.j_and_f == pytest.approx((result.j + result.f) / 2)
    assert (result.frames, result.pixels) == (5, 3 * 24 * 48)
    assert 0.9 < result.right / result.pixels <= 1
    lost = judge_davis(lambda image: torch.ones_like(_colours(image)), videos, sharp)
    assert lost.j < 0.5


def test_birds_that_are_told_by_their_place_have_a_large_delta(tmp_path: Path) -> None:
    lines = ["img_id,img_filename,y,split,place,place_filename"]
    for i, (bird, place) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        write_image(tmp_path / f"{i}.jpg", 8, 8, red=np.full((8, 8), place == 1))
        lines.append(f"{i},{i}.jpg,{bird},2,{place},p")
    (tmp_path / "metadata.csv").write_text("\n".join(lines))
    dark, red = torch.tensor([0.08, 0.08, 0.08, 0.3]), torch.tensor([0.98, 0.04, 0.04, 0.3])
    queries = torch.stack([-red, red, dark])  # background, waterbird, landbird
    accuracy = judge_birds(_colours, str(tmp_path), waterbirds(str(tmp_path)), queries)
    assert [accuracy.delta(bird) for bird in (0, 1)] == [1.0, 1.0]
    assert accuracy.worst() == 0.0
