from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from fake_segmenter import FakeSegmenter
from numpy.typing import NDArray
from PIL import Image

from maskmill.schemas.config import SegmenterConfig
from maskmill.schemas.errors import ConfigError, CorpusError
from maskmill.schemas.vocabulary import Vocabulary
from maskmill.tasks.segment_images import (
    Refused,
    Segmented,
    SegmentRequest,
    segment_images,
)

RED = Vocabulary.of(["red"])
CONFIG = SegmenterConfig(id="fake")


class WithHeat(FakeSegmenter):
    def heat_maps(self, image: NDArray[np.uint8], vocabulary: Vocabulary) -> dict[str, NDArray[np.float32]]:
        maps = np.random.default_rng(0).random((len(vocabulary.classes), 4, 4), np.float32)
        return {"32 px": maps, "objectness": maps[:1], "refined": maps}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    for name in ("b.png", "a.png", "a.jpg"):
        Image.fromarray(pixels).save(tmp_path / name)
    (tmp_path / "torn.png").write_bytes((tmp_path / "b.png").read_bytes()[:60])
    (tmp_path / "notes.txt").write_text("no image")
    return tmp_path


def _segment(request: SegmentRequest) -> Sequence[Segmented | Refused]:
    return segment_images(request, CONFIG, make=FakeSegmenter)


def test_one_image_becomes_one_overlay(folder: Path) -> None:
    out = folder / "new" / "overlay.png"
    (result,) = _segment(SegmentRequest(folder / "b.png", out, RED))
    assert isinstance(result, Segmented)
    assert result.overlay == out
    with Image.open(out) as drawn:
        assert drawn.size == (30, 20)
    ((name, share, score),) = result.found
    assert (name, round(share, 4)) == ("red", 0.5)
    assert score == 0.5


def test_every_image_of_a_folder_is_told_of(folder: Path) -> None:
    results = _segment(SegmentRequest(folder, folder / "out", RED))
    assert [result.image.name for result in results] == ["a.jpg", "a.png", "b.png", "torn.png"]
    assert sorted(f.name for f in (folder / "out").iterdir()) == ["a.jpg.png", "a.png.png", "b.png"]
    assert isinstance(results[-1], Refused)
    assert "truncated" in results[-1].reason or "cannot" in results[-1].reason


def test_heat_maps_lie_beside_the_overlay(folder: Path) -> None:
    request = SegmentRequest(
        folder / "b.png", folder / "o.png", Vocabulary.of(list("abcdefghijklmnop")), True
    )
    (result,) = segment_images(request, CONFIG, make=WithHeat)
    assert isinstance(result, Segmented)
    assert result.heat == folder / "o.heat.png"
    with Image.open(result.heat) as sheet:
        assert sheet.size[1] < 14 * 160  # the background and twelve classes, not all sixteen


def test_a_segmenter_without_heat_maps_says_so_before_any_work(folder: Path) -> None:
    with pytest.raises(ConfigError, match="'fake' has no heat maps"):
        _segment(SegmentRequest(folder, folder / "out", RED, heat_maps=True))
    assert not (folder / "out").exists()


def test_no_image_is_an_error(folder: Path) -> None:
    with pytest.raises(CorpusError, match=r"no image .*gone"):
        _segment(SegmentRequest(folder / "gone.jpg", folder / "o.png", RED))
    (folder / "empty").mkdir()
    with pytest.raises(CorpusError, match="holds no image"):
        _segment(SegmentRequest(folder / "empty", folder / "o", RED))


@pytest.mark.parametrize("name", ["o.unknown", "o.psd"])
def test_a_suffix_of_no_picture_is_refused_before_any_work(folder: Path, name: str) -> None:
    def make(config: SegmenterConfig) -> FakeSegmenter:
        raise AssertionError("loaded")

    with pytest.raises(ConfigError, match=r"cannot be written: give a \.png or \.jpg"):
        segment_images(SegmentRequest(folder / "b.png", folder / name, RED), CONFIG, make=make)


def test_a_picture_that_cannot_be_written_is_a_config_error(folder: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        _segment(SegmentRequest(folder / "b.png", folder / "notes.txt" / "o.png", RED))
