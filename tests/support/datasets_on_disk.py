"""Tiny datasets in the folder layouts of the real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

VOC_MAP = np.array([[0, 1, 20], [255, 15, 0]], np.uint8)


def write_image(path: Path, height: int, width: int, red: ArrayLike | None = None) -> None:
    """Write a dark picture, full red where ``red`` (H, W) is true."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((height, width, 3), 20, np.uint8)
    if red is not None:
        pixels[np.asarray(red, bool)] = (250, 10, 10)
    Image.fromarray(pixels).save(path, quality=100)


def write_png(path: Path, ids: ArrayLike) -> None:
    """Write (H, W) ids as an 8-bit PNG with a palette, as VOC's are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(ids, np.uint8))
    image.putpalette([value for i in range(256) for value in (i, 255 - i, i // 2)])
    image.save(path)


def write_list(path: Path, keys: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{key}\n" for key in keys))


def write_voc(root: Path, maps: dict[str, ArrayLike]) -> Path:
    """Write a VOC2012; pixels of class 1 are red in the pictures."""
    for key, ids in maps.items():
        array = np.asarray(ids)
        write_image(root / "JPEGImages" / f"{key}.jpg", *array.shape, red=array == 1)
        write_png(root / "SegmentationClass" / f"{key}.png", array)
    write_list(root / "ImageSets" / "Segmentation" / "val.txt", list(maps))
    return root
