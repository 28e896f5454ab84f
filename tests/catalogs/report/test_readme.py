from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont

from maskmill.catalogs.palette import PALETTE
from maskmill.catalogs.report.items import GalleryItem
from maskmill.catalogs.report.readme import readme_picture, wrap
from maskmill.schemas.errors import ConfigError


def test_picture_is_wide_and_light(item: GalleryItem, tmp_path: Path) -> None:
    path = readme_picture([item] * 7, tmp_path / "docs" / "picture.png")
    with Image.open(path) as picture:
        assert 1500 <= picture.width <= 1600
    assert path.stat().st_size < 500_000


def test_legend_shows_the_very_colours_of_the_classes(item: GalleryItem, tmp_path: Path) -> None:
    path = readme_picture([item], tmp_path / "picture.png")
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    for colour in PALETTE[:2]:
        assert np.all(pixels[-60:] == colour, axis=-1).sum() > 50


def test_noise_still_stays_below_the_limit(item: GalleryItem, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (480, 640, 3)).astype(np.uint8)
    path = readme_picture([replace(item, image=noise)] * 5, tmp_path / "picture.png")
    assert path.stat().st_size < 500_000


def test_a_row_that_nobody_has_is_left_out(item: GalleryItem, tmp_path: Path) -> None:
    both = readme_picture([item], tmp_path / "both.png")
    one = readme_picture([replace(item, student=None)], tmp_path / "one.png")
    with Image.open(both) as tall, Image.open(one) as short:
        assert short.height < tall.height - 100


def test_no_item_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one item"):
        readme_picture([], tmp_path / "picture.png")


def test_a_folder_in_the_way_is_reported(item: GalleryItem, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        readme_picture([item], tmp_path)


def test_long_captions_end_in_dots_and_fit() -> None:
    font = ImageFont.load_default(15)
    lines = wrap("one two three four five six seven eight nine ten", font, 90, 2)
    assert len(lines) == 2
    assert lines[1].endswith("...")
    assert all(font.getlength(line) <= 90 for line in lines)


def test_a_short_caption_is_left_alone() -> None:
    assert wrap("a cat", ImageFont.load_default(15), 200, 2) == ["a cat"]
